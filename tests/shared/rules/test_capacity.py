"""Periods are the calendar's, sizes are rounded half up, growth needs both its limits."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import BigInteger, Connection, literal, select, text

from shared.databases import aggregations as sums
from shared.databases import sizes
from shared.rules import capacity
from tests.factories import Erp
from tests.shared.rules.capacity_cases import CHANGES, FINAL, GROWTH

MB = 1024 * 1024
WEEK = capacity.period("WEEKLY", date(2026, 3, 1))


@pytest.mark.parametrize(("size", "mb"), [(0, 0), (MB // 2 - 1, 0), (MB // 2, 1), (MB, 1), (MB * 3 // 2 - 1, 1), (MB * 3 // 2, 2)])
def test_megabytes_are_rounded_half_up(size: int, mb: int) -> None:
    assert capacity.megabytes(size) == mb


@pytest.mark.parametrize(("before", "now", "fast"), GROWTH)
def test_growth_needs_its_share_and_its_size(before: int | None, now: int, fast: bool) -> None:
    assert capacity.grew_fast(before, now, 30, 20) is fast


def test_the_expression_says_the_same(db: Connection) -> None:
    for before, now, fast in GROWTH:
        column: Any = literal(before, BigInteger)
        said = db.execute(select(sizes.reaches(literal(now, BigInteger) - column, column, 30, 20))).scalar_one()
        assert bool(said) is fast, (before, now)


@pytest.mark.parametrize(("kind", "day", "start", "end"), [
    ("DAILY", "2026-03-02", "2026-03-02", "2026-03-02"),
    ("WEEKLY", "2026-03-02", "2026-03-02", "2026-03-08"), ("WEEKLY", "2026-03-08", "2026-03-02", "2026-03-08"),
    ("WEEKLY", "2026-01-01", "2025-12-29", "2026-01-04"), ("MONTHLY", "2028-02-11", "2028-02-01", "2028-02-29"),
    ("MONTHLY", "2025-12-31", "2025-12-01", "2025-12-31"), ("QUARTERLY", "2026-01-01", "2026-01-01", "2026-03-31"),
    ("QUARTERLY", "2026-05-15", "2026-04-01", "2026-06-30"), ("QUARTERLY", "2026-12-31", "2026-10-01", "2026-12-31"),
])
def test_a_period_is_the_calendar_s(kind: str, day: str, start: str, end: str) -> None:
    found = capacity.period(kind, date.fromisoformat(day))
    assert (str(found.start), str(found.end)) == (start, end)


@pytest.mark.parametrize(("kind", "day", "start", "end"), [
    ("QUARTERLY", "2026-05-20", "2026-01-01", "2026-03-31"),  # the end is the quarter's, not a month short (D-59)
    ("QUARTERLY", "2026-02-10", "2025-10-01", "2025-12-31"),  # before Q1 comes Q4
    ("MONTHLY", "2026-03-31", "2026-02-01", "2026-02-28"), ("MONTHLY", "2026-01-05", "2025-12-01", "2025-12-31"),
    ("WEEKLY", "2026-01-07", "2025-12-29", "2026-01-04"), ("DAILY", "2026-03-01", "2026-02-28", "2026-02-28"),
])
def test_the_period_before_is_by_calendar_and_not_by_length(kind: str, day: str, start: str, end: str) -> None:
    found = capacity.previous(capacity.period(kind, date.fromisoformat(day)))
    assert (str(found.start), str(found.end)) == (start, end)


@pytest.mark.parametrize(("day", "due"), [
    ("2026-03-04", ["DAILY 2026-03-04"]),
    ("2026-03-02", ["DAILY 2026-03-02", "WEEKLY 2026-02-23", "MONTHLY 2026-02-01"]),
    ("2026-03-03", ["DAILY 2026-03-03", "MONTHLY 2026-02-01"]),
    ("2026-04-05", ["DAILY 2026-04-05", "QUARTERLY 2026-01-01"]),
    ("2026-04-06", ["DAILY 2026-04-06", "WEEKLY 2026-03-30"]),
    ("2026-01-01", ["DAILY 2026-01-01", "MONTHLY 2025-12-01", "QUARTERLY 2025-10-01"]),
    ("2026-06-01", ["DAILY 2026-06-01", "WEEKLY 2026-05-25", "MONTHLY 2026-05-01"]),
])
def test_weeks_are_due_on_mondays_months_until_the_3rd_quarters_until_the_5th(day: str, due: list[str]) -> None:
    assert [f"{p.kind} {p.start}" for p in capacity.due(date.fromisoformat(day), capacity.KINDS)] == due


def test_current_periods_are_due_every_day_when_asked_for() -> None:
    found = capacity.due(date(2026, 3, 4), ["WEEKLY", "QUARTERLY"], include_current=True)
    assert [f"{p.kind} {p.start}" for p in found] == ["WEEKLY 2026-03-02", "QUARTERLY 2026-01-01"]


@pytest.mark.parametrize(("points", "day", "final"), FINAL)
def test_a_sum_is_final_when_it_is_whole_or_three_days_old(points: int, day: str, final: bool) -> None:
    assert capacity.is_final(WEEK, points, date.fromisoformat(day)) is final


def test_the_sums_of_databases_and_instances_are_final_by_the_same_cases(db: Connection) -> None:
    erp, ids = Erp(db), {}
    for points in {points for points, *_ in FINAL}:
        ids[points] = erp.db_instance()
        for number in range(points):
            erp.database_size(ids[points], WEEK.start + timedelta(days=number), 5, database_name="shop")
            erp.instance_size(ids[points], WEEK.start + timedelta(days=number), 5)
    for points, day, final in FINAL:
        for statement, table in ((sums.databases, "database_size_aggregations"), (sums.instances, "instance_size_aggregations")):
            db.execute(statement(WEEK, date.fromisoformat(day)))
            said = db.execute(text(f"select is_final from belfry.{table} where instance_id = :id"), {"id": ids[points]}).scalar_one()
            assert said is final, (points, day, table)


@pytest.mark.parametrize(("now", "before", "percent", "trend"), CHANGES)
def test_from_nothing_there_is_no_percentage(now: int, before: int | None, percent: str | None, trend: str | None) -> None:
    """And one above 1000 is no error (D-47)."""
    found = capacity.percent_of_change(Decimal(now), None if before is None else Decimal(before))
    assert found == (None if percent is None else Decimal(percent))
    assert capacity.trend(found) == trend


def test_the_sums_of_databases_and_instances_change_by_the_same_cases(db: Connection) -> None:
    """A database and an instance a case, measured yesterday and today."""
    erp, today, expected = Erp(db), capacity.period("DAILY", date(2026, 3, 2)), {}
    for now, before, percent, trend in CHANGES:
        instance = erp.db_instance()
        expected[instance] = (None if percent is None else Decimal(percent), trend)
        for day, size in ((today.start, now), (capacity.previous(today).start, before)):
            if size is not None:
                erp.database_size(instance, day, size, database_name="shop")
                erp.instance_size(instance, day, size)
    for statement, columns in (
        (sums.databases, "instance_id, size_change_percent, trend from belfry.database_size_aggregations"),
        (sums.instances, "instance_id, total_change_percent, trend from belfry.instance_size_aggregations"),
    ):
        db.execute(statement(today, today.start))
        assert {row[0]: tuple(row[1:]) for row in db.execute(text(f"select {columns}"))} == expected
