"""What a value of cron.yaml may be: one check a kind of value, each saying what is allowed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import time
from difflib import get_close_matches
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from shared.cronfile.positions import Node, Problem
from shared.unix_cron import Expression, ScheduleError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class FieldError(Exception):
    """A value is not one its field takes; says what is allowed."""

    def __init__(self, message: str, node: Node | None = None) -> None:
        super().__init__(message)
        self.node = node


class SectionError(Exception):
    """A nested section is wrong in the fields that the problems name."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__()
        self.problems = problems


Check = Callable[[Node], Any]


def shown(node: Node) -> str:
    """A value as an error may show it: short, and never a whole block."""
    if node.is_mapping or node.is_list:
        return "a mapping" if node.is_mapping else "a list"
    if node.value is None or isinstance(node.value, bool):
        return {None: "nothing", True: "true", False: "false"}[node.value]
    said = repr(node.value)
    return said if len(said) <= 60 else f"{said[:57]}..."


def boolean(node: Node) -> bool:
    if not isinstance(node.value, bool):
        raise FieldError(f"{shown(node)} is no boolean; write true or false, without quotes")
    return node.value


def integer(low: int, high: int) -> Check:
    allowed = f"a whole number from {low} to {high}, without quotes or unit" if low < high else str(low)

    def check(node: Node) -> int:
        if isinstance(node.value, bool) or not isinstance(node.value, int) or not low <= node.value <= high:
            raise FieldError(f"{shown(node)} is not allowed; write {allowed}")
        return node.value

    return check


def text(longest: int = 200) -> Check:
    def check(node: Node) -> str:
        if not isinstance(node.value, str) or not node.value.strip():
            raise FieldError(f"{shown(node)} is no text; write a string")
        if len(node.value) > longest:
            raise FieldError(f"{len(node.value)} characters; at most {longest} are allowed")
        return node.value.strip()

    return check


def one_of(*allowed: str) -> Check:
    def check(node: Node) -> str:
        if node.value not in allowed or not isinstance(node.value, str):
            raise FieldError(f"{shown(node)} is not allowed; write {listed(allowed)}{meant(node.value, allowed)}")
        return node.value

    return check


def duration(low: str, high: str) -> Check:
    def check(node: Node) -> int:
        seconds = _seconds(node.value) if isinstance(node.value, str) else None
        if seconds is None or not _of(low) <= seconds <= _of(high):
            raise FieldError(f"{shown(node)} is no duration from {low} to {high}; write it like 30s, 10m, 1h or 7d")
        return seconds

    return check


def _seconds(word: str) -> int | None:
    match = re.fullmatch(r"([1-9][0-9]{0,5}|0)([smhd])", word, re.ASCII)
    return int(match[1]) * _SECONDS[match[2]] if match else None


def _of(word: str) -> int:
    return int(word[:-1]) * _SECONDS[word[-1]]


def list_of(check_one: Check, most: int, *, unique: bool = True) -> Check:
    def check(node: Node) -> tuple[Any, ...]:
        if not node.is_list or not 1 <= len(node.value) <= most:
            raise FieldError(f"{shown(node)} is not allowed; write a list of 1 to {most} values in brackets")
        found: list[Any] = []
        for child in node.value:
            try:
                value = check_one(child)
            except FieldError as wrong:
                raise FieldError(str(wrong), wrong.node or child) from wrong
            if unique and value in found:
                raise FieldError(f"{shown(child)} is listed twice", child)
            found.append(value)
        return tuple(found)

    return check


def matching(pattern: str, says: str) -> Check:
    def check(node: Node) -> str:
        if not isinstance(node.value, str) or not re.fullmatch(pattern, node.value, re.ASCII):
            raise FieldError(f"{shown(node)} is not allowed; {says}")
        return node.value

    return check


def schedule(node: Node) -> str:
    if not isinstance(node.value, str):
        raise FieldError(f'{shown(node)} is no schedule; write five cron fields in quotes, like "0 9 * * 1-5"')
    try:
        return Expression.parse(node.value).text
    except ScheduleError as error:
        raise FieldError(str(error)) from error


@cache
def _zones() -> frozenset[str]:
    return frozenset(zone for zone in available_timezones() if "/" in zone or zone == "UTC")


def time_zone(node: Node) -> str:
    if node.value not in _zones() or not isinstance(node.value, str):
        by_lower = {zone.lower(): zone for zone in _zones()}
        right = by_lower.get(str(node.value).lower().replace(" ", "_"))
        near = f"; do you mean {right}?" if right else meant(node.value, _zones())
        raise FieldError(
            f"{shown(node)} is no IANA time zone; write it like Asia/Shanghai, capitals as they stand there{near}"
        )
    return node.value


def time_of_day(node: Node) -> time:
    if not isinstance(node.value, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", node.value, re.ASCII):
        raise FieldError(f'{shown(node)} is no time of day; write it in quotes from "00:00" to "23:59"')
    return time.fromisoformat(node.value)


def listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def meant(word: Any, allowed: Any) -> str:
    near = get_close_matches(word, allowed, n=1, cutoff=0.7) if isinstance(word, str) else []
    return f"; do you mean {near[0]}?" if near else ""


@dataclass(frozen=True)
class Field:
    check: Check
    required: bool = False


def section(fields: Mapping[str, Field], node: Node, where: str, problems: list[Problem]) -> dict[str, Any]:
    """The checked values of the fields that are present; every problem is added, with the field it concerns."""
    if not node.is_mapping:
        problems.append(
            Problem(node.line, node.column, where, f"{shown(node)} is not allowed; write a mapping of fields")
        )
        return {}
    found: dict[str, Any] = {}
    prefix = f"{where}." if where else ""
    for key, child in node.value.items():
        if key not in fields:
            hint = meant(key, fields) or f"; known are {', '.join(sorted(fields))}"
            problems.append(Problem(*node.keys[key], f"{prefix}{key}", f"is no field here{hint}"))
            continue
        try:
            found[key] = fields[key].check(child)
        except FieldError as wrong:
            at = wrong.node or child
            problems.append(Problem(at.line, at.column, f"{prefix}{key}", str(wrong)))
        except SectionError as wrong:
            problems += [replace(one, where=f"{prefix}{key}.{one.where}".rstrip(".")) for one in wrong.problems]
    for key, known in fields.items():
        if known.required and key not in node.value:
            problems.append(Problem(node.line, node.column, f"{prefix}{key}", "is missing"))
    return found


def mapping(fields: Mapping[str, Field]) -> Check:
    def check(node: Node) -> dict[str, Any]:
        problems: list[Problem] = []
        found = section(fields, node, "", problems)
        if problems:
            raise SectionError(problems)
        return found

    return check


def bilingual(longest: int) -> Check:
    return mapping({"zh": Field(text(longest), required=True), "en": Field(text(longest), required=True)})


def runbook(node: Node) -> str:
    """A link or a text; written in both languages it is both, one under the other."""
    if node.is_mapping:
        return "\n".join(bilingual(2000)(node)[language] for language in ("zh", "en"))
    return str(text(2000)(node))


def values(node: Node) -> dict[str, Any]:
    return dict(block(node).plain())


def block(node: Node) -> Node:
    """A mapping whose own fields are checked elsewhere."""
    if not node.is_mapping:
        raise FieldError(f"{shown(node)} is not allowed; write a mapping")
    return node
