"""The levels of waiting engineering changes; the job's own test runs the same cases in SQL."""

import pytest

from shared.rules.ecns import ecn_ladder
from tests.shared.rules.ecn_cases import TASKS, WAITING


@pytest.mark.parametrize(("minutes", "level"), WAITING)
def test_what_waits_is_told_by_whole_days_past_its_due_time(minutes: int, level: str | None) -> None:
    assert (ecn_ladder(4, 8).answer(minutes // 1440) if minutes > 0 else None) == level


@pytest.mark.parametrize(("days", "level"), TASKS)
def test_a_task_is_told_by_its_days_past_the_planned_end(days: int, level: str | None) -> None:
    assert (ecn_ladder(4, 8).answer(days) if days > 0 else None) == level
