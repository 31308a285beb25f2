"""The levels of overdue and blocking issues; the jobs' own tests run the same cases in SQL."""

from decimal import Decimal

import pytest

from shared.rules.issues import blocking_level, overdue_level
from tests.shared.rules.issue_cases import BLOCKING, OVERDUE


@pytest.mark.parametrize(("days", "priority", "level"), OVERDUE)
def test_an_issue_is_told_by_its_days_overdue(days: int, priority: str, level: str | None) -> None:
    assert overdue_level(days, priority, warning_days=3, critical_days=7) == level


def test_an_issue_without_a_due_date_is_never_overdue() -> None:
    assert overdue_level(None, "URGENT", warning_days=3, critical_days=7) is None


@pytest.mark.parametrize(("minutes", "level"), BLOCKING)
def test_an_issue_is_told_by_the_hours_it_blocks(minutes: int, level: str) -> None:
    assert blocking_level(Decimal(minutes) / 60, critical_hours=24, urgent_hours=72) == level
