"""The levels of production plans, silent work orders and maintenance; the jobs' own tests run the same cases in SQL."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from shared.rules.maintenance import due_date, is_reminded, overdue_level
from shared.rules.production import elapsed_percent, plan_level, silence_ladder, start_ladder
from tests.factories import TODAY
from tests.shared.rules.production_cases import MAINTENANCE, PLAN_PARAMS, PLANS, SILENCE, UNBEGUN


@pytest.mark.parametrize(("status", "progress", "start", "end", "level"), PLANS)
def test_a_plan_is_told_by_its_end_and_by_its_line(status: str, progress: int, start: int, end: int, level: str | None) -> None:
    first, last = TODAY + timedelta(start), TODAY + timedelta(end)
    said = plan_level(status, Decimal(progress), first, last, TODAY, **PLAN_PARAMS, min_elapsed=20, start_grace_days=1)
    assert said == level


def test_a_plan_is_never_before_its_start_nor_after_its_end() -> None:
    first, last = date(2026, 3, 1), date(2026, 3, 5)
    days = [elapsed_percent(first, last, date(2026, 3, day)) for day in range(1, 8)]
    assert days == [0, 25, 50, 75, 100, 100, 100]
    assert elapsed_percent(first, last, date(2026, 2, 1)) == 0


@pytest.mark.parametrize(("hours", "level"), SILENCE)
def test_a_started_order_is_told_by_its_silent_hours(hours: str, level: str | None) -> None:
    assert silence_ladder(24, 72).answer(Decimal(hours)) == level


@pytest.mark.parametrize(("days", "level"), UNBEGUN)
def test_an_assigned_order_is_told_by_the_workdays_since_its_start(days: int, level: str | None) -> None:
    assert start_ladder(1).answer(days) == level


@pytest.mark.parametrize(("days", "is_key", "level"), MAINTENANCE)
def test_maintenance_is_told_by_its_days_overdue(days: int, is_key: bool, level: str | None) -> None:
    assert overdue_level(days, is_key=is_key, critical_days=7) == level


def test_reminders_go_on_their_days_only() -> None:
    assert [left for left in range(-2, 10) if is_reminded(left, (7, 3, 1, 0))] == [0, 1, 3, 7]


def test_a_due_date_is_the_planned_one_or_the_last_one_plus_the_cycle() -> None:
    first, later = date(2026, 1, 31), date(2026, 3, 2)
    assert due_date(later, first, 10) == later
    assert due_date(None, first, 30) == later
    assert (due_date(None, None, 30), due_date(None, first, None)) == (None, None)
