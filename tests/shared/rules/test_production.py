"""The levels of production plans, silent work orders and maintenance; the jobs' own tests run the same cases in SQL."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection, Integer, Numeric, literal, select

from shared.erp import ladders
from shared.rules.maintenance import due_date, is_reminded, overdue_level
from shared.rules.production import elapsed_percent, plan_level, silence_ladder, start_ladder
from tests.factories import TODAY
from tests.shared.rules.production_cases import (
    DUE_DATES,
    ELAPSED,
    MAINTENANCE,
    PLAN_PARAMS,
    PLANS,
    REMINDED,
    SILENCE,
    UNBEGUN,
)


@pytest.mark.parametrize(("status", "progress", "start", "end", "level"), PLANS)
def test_a_plan_is_told_by_its_end_and_by_its_line(status: str, progress: int, start: int, end: int, level: str | None) -> None:
    first, last = TODAY + timedelta(start), TODAY + timedelta(end)
    said = plan_level(status, Decimal(progress), first, last, TODAY, **PLAN_PARAMS, min_elapsed=20, start_grace_days=1)
    assert said == level


def test_a_plan_is_never_before_its_start_nor_after_its_end() -> None:
    for start, end, percent in ELAPSED:
        assert elapsed_percent(TODAY + timedelta(start), TODAY + timedelta(end), TODAY) == Decimal(percent), (start, end)


@pytest.mark.parametrize(("hours", "level"), SILENCE)
def test_a_started_order_is_told_by_its_silent_hours(hours: str, level: str | None) -> None:
    assert silence_ladder(24, 72).answer(Decimal(hours)) == level


@pytest.mark.parametrize(("days", "level"), UNBEGUN)
def test_an_assigned_order_is_told_by_the_workdays_since_its_start(days: int, level: str | None) -> None:
    assert start_ladder(1).answer(days) == level


def test_sql_tells_silent_and_unbegun_orders_by_the_same_cases(db: Connection) -> None:
    silent = [ladders.answer(silence_ladder(24, 72), literal(Decimal(hours), Numeric)) for hours, _ in SILENCE]
    unbegun = [ladders.answer(start_ladder(1), literal(days, Integer)) for days, _ in UNBEGUN]
    assert list(db.execute(select(*silent, *unbegun)).one()) == [level for _, level in [*SILENCE, *UNBEGUN]]


@pytest.mark.parametrize(("days", "is_key", "level"), MAINTENANCE)
def test_maintenance_is_told_by_its_days_overdue(days: int, is_key: bool, level: str | None) -> None:
    assert overdue_level(days, is_key=is_key, critical_days=7) == level


def test_reminders_go_on_their_days_only() -> None:
    assert [left for left, reminded in REMINDED if reminded] == [0, 1, 3, 7]
    assert all(is_reminded(left, (7, 3, 1, 0)) is reminded for left, reminded in REMINDED)


def test_a_due_date_is_the_planned_one_or_the_last_one_plus_the_cycle() -> None:
    for planned, last, cycle, due in DUE_DATES:
        assert due_date(planned, last, cycle) == due
