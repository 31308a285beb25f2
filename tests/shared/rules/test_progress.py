"""A project's progress; the job's own test runs the same cases in SQL."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from shared.rules.progress import planned, progress
from tests.factories import TODAY
from tests.shared.rules.progress_cases import BEFORE, CASES, PLANNED, Task


@pytest.mark.parametrize(("tasks", "milestones", "expected"), CASES)
def test_progress_is_the_mean_of_the_tasks_else_the_share_of_milestones(
    tasks: list[Task], milestones: list[bool], expected: str
) -> None:
    work = [(status, percent, Decimal(weight)) for status, percent, weight in tasks]
    assert progress(work, milestones, Decimal(BEFORE)) == Decimal(expected)


@pytest.mark.parametrize(("start", "end", "expected"), PLANNED)
def test_the_plan_is_as_far_as_its_time_has_gone(start: int | None, end: int | None, expected: str | None) -> None:
    def day(offset: int | None) -> date | None:
        return None if offset is None else TODAY + timedelta(offset)

    assert planned(TODAY, day(start), day(end)) == (expected and Decimal(expected))
