"""Does the table of the fault matrix tell the truth about tests of other files?"""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from tests.faults.matrix import ELSEWHERE, ROWS


@pytest.mark.parametrize("test", sorted({e.test for e in ELSEWHERE}))
def test_a_row_that_is_proved_elsewhere_names_a_test_that_exists(test: str) -> None:
    file, _, function = test.partition("::")
    assert f"def {function}(" in (ROOT / "tests" / file).read_text("utf-8")


def test_every_row_of_the_execution_side_has_a_test() -> None:
    here = "".join(path.read_text("utf-8") for path in (ROOT / "tests" / "faults").glob("test_*.py"))
    elsewhere = {e.row for e in ELSEWHERE}
    assert [row for row in ROWS if row not in elsewhere and not re.search(rf"fault\(\s*row={row},", here)] == []
