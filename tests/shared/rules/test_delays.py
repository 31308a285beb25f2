"""The level of a delay; the job's own test runs the same cases in SQL."""

import pytest

from shared.rules.delays import delay_level
from tests.shared.rules.delay_cases import CASES


@pytest.mark.parametrize(("days", "is_critical", "level"), CASES)
def test_a_delay_is_told_by_its_days(days: int | None, is_critical: bool, level: str | None) -> None:
    assert delay_level(days, is_critical=is_critical, critical_days=3, urgent_days=7) == level
