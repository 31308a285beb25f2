"""Job W6, ending: thirteen months stay, nothing goes unannounced, and what goes can be had back for a week."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from infra.local.postgres import connection as plain
from shared.rules.partitions import add_months
from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.evidence import messages
from tests.factories import TODAY, Erp

JOB = "cleanup_database_size_partitions"
FOUR = "2026-03-02T04:00+08:00"
SIZES = "belfry.database_size_stats"


def attached(db: Connection, parent: str = SIZES) -> list[str]:
    query = "select right(short_name, 7) from belfry.v_partitions where parent_table = :p and not is_default order by 1"
    return list(db.execute(text(query), {"p": parent}).scalars())


def registry(db: Connection) -> list[Any]:
    return db.execute(text("""select partition_name, status, announced_at is not null from belfry.partition_registry
        order by partition_name""")).all()


def every_month(erp: Erp, first: date, number: int, parent: str = SIZES) -> None:
    for n in range(number):
        erp.partition(add_months(first, n), parent)


def is_there(db: Connection, name: str) -> bool:
    return bool(db.execute(text("select to_regclass(:n) is not null"), {"n": name}).scalar_one())


# ---------------------------------------------------------------- what every job promises
def _arrange(erp: Erp, day: date) -> int:
    erp.partition(date(2025, 2, 1))  # of a month that is too old from 1 March 2026 on
    return 0


_FEW = "few rows: partitions, whatever they hold"
CASES = [
    RowsJob(
        JOB, day=date(2026, 3, 1), clock="04:00", arrange=_arrange, multiply=lambda db, target, n: None,
        made=lambda db: [r for r in registry(db) if r[2]],
        reasons={
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
                "proved by test_a_partition_with_another_name_is_an_item_and_stays: a step of its own each",
            "the_number_of_statements_does_not_depend_on_the_rows": _FEW,
            "fifty_thousand_rows_are_done_within_the_jobs_timeout": _FEW,
        },
    ),
]  # fmt: skip


# ---------------------------------------------------------------- retention
def test_retention_of_13_months_keeps_exactly_13(db: Connection, perform: Perform) -> None:
    """Up to the current month; the ones to come are never touched."""
    every_month(Erp(db), date(2024, 12, 1), 19)  # to June 2026
    for day in (2, 3):
        assert perform(JOB, f"2026-03-0{day}T04:00+08:00")["state"] == "succeeded"
    kept = [month for month in attached(db) if month <= "2026_03"]
    assert (len(kept), kept[0]) == (13, "2025_03")
    assert attached(db)[-3:] == ["2026_04", "2026_05", "2026_06"]


@pytest.mark.parametrize(("parent", "oldest"), [
    ("belfry.instance_size_stats", "2025_03"), ("belfry.database_size_aggregations", "2023_04"),
    ("belfry.instance_size_aggregations", "2023_04"),
])
def test_each_table_keeps_its_own_months(parent: str, oldest: str, db: Connection, perform: Perform) -> None:
    first = date(int(oldest[:4]), int(oldest[5:]), 1)
    every_month(Erp(db), add_months(first, -2), 4, parent)
    for day in (2, 3):
        perform(JOB, f"2026-03-0{day}T04:00+08:00")
    assert attached(db, parent)[0] == oldest


def test_a_partition_is_announced_then_detached_then_dropped(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    name = erp.partition(date(2025, 2, 1))
    erp.database_size(1, date(2025, 2, 3), 10)
    steps = []
    for day in range(2, 13):
        counters = perform(JOB, f"2026-03-{day:02}T04:00+08:00")["counters"]
        steps.append(next((k for k in ("announced", "detached", "dropped") if counters[k]), None))
        if day == 9:
            assert is_there(db, name), "for seven days it is a table of its own"
    assert steps == ["announced", "detached", *[None] * 6, "dropped", None, None]
    assert not is_there(db, name)
    assert [m["type"] for m in messages(db)] == ["DIGEST_PARTITIONS"] * 3
    history = db.execute(text("select action, target from belfry.audit_log where action ~ 'partition' order by id")).all()
    assert history == [("partition.detach", name), ("partition.drop", name)]
    assert registry(db) == [(name, "DROPPED", True)]


def test_a_partition_that_was_attached_again_starts_anew(db: Connection, perform: Perform) -> None:
    name = Erp(db).partition(date(2025, 2, 1))
    for day in (2, 3):
        perform(JOB, f"2026-03-0{day}T04:00+08:00")
    db.execute(text(f"alter table {SIZES} attach partition {name} for values from ('2025-02-01') to ('2025-03-01')"))
    counters = perform(JOB, "2026-03-20T04:00+08:00")["counters"]
    assert (counters["announced"], counters["dropped"], is_there(db, name)) == (1, 0, True)


def test_at_most_twelve_partitions_go_in_one_run(db: Connection, perform: Perform) -> None:
    every_month(Erp(db), date(2023, 12, 1), 15)
    perform(JOB, FOUR)
    assert perform(JOB, "2026-03-03T04:00+08:00")["counters"]["detached"] == 12
    assert perform(JOB, "2026-03-04T04:00+08:00")["counters"]["detached"] == 3


def test_without_an_export_nothing_is_dropped_where_one_is_asked_for(db: Connection, perform: Perform) -> None:
    name = Erp(db).partition(date(2025, 2, 1))
    for day in (2, 3, 25):
        perform(JOB, f"2026-03-{day:02}T04:00+08:00", params={"needs_export": True}, kind="manual")
    assert is_there(db, name)
    db.execute(text("update belfry.partition_registry set exported_at = belfry.clock()"))
    perform(JOB, "2026-03-26T04:00+08:00", params={"needs_export": True}, kind="manual")
    assert not is_there(db, name)


def test_a_dry_run_lists_what_would_go_and_changes_nothing(db: Connection, perform: Perform) -> None:
    name = Erp(db).partition(date(2025, 2, 1))
    perform(JOB, FOUR)
    answer = perform(JOB, "2026-03-03T04:00+08:00", dry_run=True)
    assert answer["counters"]["detached"] == 1
    assert f"detach {name}" in [item["item_key"] for item in answer["would"]["items"]]
    assert answer["would"]["written"]["belfry.partition_registry"]["updated"] >= 1
    assert attached(db) == ["2025_02"]


# ---------------------------------------------------------------- what is never touched
def test_a_partition_with_another_name_is_an_item_and_stays(db: Connection, perform: Perform) -> None:
    """Names are taken literally (D-60): the catalog's bounds and the name must agree."""
    Erp(db).partition(date(2024, 12, 1))
    for name, start, end in (("database_sizeXstats_2025_01", "2025-01-01", "2025-02-01"),
                             ("database_size_stats_2024_01", "2025-02-01", "2025-03-01")):  # fmt: skip
        db.execute(text(f'create table belfry."{name}" partition of {SIZES} for values from (\'{start}\') to (\'{end}\')'))
    states = [perform(JOB, f"2026-03-0{day}T04:00+08:00")["state"] for day in (2, 3)]
    assert (states, len(attached(db))) == (["partial", "partial"], 2)
    items = db.execute(text("select distinct item_key from belfry.execution_items where status = 'failed' order by 1"))
    assert items.scalars().all() == ["belfry.database_sizeXstats_2025_01", "belfry.database_size_stats_2024_01"]


