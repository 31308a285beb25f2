"""Job W5: days, weeks, months and quarters by the calendar, beside the period before, and again when sizes change."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.factories import Erp

JOB = "calculate_database_size_aggregations"
WEDNESDAY = date(2026, 3, 4)


def rows(db: Connection, table: str = "database_size_aggregations") -> list[Any]:
    return db.execute(text(f"select * from belfry.{table} order by period_type, period_start, instance_id")).all()


def row(db: Connection, kind: str, table: str = "database_size_aggregations") -> Any:
    (found,) = [r for r in rows(db, table) if r.period_type == kind]
    return found


def periods(db: Connection) -> list[tuple[str, str, str]]:
    return sorted({(r.period_type, str(r.period_start), str(r.period_end)) for r in rows(db)})


def at(day: str, clock: str = "04:00") -> str:
    return f"{day}T{clock}+08:00"


def fill(erp: Erp, first: str, last: str, size: int = 100, instance: int | None = None, databases: int = 1) -> int:
    """A point a day for one database, and the instance's total."""
    instance = instance or erp.db_instance()
    day = date.fromisoformat(first)
    while day <= date.fromisoformat(last):
        erp.database_size(instance, day, size)
        erp.instance_size(instance, day, size, databases)
        day += timedelta(days=1)
    return instance


# ---------------------------------------------------------------- what every job promises
def _arrange(erp: Erp, day: date) -> int:
    instance = erp.db_instance()
    erp.database_size(instance, day, 100)
    erp.instance_size(instance, day, 100)
    return instance


def _multiply(db: Connection, target: int, n: int) -> None:
    """More databases of the instance, on this day and the next."""
    db.execute(
        text("""insert into belfry.database_size_stats (instance_id, database_name, collected_date, size_mb, data_size_mb, collected_at)
          select :i, 'm' || c.n || '-' || g, s.collected_date + d, 7, 7, s.collected_at
          from (select * from belfry.database_size_stats where instance_id = :i and database_name = 'erp' limit 1) s,
            (select count(*) as n from belfry.database_size_stats) c, generate_series(1, :n) g, generate_series(0, 1) d"""),
        {"i": target, "n": n},
    )


CASES = [
    RowsJob(
        JOB, day=WEDNESDAY, clock="04:00", arrange=_arrange, multiply=_multiply,
        made=lambda db: [
            tuple(v for k, v in r._mapping.items() if k != "calculated_at")
            for table in ("database_size_aggregations", "instance_size_aggregations")
            for r in db.execute(text(f"select * from belfry.{table} order by 1, 2, 3, 4"))
        ],
        reasons={
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
                "all can be judged: sizes are whole and not below nothing by the table's own checks",
        },
    ),
]  # fmt: skip


# ---------------------------------------------------------------- which periods
@pytest.mark.parametrize(("day", "expected"), [
    ("2026-05-03", [("MONTHLY", "2026-04-01", "2026-04-30")]),
    ("2026-04-02", [("MONTHLY", "2026-03-01", "2026-03-31"), ("QUARTERLY", "2026-01-01", "2026-03-31")]),
    ("2026-03-02", [("MONTHLY", "2026-02-01", "2026-02-28"), ("WEEKLY", "2026-02-23", "2026-03-01")]),
    ("2026-01-05", [("QUARTERLY", "2025-10-01", "2025-12-31"), ("WEEKLY", "2025-12-29", "2026-01-04")]),
    ("2026-03-04", []),
])
def test_weeks_months_and_quarters_are_summed_up_when_they_are_over(
    day: str, expected: list[tuple[str, str, str]], db: Connection, perform: Perform
) -> None:
    last = date.fromisoformat(day)
    fill(Erp(db), str(last - timedelta(days=100)), day)
    perform(JOB, at(day), params={"look_back_days": 1}, kind="manual")
    assert [period for period in periods(db) if period[0] != "DAILY"] == expected
    assert ("DAILY", day, day) in periods(db)


