"""A project's progress; the job's own test runs the same cases in SQL."""

from datetime import date
from decimal import Decimal

import pytest

from shared.rules.progress import planned, progress
from tests.shared.rules.progress_cases import BEFORE, CASES, Task


@pytest.mark.parametrize(("tasks", "milestones", "expected"), CASES)
def test_progress_is_the_mean_of_the_tasks_else_the_share_of_milestones(
    tasks: list[Task], milestones: list[bool], expected: str
) -> None:
    work = [(status, percent, Decimal(weight)) for status, percent, weight in tasks]
    assert progress(work, milestones, Decimal(BEFORE)) == Decimal(expected)


@pytest.mark.parametrize(("day", "start", "end", "expected"), [
    (date(2026, 3, 2), date(2026, 3, 2), date(2026, 3, 12), "0"), (date(2026, 3, 5), date(2026, 3, 2), date(2026, 3, 12), "30"),
    (date(2026, 3, 4), date(2026, 3, 2), date(2026, 3, 5), "66.67"), (date(2026, 1, 1), date(2026, 3, 2), date(2026, 3, 12), "0"),
    (date(2026, 4, 1), date(2026, 3, 2), date(2026, 3, 12), "100"), (date(2026, 3, 2), date(2026, 3, 2), date(2026, 3, 2), None),
    (date(2026, 3, 2), date(2026, 3, 9), date(2026, 3, 2), None), (date(2026, 3, 2), None, date(2026, 3, 2), None), (date(2026, 3, 2), date(2026, 3, 2), None, None),
])  # fmt: skip
def test_the_plan_is_as_far_as_its_time_has_gone(day: date, start: date | None, end: date | None, expected: str | None) -> None:
    assert planned(day, start, end) == (expected and Decimal(expected))
