from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from shared.rules.spec_match import Limits, Line, Requirement, best, judged, mismatch_level, normal, similarity
from tests.shared.rules.spec_cases import LEVELS, SCORES, TEXT, Case

LIMITS = Limits(threshold=80, unknown_below=50, text_similarity=80, name_similarity=60, tolerance=5)


def asked(**columns: Any) -> Requirement:
    plain = {
        "id": 1, "code": "LG-1", "name": "直线导轨", "specification": TEXT, "brand": None, "model": None, "parameters": {},
        "level": "REQUIRED",
    }  # fmt: skip
    return Requirement(**(plain | columns))


def line(**columns: Any) -> Line:
    return Line(**({"code": "LG-1", "name": "直线导轨", "specification": TEXT, "brand": None, "model": None} | columns))


@pytest.mark.parametrize("case", SCORES, ids=lambda c: c.name)
def test_score_and_status(case: Case) -> None:
    match = judged(line(**case.line), asked(**case.asked), LIMITS)
    assert match.score == (None if case.score is None else Decimal(case.score))
    assert match.status == case.status
    assert tuple(d["part"] for d in match.differences) == case.differences


@pytest.mark.parametrize(("requirement_level", "is_key", "level"), LEVELS)
def test_level(requirement_level: str, is_key: bool, level: str) -> None:
    assert mismatch_level(requirement_level, is_key=is_key) == level


def test_the_best_of_several_requirements_is_taken_and_of_equal_ones_the_older() -> None:
    known = [asked(id=1, specification="zzzz"), asked(id=3), asked(id=2), asked(id=4, specification="")]
    found = best(line(), known, LIMITS)
    assert found is not None
    assert (found.requirement.id, found.status) == (2, "MATCHED")


@pytest.mark.parametrize(("columns", "wanted"), [
    ({"code": "LG-1"}, 1),  # its own code, though the nameless one fits better
    ({"code": "LG-9"}, 2), ({"code": None}, 2), ({"code": None, "name": "直线导轨副"}, 2), ({"code": None, "name": "滚珠丝杠"}, None),
    ({"code": None, "name": None}, None),
])
def test_the_own_code_goes_before_a_similar_name(columns: dict[str, Any], wanted: int | None) -> None:
    known = [asked(id=1, specification="zzzz"), asked(id=2, code=None)]
    found = best(line(**columns), known, LIMITS)
    assert (found and found.requirement.id) == wanted


@pytest.mark.parametrize(("name", "candidate"), [("abcdefghij", True), ("abcdefWXYZ", True), ("abcdeVWXYZ", False)])
def test_names_are_similar_from_sixty_percent(name: str, candidate: bool) -> None:
    assert (best(line(code=None, name=name), [asked(code=None, name=TEXT)], LIMITS) is not None) is candidate


@pytest.mark.parametrize(("written", "form"), [
    ("ＨＧ20　精密级", "hg20精密级"), ("20×100 mm", "20x100mm"), ("0.75 kW", "750w"), ("750瓦", "750w"), ("1.5米", "1500mm"), ("10 Bar", "1mpa"),
    ("24V2A", "24v2a"), ("500mA", "0.5a"), ("M8", "m8"), ("3000 r/min", "3000rpm"), (None, ""), ("  ", ""), ("φ20", "φ20"), ("Ø20", "φ20"),
])
def test_texts_have_one_form(written: str | None, form: str) -> None:
    assert normal(written) == form


def test_similarity_is_exact() -> None:
    assert similarity("ab", "ac") == Fraction(1, 2)
    assert similarity("", "") == 1
