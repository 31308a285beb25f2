"""When an issue is due, and what it becomes; the jobs' own tests run the same cases in SQL."""

from datetime import timedelta

import pytest

from shared.rules.issue_escalation import Step, is_due, next_step
from tests.shared.rules.issue_escalation_cases import FORGOTTEN, LIMITS, TOO_OLD

WEEK, DAY = timedelta(days=7), timedelta(days=1)


def minutes(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(minutes=number)


@pytest.mark.parametrize(("priority", "tier", "untouched", "last", "becomes"), FORGOTTEN)
def test_a_forgotten_issue_moves_once_a_week(
    priority: str, tier: int, untouched: int, last: int | None, becomes: Step | None
) -> None:
    due = is_due(timedelta(minutes=untouched), WEEK, minutes(last), WEEK)
    assert (next_step(priority, tier) if due else None) == becomes


@pytest.mark.parametrize(("priority", "tier", "age", "last", "becomes"), TOO_OLD)
def test_an_old_issue_moves_by_its_priority_and_once_a_night(
    priority: str, tier: int, age: int, last: int | None, becomes: Step | None
) -> None:
    due = is_due(timedelta(minutes=age), timedelta(days=LIMITS[priority]), minutes(last), DAY)
    assert (next_step(priority, tier) if due else None) == becomes
