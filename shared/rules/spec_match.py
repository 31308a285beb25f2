"""Does a line have what its project's contract asks for, and how nearly? (rulebook 6.3, job 3)

Weighted over the parts that both can be asked for: text of the specification, brand, model, key parameters. Everything
is compared in one form: case, full-width characters, units and blanks make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from difflib import SequenceMatcher
from fractions import Fraction
from functools import lru_cache
from typing import Any

WEIGHTS = {"specification": 50, "brand": 20, "model": 20, "parameters": 10}
MATCHED, MISMATCHED, UNKNOWN = "MATCHED", "MISMATCHED", "UNKNOWN"
NOTHING = Decimal("0.01")  # how far from a required zero is still zero

_BASE = {  # how much of its base unit is one
    "mm": (("um", "0.001"), ("μm", "0.001"), ("mm", "1"), ("毫米", "1"), ("cm", "10"), ("厘米", "10"), ("m", "1000"),
           ("米", "1000")),
    "w": (("w", "1"), ("瓦", "1"), ("kw", "1000"), ("千瓦", "1000")),
    "v": (("mv", "0.001"), ("v", "1"), ("伏", "1"), ("kv", "1000")),
    "a": (("ma", "0.001"), ("a", "1"), ("安", "1")),
    "g": (("g", "1"), ("克", "1"), ("kg", "1000"), ("千克", "1000"), ("公斤", "1000")),
    "mpa": (("kpa", "0.001"), ("bar", "0.1"), ("mpa", "1"), ("兆帕", "1")),
    "hz": (("hz", "1"), ("khz", "1000")),
    "rpm": (("rpm", "1"), ("r/min", "1"), ("转/分", "1")),
}  # fmt: skip
_UNITS = {unit: (base, Decimal(factor)) for base, units in _BASE.items() for unit, factor in units}
_QUANTITY = re.compile(
    rf"(?<![\d.])(\d+(?:\.\d+)?)\s*({'|'.join(re.escape(u) for u in sorted(_UNITS, key=len, reverse=True))})(?![a-zμ])"
)
_SAME = str.maketrans({"×": "x", "*": "x", "✕": "x", "ø": "φ", "⌀": "φ", ",": " ", ";": " ", "、": " "})


@dataclass(frozen=True)
class Limits:
    """Percentages: the score that is enough, the one below which one look says nothing, and what counts as equal."""

    threshold: int
    unknown_below: int
    text_similarity: int
    name_similarity: int
    tolerance: int


@dataclass(frozen=True)
class Requirement:
    """What the contract asks of a material; without a code it is meant for materials of a similar name."""

    id: int
    code: str | None
    name: str
    specification: str | None
    brand: str | None
    model: str | None
    parameters: Mapping[str, str | int | float]
    level: str


@dataclass(frozen=True)
class Line:
    """What is bought or built in."""

    code: str | None
    name: str | None
    specification: str | None
    brand: str | None
    model: str | None


@dataclass(frozen=True)
class Match:
    """The requirement that fits best, how well, and what speaks against it; no score: nothing to compare."""

    requirement: Requirement
    status: str
    score: Decimal | None
    differences: tuple[Mapping[str, Any], ...]


def best(line: Line, requirements: Iterable[Requirement], limits: Limits) -> Match | None:
    """The best of the requirements that could be meant; None when there is none. Of equal ones, the older."""
    matches = [judged(line, requirement, limits) for requirement in candidates(line, requirements, limits)]
    return max(matches, key=lambda m: (-1 if m.score is None else m.score, -m.requirement.id), default=None)


def candidates(line: Line, requirements: Iterable[Requirement], limits: Limits) -> Sequence[Requirement]:
    """Those of the line's own code; without any, those without a code whose name is similar."""
    known = list(requirements)
    own = [r for r in known if r.code and r.code == line.code]
    if own or not line.name:
        return own
    name, enough = normal(line.name), Fraction(limits.name_similarity, 100)
    return [r for r in known if not r.code and similarity(normal(r.name), name) >= enough]


def judged(line: Line, requirement: Requirement, limits: Limits) -> Match:
    """Score, status and differences of one line against one requirement."""
    parts: dict[str, Fraction] = {}
    differences: list[Mapping[str, Any]] = []
    compared = 0
    required, actual = normal(requirement.specification), normal(line.specification)
    if required and actual:
        compared += 1
        parts["specification"] = similarity(required, actual)
        if parts["specification"] < Fraction(limits.text_similarity, 100):
            alike = {"similarity": round(float(parts["specification"]) * 100)}
            differences.append(_differs("specification", requirement.specification, line.specification, **alike))
    for part, wanted, given in (
        ("brand", requirement.brand, line.brand), ("model", requirement.model, line.model),
    ):  # fmt: skip
        if normal(wanted):
            compared += bool(normal(given))
            parts[part] = Fraction(normal(wanted) == normal(given))
            if not parts[part]:
                differences.append(_differs(part, wanted, given))
    spoken = _spaced(line.specification)
    found = [(name, value, _stated(name, value, spoken)) for name, value in sorted(requirement.parameters.items())]
    known = [(name, value, said) for name, value, said in found if said is not None]
    if known:
        compared += 1
        wrong = [one for one in known if not _fits(one[1], one[2], limits.tolerance)]
        parts["parameters"] = Fraction(len(known) - len(wrong), len(known))
        differences += [_differs("parameters", value, said, name=name) for name, value, said in wrong]
    return _answer(requirement, parts, differences, compared, bool(actual), limits)


