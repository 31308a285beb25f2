"""What a notification says, in its reader's language: Jinja2 templates over facts, rendered when it is read or sent.

`shared/templates/<TYPE>.<zh|en>.j2` has three blocks: `title` (one line), `body` (a few lines) and `sms` (at most 70
characters); a report may have a fourth, `html`: what an e-mail shows in the body's place, autoescaped, with the tables
and bars of `templates/parts/charts.j2`. Its context is the facts and `level`, `target_no`, `target_name`. A type
without templates of its own gets ALERT's; a reason that changes the sentence (ESCALATED, UPGRADED, RESOLVED) is put
around it by `templates/reasons/`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from jinja2 import Environment, Template

FOLDER = Path(__file__).with_name("templates")
LANGUAGES = ("zh", "en")
SMS_LENGTH, TITLE_LENGTH = 70, 200
_LEVELS = {
    "zh": {"INFO": "提示", "WARNING": "警告", "CRITICAL": "严重", "URGENT": "紧急"},
    "en": {"INFO": "Info", "WARNING": "Warning", "CRITICAL": "Critical", "URGENT": "Urgent"},
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Text:
    """One message as its reader sees it."""

    title: str
    body: str
    sms: str
    html: str = ""  # markup, already escaped; empty for most


def language_of(locale: str | None) -> str:
    """`zh` or `en`; anything else reads Chinese."""
    primary = (locale or "").lower().replace("_", "-").split("-")[0]
    return primary if primary in LANGUAGES else "zh"


def level_name(level: str, language: str) -> str:
    """提示/警告/严重/紧急, or Info/Warning/Critical/Urgent."""
    return _LEVELS[language_of(language)].get(level, level)


def render(type_: str, language: str | None, context: Mapping[str, Any], *, reason: str = "NEW") -> Text:
    """The text of one notification.

    `context` holds the facts and level, target_no, target_name; optionally `time_zone` (the reader's, for instants) and
    `rule_name`. `reason` is the notification's. Raises jinja2.UndefinedError when a needed fact is not there.
    """
    environment = _environment(language_of(language))
    facts = {"target_no": None, "target_name": None, "time_zone": "Asia/Shanghai", **context}
    text = _blocks(_template(environment, type_), facts)
    if "html" in _template(environment, type_).blocks:
        text = replace(text, html=_markup(_environment(language_of(language), html=True), type_, facts))
    if reason in ("ESCALATED", "UPGRADED", "RESOLVED"):
        around = environment.get_template(f"reasons/{reason}.{language_of(language)}.j2")
        text = _blocks(around, {**facts, "inner": text})
    return text


def render_html(language: str | None, text: Text, *, level: str, link: str | None, reference: str | None) -> str:
    """The same text as an HTML page for e-mail: autoescaped, so nothing of a fact becomes markup."""
    language = language_of(language)
    page = _environment(language, html=True).get_template(f"layout/email.{language}.html.j2")
    paragraphs = [line for line in text.body.splitlines() if line.strip()]
    return page.render(text=text, paragraphs=paragraphs, level=level, link=link, reference=reference)


def _blocks(template: Template, context: Mapping[str, Any]) -> Text:
    title, body, sms = (
        "".join(template.blocks[name](template.new_context(dict(context)))) for name in ("title", "body", "sms")
    )
    lines = (_one_line(line) for line in body.strip().splitlines())
    return Text(_cut(_one_line(title), TITLE_LENGTH), "\n".join(lines), _cut(_one_line(sms), SMS_LENGTH))


def _markup(environment: Environment, type_: str, context: Mapping[str, Any]) -> str:
    from markupsafe import Markup

    template = _template(environment, type_)
    made = "".join(template.blocks["html"](template.new_context(dict(context)))).splitlines()
    return Markup("\n".join(_one_line(line) for line in made))  # noqa: S704  the environment escaped it


def _one_line(text: str) -> str:
    # Control characters, and the ones that turn the direction of writing, may come from any name in the business data.
    return " ".join("".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text).split())


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _template(environment: Environment, type_: str) -> Template:
    language = environment.globals["language"]
    return environment.select_template([f"{type_}.{language}.j2", f"{type_}.zh.j2", f"ALERT.{language}.j2"])


@cache
def _environment(language: str, *, html: bool = False) -> Environment:
    # Imported here: a job's tick never renders (facts 10).
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=html,  # noqa: S701  plain text must not be escaped; the HTML form is
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(language=language, title_of=partial(_title_of, language))
    environment.filters.update(
        level=partial(level_name, language=language),
        day=partial(_day, language),
        moment=partial(_moment, language),
        number=_number,
        percent=lambda value, places=1: f"{_number(value, places)}%",
    )
    return environment


def _title_of(language: str, item: Mapping[str, Any]) -> str:
    """The title of one line of a digest."""
    return render(item["type"], language, {"level": item["level"], **item["facts"]}, reason=item["reason"]).title


def _day(language: str, value: str | date | None) -> str:
    """A business day: 2026年3月2日, 2 Mar 2026; an unknown one is a dash."""
    if value is None:
        return "—"
    if isinstance(value, str):
        value = date.fromisoformat(value[:10])
    if language == "zh":
        return f"{value.year}年{value.month}月{value.day}日"
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def _moment(language: str, value: str | datetime | None, time_zone: str = "Asia/Shanghai") -> str:
    """An instant in the reader's zone: 2026年3月2日 09:00, 2 Mar 2026 09:00."""
    if value is None:
        return "—"
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    local = instant.astimezone(ZoneInfo(time_zone))
    return f"{_day(language, local.date())} {local:%H:%M}"


def _number(value: str | int | float | Decimal | None, places: int = 2) -> str:
    """12,345.5: at most so many places, no trailing zeros."""
    if value is None:
        return "—"
    text = f"{Decimal(str(value)):,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
