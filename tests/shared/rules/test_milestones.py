"""The level of a milestone; the job's own test runs the same cases in SQL."""

import pytest

from shared.rules.milestones import milestone_level
from tests.shared.rules.milestone_cases import CASES


@pytest.mark.parametrize(("days", "is_key", "window", "level"), CASES)
def test_a_milestone_is_told_by_its_days(days: int, is_key: bool, window: int | None, level: str | None) -> None:
    remind = 3 if window is None else window
    assert milestone_level(-days, is_key=is_key, remind_days=remind, urgent_after_days=7) == level