def _answer(
    requirement: Requirement, parts: Mapping[str, Fraction], differences: list[Mapping[str, Any]], compared: int,
    has_text: bool, limits: Limits,
) -> Match:  # fmt: skip
    if not parts:
        return Match(requirement, UNKNOWN, None, ())
    weight = sum(WEIGHTS[part] for part in parts)
    exact = sum(WEIGHTS[part] * value for part, value in parts.items()) / Fraction(weight) * 100
    score = (Decimal(exact.numerator) / exact.denominator).quantize(Decimal("0.01"), ROUND_HALF_UP)
    status = _status(exact, requirement, differences, compared, has_text, limits)
    return Match(requirement, status, score, tuple(differences))


def _status(
    score: Fraction, requirement: Requirement, differences: Sequence[Any], compared: int, has_text: bool, limits: Limits
) -> str:
    if not has_text:  # nobody wrote down what it is
        return UNKNOWN
    if score < limits.unknown_below:  # bad, but from one look alone nothing is said
        return MISMATCHED if normal(requirement.specification) and compared > 1 else UNKNOWN
    if score < limits.threshold or (differences and requirement.level == "STRICT"):
        return MISMATCHED
    return MATCHED


def mismatch_level(requirement_level: str, *, is_key: bool) -> str:
    """How loudly a mismatch is said: a strict requirement and a key material more."""
    return "CRITICAL" if requirement_level == "STRICT" or is_key else "WARNING"


@lru_cache(maxsize=1 << 16)
def normal(text: str | None) -> str:
    """One form of a text: no case, no full width, no blanks, quantities in base units (0.75 kW is 750w)."""
    return _spaced(text).replace(" ", "")


@lru_cache(maxsize=1 << 16)
def _spaced(text: str | None) -> str:
    """The same, with one blank where there are some: two numbers stay two."""
    plain = unicodedata.normalize("NFKC", text or "").casefold().translate(_SAME)
    return " ".join(_QUANTITY.sub(lambda found: _in_base(found[1], found[2]), plain).split())


@lru_cache(maxsize=1 << 16)
def similarity(one: str, other: str) -> Fraction:
    """0 to 1: the share of two texts that stands in both in the same order."""
    if one == other:
        return Fraction(1)
    same = sum(block.size for block in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks())
    return Fraction(2 * same, len(one) + len(other))


def _in_base(number: str, unit: str) -> str:
    base, factor = _UNITS[unit]
    return f"{_plain(Decimal(number) * factor)}{base} "


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


def _quantity(value: str | int | float) -> tuple[Decimal, str] | None:
    """A number and its base unit, none of either when the value is a word."""
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)([a-zμ/%°]*)", normal(str(value)))
    return (Decimal(found[1]), found[2]) if found else None


def _stated(name: str, value: str | int | float, text: str) -> str | None:
    """What a normalised specification says of a parameter, by its name, else by its unit; None: nothing."""
    wanted, called = _quantity(value), re.escape(_spaced(name))
    if wanted is None:
        if normal(str(value)) in text.replace(" ", ""):
            return normal(str(value))
        named = re.search(rf"{called} ?[:=为] ?([^:= ]+)", text)
        return named[1] if named else None
    number, unit = wanted
    named = re.search(rf"{called} ?[:=为]? ?(-?\d+(?:\.\d+)?){re.escape(unit)}", text)
    if named:
        return named[1] + unit
    given = re.findall(rf"(?<![\d.])(\d+(?:\.\d+)?){re.escape(unit)}(?![a-z])", text) if unit else []
    return str(min(given, key=lambda one: abs(Decimal(one) - number))) + unit if given else None


def _fits(value: str | int | float, said: str, tolerance: int) -> bool:
    wanted, given = _quantity(value), _quantity(said)
    if wanted is None or given is None:
        return normal(str(value)) == said
    return abs(given[0] - wanted[0]) <= max(abs(wanted[0]) * tolerance / 100, NOTHING if not wanted[0] else Decimal(0))


def _differs(part: str, required: Any, actual: Any, **more: Any) -> Mapping[str, Any]:
    return {"part": part, "required": required, "actual": actual, **more}
