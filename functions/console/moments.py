"""How are times, durations and numbers written? In the reader's own zone, exact, and readable by machines as well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from flask import g
from markupsafe import Markup

from functions.console.language import t
from shared.schedule import now

DAY = timedelta(days=1)


def utc_now() -> datetime:
    """The real time. A request asks the clock once, so that one page shows one moment."""
    return now()


def zone() -> ZoneInfo:
    person = g.get("person")
    return ZoneInfo(person.time_zone if person else "Asia/Shanghai")


def of(value: datetime | str) -> datetime:
    """A stored moment, also one that went through JSON."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def iso(value: datetime | str | None) -> str | None:
    return None if value is None else of(value).astimezone(zone()).isoformat(timespec="seconds")


def clock(value: datetime | str) -> str:
    """The moment in words, as short as it stays clear: 09:00:05 today, 03-02 09:00 this year, else with the year."""
    local, today = of(value).astimezone(zone()), utc_now().astimezone(zone())
    if local.date() == today.date():
        return local.strftime("%H:%M:%S") if local.second else local.strftime("%H:%M")
    return local.strftime("%m-%d %H:%M" if local.year == today.year else "%Y-%m-%d %H:%M")


def exactly(value: datetime | str | None) -> Markup:
    """A <time> element to the millisecond, for what follows within one second."""
    if value is None:
        return when(None)
    local = of(value).astimezone(zone())
    return Markup('<time datetime="{}">{}</time>').format(
        local.isoformat(timespec="milliseconds"), f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03}"
    )


def when(value: datetime | str | None, otherwise: str = "—") -> Markup:
    """A <time> element; its title is the whole moment with its offset."""
    if value is None:
        return Markup('<span class="quiet">{}</span>').format(otherwise)
    local = of(value).astimezone(zone())
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        local.isoformat(timespec="seconds"), local.strftime("%Y-%m-%d %H:%M:%S %Z"), clock(value)
    )


def ago(value: datetime | str) -> str:
    """How long from now, in one unit: 3 分钟前, in 2 hours."""
    seconds = (of(value) - utc_now()).total_seconds()
    amount, side = abs(seconds), "in" if seconds > 0 else "ago"
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if amount >= size:
            return t(f"moments.{side}_{unit}", n=round(amount / size))
    return t("moments.soon" if seconds > 0 else "moments.just_now")


def took(milliseconds: int | None) -> str:
    """A duration: 85 ms, 1.2 s, 3 min 20 s, 2 h 5 min."""
    if milliseconds is None:
        return "—"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = Decimal(milliseconds) / 1000
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    if seconds < 3600:
        return _two(int(seconds), 60, "min", "s")
    return _two(int(seconds) // 60, 60, "h", "min")


def _two(amount: int, size: int, large: str, small: str) -> str:
    whole, rest = divmod(amount, size)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def lag(later: datetime | None, earlier: datetime | None) -> str:
    """What passed between two steps: +0.4 s; empty when one of them did not happen."""
    if later is None or earlier is None:
        return ""
    milliseconds = round((later - earlier).total_seconds() * 1000)
    return ("+" if milliseconds >= 0 else "−") + took(abs(milliseconds))


def number(value: int | Decimal | None) -> str:
    """A figure with its thousands apart."""
    return "—" if value is None else f"{value:,}"
