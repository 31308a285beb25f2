"""Is each boundary of rulebook 9.2 proved? Every case of boundaries.yaml names the test that does it.

What is renamed or taken away without a word there fails; whether the test is right is the test's own business.
"""

from __future__ import annotations

import ast
from functools import cache

import pytest
import yaml

from tests.conftest import ROOT

TESTS = ROOT / "tests"
LINES = yaml.safe_load((TESTS / "functions/boundaries.yaml").read_text("utf-8"))
CASES = [pytest.param(case, id=f"{line}: {case['case']}") for line, cases in LINES.items() for case in cases]


@cache
def _tests_of(file: str) -> dict[str, str]:
    """The tests of a file, each with its parameters and its text."""
    source = (TESTS / file).read_text("utf-8")
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            begins = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found[node.name] = "\n".join(source.splitlines()[begins - 1 : node.end_lineno])
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_case_is_proved(case: dict[str, str]) -> None:
    file, _, name = case["test"].partition("::")
    tests = _tests_of(file)
    assert name in tests, f"{file} has no {name}"
    where = (TESTS / case["table"]).read_text("utf-8") if "table" in case else tests[name]
    assert case.get("words", "") in where, f"{case.get('table', case['test'])} does not ask {case['words']}"


def test_every_line_of_the_boundaries_is_there() -> None:
    numbers = "1 3 5 7/34 9/10 11 12 14 15 16 17 18 19/21 20 22/23 24 25 27 29/30 31 32/33 35 36 37 T1-T4 W1-W6 M1-M3"
    assert list(LINES) == numbers.split()