@pytest.mark.parametrize("name", [
    "belfry.database_size_stats_2026_03", "belfry.database_size_stats_2026_04", "belfry.database_size_stats_default",
    "belfry.jobs", "belfry.no_such", 'belfry."x; drop table belfry.jobs"',
])
def test_the_database_itself_refuses_to_detach_what_is_not_a_month_of_the_past(name: str, db: Connection) -> None:
    erp = Erp(db)
    db.execute(text("select set_config('belfry.now', '2026-03-31T15:00Z', false)"))
    for month in (2, 3, 4):
        erp.partition(date(2026, month, 1))
    with pytest.raises(DBAPIError, match="BF010"):
        db.execute(text("select belfry.detach_partition(:n)"), {"n": name})
    db.execute(text("select belfry.detach_partition('belfry.database_size_stats_2026_02')"))
    assert attached(db) == ["2026_03", "2026_04"]


def test_the_database_itself_refuses_to_drop_what_was_not_detached(db: Connection, perform: Perform) -> None:
    name = Erp(db).partition(date(2025, 2, 1))
    for target in (name, "belfry.jobs"):
        with pytest.raises(DBAPIError, match="BF010"):
            db.execute(text("select belfry.drop_partition(:n, '7 days')"), {"n": target})
    db.execute(text("""insert into belfry.partition_registry (parent_table, partition_name, range_start, range_end, status,
        checked_at, detached_at) values ('x', :n, '2025-02-01', '2025-03-01', 'DETACHED', '2026-01-01', '2026-01-01')"""), {"n": name})
    with pytest.raises(DBAPIError, match="in use again"):
        db.execute(text("select belfry.drop_partition(:n, '7 days')"), {"n": name})


def test_a_lock_that_is_not_free_leaves_the_partition_for_tomorrow(
    db: Connection, database_url: str, perform: Perform
) -> None:
    erp = Erp(db)
    erp.partition(date(2025, 2, 1))
    erp.partition(date(2025, 2, 1), "belfry.instance_size_stats")
    perform(JOB, FOUR)
    db.execute(text("alter function belfry.detach_partition set lock_timeout = '50ms'"))
    with plain(database_url) as reader:
        reader.run("begin")
        reader.run(f"select count(*) from {SIZES}")
        answer = perform(JOB, "2026-03-03T04:00+08:00")
        reader.run("rollback")
    assert (answer["state"], answer["counters"]["detached"]) == ("partial", 1)
    assert (attached(db), attached(db, "belfry.instance_size_stats")) == (["2025_02"], [])
    assert perform(JOB, "2026-03-04T04:00+08:00")["counters"]["detached"] == 1


def test_a_table_that_somebody_dropped_by_hand_is_registered_as_gone(db: Connection, perform: Perform) -> None:
    name = Erp(db).partition(date(2025, 2, 1))
    for day in (2, 3):
        perform(JOB, f"2026-03-0{day}T04:00+08:00")
    db.execute(text(f"drop table {name}"))
    assert perform(JOB, "2026-03-10T04:00+08:00")["state"] == "succeeded"
    assert registry(db) == [(name, "DROPPED", True)]


def test_the_business_day_of_the_retention_is_the_job_s(db: Connection, perform: Perform) -> None:
    assert TODAY.month == 3
    Erp(db).partition(date(2025, 2, 1))
    perform(JOB, "2026-02-28T23:55+08:00", kind="manual")
    assert registry(db) == [("belfry.database_size_stats_2025_02", "ACTIVE", False)]
