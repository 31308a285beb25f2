"""Job W1: what is missing is made, all tables are looked at, and what is still wrong is told with its level."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.databases.partitions import PARENTS
from tests.acceptance.cases import AlertJob
from tests.conftest import Perform
from tests.evidence import alerts
from tests.factories import Erp

JOB = "monitor_partition_health"
NIGHT = "2026-03-02T00:30+08:00"
SIZES = "belfry.database_size_stats"


def months(db: Connection, parent: str = SIZES) -> list[str]:
    query = "select right(short_name, 7) from belfry.v_partitions where parent_table = :p and not is_default order by 1"
    return list(db.execute(text(query), {"p": parent}).scalars())


def levels(db: Connection) -> dict[str, str]:
    return {a["target_no"]: a["base_level"] for a in alerts(db) if a["status"] == "PENDING"}


def found(db: Connection) -> list[str]:
    return [problem["code"] for a in alerts(db) if a["status"] == "PENDING" for problem in a["facts"]["problems"]]


def occupy(db: Connection, name: str) -> None:
    """A table that is no partition bears the name of one."""
    db.execute(text(f"drop table if exists belfry.{name}"))
    db.execute(text(f"create table belfry.{name} (x int)"))


# ---------------------------------------------------------------- what every job promises
def _violate(erp: Erp, day: date) -> Any:
    erp.database_size(erp.db_instance(), date(1999, 1, 5), 10)  # a target of this rule is a table and has no number


def _clear(db: Connection, target: Any) -> None:
    db.execute(text("delete from belfry.database_size_stats_default"))


def _worsen(db: Connection, target: Any) -> None:
    occupy(db, "database_size_stats_2026_03")


def _spoil(erp: Erp, day: date) -> str:
    erp.conn.execute(text("""create table belfry.instance_size_stats_old partition of belfry.instance_size_stats
        for values from (minvalue) to ('1990-01-01')"""))
    return "PARTITION"


_FEW = "few rows: five tables, whatever they hold"
CASES = [
    AlertJob(
        JOB, "PARTITION_MISSING", clock="00:30", violate=_violate, clear=_clear, worsen=_worsen, spoil=_spoil,
        multiply=lambda db, target, n: None,
        reasons={
            "the_number_of_statements_does_not_depend_on_the_rows": _FEW,
            "fifty_thousand_rows_are_done_within_the_jobs_timeout": _FEW,
            "the_business_day_begins_at_local_midnight":
                "proved by test_the_month_begins_at_local_midnight: partitions know no day but the first of a month",
        },
    ),
]  # fmt: skip


# ---------------------------------------------------------------- what is made
def test_every_table_gets_this_month_and_the_next_three(db: Connection, perform: Perform) -> None:
    """All of them, not one of four (D-60)."""
    answer = perform(JOB, NIGHT)
    there = [parent for parent in PARENTS if months(db, parent)]
    assert set(there) >= {parent for parent in PARENTS if parent.startswith("belfry.")}
    assert (answer["state"], answer["counters"]["checked"], answer["counters"]["partitions"]) == (
        "succeeded", len(there), 4 * len(there),
    )  # fmt: skip
    for parent in there:
        assert months(db, parent) == ["2026_03", "2026_04", "2026_05", "2026_06"]
    assert alerts(db) == []


def test_the_month_begins_at_local_midnight(db: Connection, perform: Perform) -> None:
    perform(JOB, "2026-02-28T23:55+08:00", kind="manual")
    assert months(db) == ["2026_02", "2026_03", "2026_04", "2026_05"]
    perform(JOB, "2026-03-01T00:05+08:00", kind="manual")
    assert months(db)[-1] == "2026_06"


def test_the_31_december_run_makes_january_to_march(db: Connection, perform: Perform) -> None:
    perform(JOB, "2025-12-31T00:30+08:00")
    assert months(db) == ["2025_12", "2026_01", "2026_02", "2026_03"]


def test_a_year_s_partition_covers_its_months(db: Connection, perform: Perform) -> None:
    db.execute(text(f"create table belfry.year partition of {SIZES} for values from ('2026-01-01') to ('2027-01-01')"))
    assert perform(JOB, NIGHT)["state"] == "succeeded"
    assert (months(db), alerts(db)) == (["year"], [])


# ---------------------------------------------------------------- what is told
@pytest.mark.parametrize(("month", "level"), [("03", "URGENT"), ("04", "CRITICAL"), ("05", "WARNING"), ("06", "WARNING")])
def test_a_month_that_cannot_be_made_is_told_by_how_soon_it_is_needed(
    month: str, level: str, db: Connection, perform: Perform
) -> None:
    occupy(db, f"database_size_stats_2026_{month}")
    answer = perform(JOB, NIGHT)
    assert (answer["state"], levels(db)) == ("partial", {SIZES: level})
    (alert,) = alerts(db)
    missing = [p for p in alert["facts"]["problems"] if p["code"] == "MISSING"]
    assert [(p["month"], p["error"]) for p in missing] == [
        (f"2026-{month}-01", f"belfry.database_size_stats_2026_{month} is there and is not a partition of it")
    ]
    assert len(months(db)) == 3, "the others are made"
    assert len(months(db, "belfry.instance_size_stats")) == 4


def test_the_error_is_not_hidden(db: Connection, perform: Perform) -> None:
    """Upstream returned it as a value nobody read (D-60)."""
    occupy(db, "instance_size_stats_2026_04")
    perform(JOB, NIGHT)
    (item,) = db.execute(text("select item_key, error from belfry.execution_items where status = 'failed'")).all()
    assert item.item_key == "belfry.instance_size_stats 2026-04"
    assert "is not a partition" in item.error


def test_the_alert_ends_when_the_month_can_be_made(db: Connection, perform: Perform) -> None:
    occupy(db, "database_size_stats_2026_03")
    perform(JOB, NIGHT)
    db.execute(text("drop table belfry.database_size_stats_2026_03"))
    answer = perform(JOB, "2026-03-03T00:30+08:00")
    assert (answer["state"], answer["counters"]["partitions"], levels(db)) == ("succeeded", 1, {})


def test_rows_in_the_default_partition_are_a_warning(db: Connection, perform: Perform) -> None:
    Erp(db).database_size(1, date(1999, 1, 5), 1)
    perform(JOB, NIGHT)
    assert (levels(db), found(db)) == ({SIZES: "WARNING"}, ["DEFAULT_ROWS"])


def test_a_partition_that_is_too_large_is_a_warning(db: Connection, perform: Perform) -> None:
    """The limit is made small instead of the partition large: nothing is below -1 GB."""
    perform(JOB, NIGHT)
    db.execute(text("""update belfry.jobs set override_params = '{"ahead_months": 3, "largest_gb": -1}' where job_id = :j"""), {"j": JOB})
    perform(JOB, "2026-03-03T00:30+08:00")
    assert set(found(db)) == {"TOO_LARGE"}
    assert set(levels(db).values()) == {"WARNING"}


@pytest.mark.parametrize(("name", "codes"), [
    ("database_size_stats_2025_01", ["STRAY"]), ("databaseXsize_stats_2025_01", []), ("database_size_statsX2025_01", []),
    ("database_size_stats_2025_013", []), ("database_size_stats_backup", []),
])
def test_a_table_that_bears_a_partition_s_name_is_told_and_no_other(
    name: str, codes: list[str], db: Connection, perform: Perform
) -> None:
    """`_` is no wildcard (D-60)."""
    db.execute(text(f'create table belfry."{name}" (x int)'))
    perform(JOB, NIGHT)
    assert found(db) == codes


def test_a_detached_partition_of_the_registry_is_no_stray(db: Connection, perform: Perform) -> None:
    name = Erp(db).partition(date(2025, 1, 1))
    perform(JOB, NIGHT)
    db.execute(text(f"alter table {SIZES} detach partition {name}"))
    db.execute(text("update belfry.partition_registry set status = 'DETACHED' where partition_name = :n"), {"n": name})
    perform(JOB, NIGHT, kind="manual")
    assert "STRAY" not in found(db)


def test_a_gap_between_months_and_a_partition_that_vanished_are_told(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    for month in (11, 12):
        erp.partition(date(2025, month, 1))
    perform(JOB, NIGHT)
    assert found(db) == ["GAP", "GAP"]
    db.execute(text("drop table belfry.database_size_stats_2025_12"))
    perform(JOB, "2026-03-03T00:30+08:00")
    assert found(db) == ["GAP", "GAP", "GAP", "VANISHED"]
    status = text("select status from belfry.partition_registry where partition_name ~ '2025_12'")
    assert db.execute(status).scalar_one() == "DROPPED"


def test_rows_are_estimated_and_not_counted(db: Connection, perform: Perform) -> None:
    """D-60: an exact count of every partition reads every row."""
    perform(JOB, "2026-03-01T00:30+08:00")
    db.execute(text("""insert into belfry.database_size_stats
        select 1, 'd' || g, '2026-03-01', 1, 1, null, belfry.clock() from generate_series(1, 500) g"""))
    estimate = text("select row_estimate from belfry.partition_registry where partition_name ~ 'database_size_stats_2026_03'")
    perform(JOB, NIGHT)
    assert db.execute(estimate).scalar_one() == 0
    db.execute(text("analyze belfry.database_size_stats"))
    perform(JOB, NIGHT, kind="manual")
    assert db.execute(estimate).scalar_one() == 500