@pytest.mark.parametrize("table", ["database_size_aggregations", "instance_size_aggregations"])
def test_the_quarter_of_may_is_compared_with_january_to_march(table: str, db: Connection, perform: Perform) -> None:
    """Its end is 31 March, not 28 February, for databases and for the totals of instances (D-59)."""
    erp = Erp(db)
    instance = fill(erp, "2026-01-01", "2026-02-28", 100)
    fill(erp, "2026-03-01", "2026-03-31", 200, instance)
    fill(erp, "2026-04-01", "2026-05-20", 150, instance)
    params = {"periods": ["QUARTERLY"], "include_current": True}
    perform(JOB, at("2026-05-20"), params=params, kind="manual")
    current = next(r for r in rows(db, table) if r.period_start == date(2026, 4, 1))
    past = next(r for r in rows(db, table) if r.period_start == date(2026, 1, 1))
    assert (past.period_end, past.data_count, past.expected_count) == (date(2026, 3, 31), 90, 90)
    mean = round(Decimal(59 * 100 + 31 * 200) / 90, 2)
    changed, percent = ("size_change_mb", "size_change_percent") if table.startswith("database") else ("total_change_mb", "total_change_percent")
    assert getattr(current, changed) == 150 - mean
    assert getattr(current, percent) == round((150 - mean) * 100 / mean, 2)


