"""How large is a database, has it grown too fast, and which periods are summed up when? (rulebook 6.7, W4, W5)"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

MEGABYTE = 1024 * 1024
GIGABYTE_MB = 1024
KINDS = ("DAILY", "WEEKLY", "MONTHLY", "QUARTERLY")
TREND_PERCENT = 5
LATE_DAYS = 3  # a period with points missing is called final when its end is this many days past
MONDAY = 0


def megabytes(size: int) -> int:
    """Bytes as whole megabytes, half up."""
    return (size + MEGABYTE // 2) // MEGABYTE


def grew_fast(before_mb: int | None, now_mb: int, percent: int, gigabytes: int) -> bool:
    """Both by that share and by that size, against what is known from before; from nothing any share is reached."""
    if before_mb is None:
        return False
    change = now_mb - before_mb
    return change >= gigabytes * GIGABYTE_MB and change * 100 >= percent * before_mb


@dataclass(frozen=True, order=True)
class Period:
    """A calendar period, both days counted."""

    kind: str
    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1


def period(kind: str, day: date) -> Period:
    """The period of a kind that a day lies in: the day, Monday to Sunday, the calendar month or quarter."""
    if kind == "DAILY":
        return Period(kind, day, day)
    if kind == "WEEKLY":
        start = day - timedelta(days=day.weekday())
        return Period(kind, start, start + timedelta(days=6))
    months = {"MONTHLY": 1, "QUARTERLY": 3}[kind]
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    after = date(first.year + (first.month + months > 12), (first.month + months - 1) % 12 + 1, 1)
    return Period(kind, first, after - timedelta(days=1))


def previous(of: Period) -> Period:
    """The whole period directly before, by calendar and not by length: Q4 comes before Q1."""
    return period(of.kind, of.start - timedelta(days=1))


def due(day: date, kinds: Sequence[str], *, include_current: bool = False) -> list[Period]:
    """What is summed up on a day: the day; last week on Mondays, last month to the 3rd, last quarter to the 5th.

    `include_current` adds the week, month and quarter that the day lies in.
    """
    today = {kind: period(kind, day) for kind in KINDS}
    closed = {
        "WEEKLY": day.weekday() == MONDAY,
        "MONTHLY": day.day <= 3,
        "QUARTERLY": (day - today["QUARTERLY"].start).days < 5,
    }
    found = [today["DAILY"]] if "DAILY" in kinds else []
    for kind in KINDS[1:]:
        if kind in kinds:
            found += [previous(today[kind])] if closed[kind] else []
            found += [today[kind]] if include_current else []
    return found


def is_final(of: Period, points: int, day: date) -> bool:
    """Whether a sum will not change any more: it has a point a day, or its end is three days past."""
    if of.end > day:
        return False
    return points >= of.days or of.end <= day - timedelta(days=LATE_DAYS)


def percent_of_change(now: Decimal, before: Decimal | None) -> Decimal | None:
    """By how many percent a number changed, 2 places half up; None without an earlier one, or from nothing."""
    if before is None or before == 0:
        return None
    return ((now - before) * 100 / before).quantize(Decimal("0.01"), ROUND_HALF_UP)


def trend(percent: Decimal | None) -> str | None:
    """Above +5 % it grows, below -5 % it shrinks."""
    if percent is None:
        return None
    return "GROWING" if percent > TREND_PERCENT else "SHRINKING" if percent < -TREND_PERCENT else "STABLE"