def test_before_the_first_quarter_comes_the_fourth(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    instance = fill(erp, "2025-10-01", "2025-12-31", 80)
    fill(erp, "2026-01-01", "2026-03-31", 100, instance)
    perform(JOB, at("2026-04-01"), params={"periods": ["QUARTERLY"], "look_back_days": 1}, kind="manual")
    found = row(db, "QUARTERLY")
    assert (str(found.period_start), found.size_change_mb, found.size_change_percent) == ("2026-01-01", 20, 25)
    assert (found.growth_rate, found.trend) == (25, "GROWING")


# ---------------------------------------------------------------- what is summed up
def test_averages_have_two_decimals_and_extremes_and_points_are_told(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    instance = erp.db_instance()
    for number, size in enumerate((100, 101, 103)):
        day = date(2026, 2, 23) + timedelta(days=number)
        erp.database_size(instance, day, size, data_size_mb=None if number == 2 else size - 50)
        erp.instance_size(instance, day, size, number + 1)
    perform(JOB, at("2026-03-02"), params={"periods": ["WEEKLY"]}, kind="manual")
    one = row(db, "WEEKLY")
    assert (one.avg_size_mb, one.max_size_mb, one.min_size_mb) == (Decimal("101.33"), 103, 100)
    assert (one.avg_data_size_mb, one.max_data_size_mb, one.min_data_size_mb) == (Decimal("50.50"), 51, 50)
    assert (one.data_count, one.expected_count, one.is_final) == (3, 7, False)
    whole = row(db, "WEEKLY", "instance_size_aggregations")
    assert (whole.avg_total_mb, whole.max_total_mb, whole.min_total_mb) == (Decimal("101.33"), 103, 100)
    assert (whole.avg_database_count, whole.max_database_count, whole.min_database_count) == (2, 3, 1)
    assert whole.avg_size_per_db_mb == Decimal("50.67")


@pytest.mark.parametrize(("before", "now", "change", "percent", "trend"), [
    (0, 10, 10, None, None), (0, 0, 0, None, None), (10, 0, -10, -100, "SHRINKING"), (100, 105, 5, 5, "STABLE"),
    (100, 106, 6, 6, "GROWING"), (100, 95, -5, -5, "STABLE"), (1, 1_000_000, 999_999, 99_999_900, "GROWING"),
    (None, 10, None, None, None),
])
def test_from_0_to_10_mb_there_is_no_percentage(
    before: int | None, now: int, change: int | None, percent: int | None, trend: str | None, db: Connection, perform: Perform
) -> None:
    """And one above 1000 does not overflow (D-47); without earlier data the change is unknown, not nothing."""
    erp = Erp(db)
    instance = erp.db_instance()
    if before is not None:
        fill(erp, "2026-03-03", "2026-03-03", before, instance)
    fill(erp, "2026-03-04", "2026-03-04", now, instance)
    perform(JOB, at("2026-03-04"), params={"look_back_days": 1, "periods": ["DAILY"]}, kind="manual")
    found = next(r for r in rows(db) if r.period_start == WEDNESDAY)
    assert (found.size_change_mb, found.size_change_percent, found.growth_rate, found.trend) == (change, percent, percent, trend)
    whole = next(r for r in rows(db, "instance_size_aggregations") if r.period_start == WEDNESDAY)
    assert (whole.total_change_mb, whole.total_change_percent, whole.trend) == (change, percent, trend)


def test_an_instance_that_was_deactivated_in_the_period_gets_its_row(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    fill(erp, "2026-02-02", "2026-02-10", 100, erp.db_instance(is_active=False))
    perform(JOB, at("2026-03-02"), params={"periods": ["MONTHLY"]}, kind="manual")
    assert (row(db, "MONTHLY").data_count, row(db, "MONTHLY", "instance_size_aggregations").data_count) == (9, 9)


def test_a_database_that_was_made_within_the_period_has_fewer_points(db: Connection, perform: Perform) -> None:
    fill(Erp(db), "2026-02-20", "2026-02-28")
    perform(JOB, at("2026-03-01"), params={"periods": ["MONTHLY"]}, kind="manual")
    found = row(db, "MONTHLY")
    assert (found.data_count, found.expected_count, found.is_final) == (9, 28, False)


@pytest.mark.parametrize(("day", "final"), [("2026-03-01", False), ("2026-03-02", False), ("2026-03-03", True)])
def test_a_period_with_points_missing_is_final_three_days_after_its_end(day: str, final: bool, db: Connection, perform: Perform) -> None:
    fill(Erp(db), "2026-02-20", "2026-02-28")
    perform(JOB, at("2026-03-01"))
    perform(JOB, at(day), kind="manual")
    assert row(db, "MONTHLY").is_final is final


def test_a_period_becomes_final_although_nothing_else_is_due(db: Connection, perform: Perform) -> None:
    fill(Erp(db), "2026-02-23", "2026-02-26")
    perform(JOB, at("2026-03-02"))
    assert row(db, "WEEKLY").is_final is False
    perform(JOB, at("2026-03-03"))
    assert row(db, "WEEKLY").is_final is False
    perform(JOB, at("2026-03-04"))
    assert row(db, "WEEKLY").is_final is True


# ---------------------------------------------------------------- again
def test_a_past_period_whose_sizes_changed_is_summed_up_again(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    instance = fill(erp, "2026-02-01", "2026-03-01")
    perform(JOB, at("2026-03-02"))
    assert row(db, "MONTHLY").avg_size_mb == 100
    db.execute(text("update belfry.database_size_stats set size_mb = 380 where collected_date = '2026-02-10'"))
    db.execute(text("""update belfry.instance_size_stats set total_size_mb = 380, collected_at = '2026-03-05T10:00+08:00'
        where collected_date = '2026-02-10'"""))
    answer = perform(JOB, at("2026-03-11"))
    assert row(db, "MONTHLY").avg_size_mb == 110
    assert row(db, "MONTHLY", "instance_size_aggregations").avg_total_mb == 110
    assert answer["counters"]["periods"] == 4, "today, that day, its week and its month"
    assert instance


def test_what_says_the_same_is_not_written(db: Connection, perform: Perform) -> None:
    fill(Erp(db), "2026-02-20", "2026-03-02")
    assert perform(JOB, at("2026-03-02"))["counters"]["written"] > 0
    before = rows(db)
    answer = perform(JOB, at("2026-03-02", "09:00"), kind="manual")
    assert (answer["counters"]["written"], rows(db)) == (0, before)


def test_days_that_were_never_summed_up_are_caught_up(db: Connection, perform: Perform) -> None:
    fill(Erp(db), "2026-02-25", "2026-03-04")
    answer = perform(JOB, at("2026-03-04"))
    assert {start for kind, start, _ in periods(db) if kind == "DAILY"} == {
        f"2026-{m:02}-{d:02}" for m, d in ((2, 25), (2, 26), (2, 27), (2, 28), (3, 1), (3, 2), (3, 3), (3, 4))
    }  # fmt: skip
    assert answer["counters"]["periods"] == 10


@pytest.mark.parametrize("periods", [["YEARLY"], ["daily"], [], ["DAILY", "X"], "DAILY"])
def test_an_unknown_period_is_refused(periods: Any, db: Connection, perform: Perform) -> None:
    answer = perform(JOB, at("2026-03-04"), params={"periods": periods}, kind="manual")
    assert (answer["http_status"], answer["error"]["code"]) == (400, "invalid_params")


def test_only_the_periods_asked_for_are_summed_up(db: Connection, perform: Perform) -> None:
    fill(Erp(db), "2026-01-01", "2026-03-02")
    perform(JOB, at("2026-03-02"), params={"periods": ["WEEKLY"], "look_back_days": 8}, kind="manual")
    assert periods(db) == [("WEEKLY", "2026-02-23", "2026-03-01")]


def test_the_number_of_commits_is_one(db: Connection, perform: Perform) -> None:
    """Upstream committed once a database, 20,000 times a night (D-43)."""
    instance = _arrange(Erp(db), WEDNESDAY)
    _multiply(db, instance, 500)
    perform(JOB, at("2026-03-04"))
    written = text("select count(distinct xmin::text) from belfry.database_size_aggregations")
    assert db.execute(written).scalar_one() == 1
