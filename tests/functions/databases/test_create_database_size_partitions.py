"""Job W6, making: this month and the next three, one transaction a partition, whatever stands in the way of one."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from infra.local.postgres import connection as plain
from shared.databases.partitions import PARENTS
from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.evidence import messages
from tests.factories import Erp

JOB = "create_database_size_partitions"
TWO = "2026-03-01T02:00+08:00"


def partitions(db: Connection, parent: str = "belfry.database_size_stats") -> list[str]:
    query = "select short_name from belfry.v_partitions where parent_table = :p and not is_default order by 1"
    return [name.removeprefix(parent.split(".")[1] + "_") for name in db.execute(text(query), {"p": parent}).scalars()]


def _made(db: Connection) -> list[Any]:
    return db.execute(text("select partition_name, range_start, range_end from belfry.v_partitions order by 1")).all()


_FEW = "few rows: five tables and four months, whatever they hold"
CASES = [
    RowsJob(
        JOB, day=date(2026, 3, 1), clock="02:00", every=timedelta(days=31), arrange=lambda erp, day: 0, made=_made,
        multiply=lambda db, target, n: None,
        reasons={
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
                "proved by test_a_name_that_is_taken_is_an_item_and_the_others_are_made: a step of its own each",
            "the_number_of_statements_does_not_depend_on_the_rows": _FEW,
            "fifty_thousand_rows_are_done_within_the_jobs_timeout": _FEW,
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("at", "months"), [
    ("2025-12-31T02:00+08:00", ["2025_12", "2026_01", "2026_02", "2026_03"]),
    ("2026-01-31T02:00+08:00", ["2026_01", "2026_02", "2026_03", "2026_04"]),
    (TWO, ["2026_03", "2026_04", "2026_05", "2026_06"]),
])
def test_the_31_december_run_creates_january_to_march(at: str, months: list[str], db: Connection, perform: Perform) -> None:
    answer = perform(JOB, at, kind="manual")
    there = [parent for parent in PARENTS if partitions(db, parent)]
    assert (answer["state"], answer["counters"]["created"]) == ("succeeded", 4 * len(there))
    assert set(there) >= {parent for parent in PARENTS if parent.startswith("belfry.")}
    for parent in there:
        assert partitions(db, parent)[-4:] == months
    bounds = text("select range_start::text, range_end::text from belfry.v_partitions where short_name = :n")
    for month in months:
        start = date.fromisoformat(month.replace("_", "-") + "-01")
        end = (start + timedelta(days=31)).replace(day=1)
        assert db.execute(bounds, {"n": f"database_size_stats_{month}"}).one() == (str(start), str(end))


def test_what_is_there_is_left_alone_and_nobody_is_told(db: Connection, perform: Perform) -> None:
    perform(JOB, TWO)
    told = messages(db)
    assert len(told) == 1
    answer = perform(JOB, TWO, kind="manual")
    assert (answer["state"], answer["counters"]["created"], messages(db)) == ("succeeded", 0, told)


def test_the_registry_and_the_audit_log_know_each_partition(db: Connection, perform: Perform) -> None:
    perform(JOB, TWO)
    registered = db.execute(text("""select parent_table, partition_name, range_start::text, range_end::text, status
        from belfry.partition_registry where partition_name = 'belfry.instance_size_stats_2026_04'""")).all()
    assert registered == [
        ("belfry.instance_size_stats", "belfry.instance_size_stats_2026_04", "2026-04-01", "2026-05-01", "ACTIVE")
    ]
    audited = db.execute(text("select actor, action, target from belfry.audit_log where action like 'partition%'")).all()
    assert ("job:" + JOB, "partition.create", "belfry.instance_size_stats_2026_04") in audited
    assert len(audited) == len([name for name, start, _ in _made(db) if start])


def test_a_name_that_is_taken_is_an_item_and_the_others_are_made(db: Connection, perform: Perform) -> None:
    db.execute(text("create table belfry.database_size_stats_2026_04 (x int)"))
    answer = perform(JOB, TWO)
    assert (answer["state"], answer["counters"]["failed"]) == ("partial", 1)
    assert partitions(db) == ["2026_03", "2026_05", "2026_06"]
    assert partitions(db, "belfry.instance_size_stats") == ["2026_03", "2026_04", "2026_05", "2026_06"]
    (item,) = db.execute(text("select item_key, error from belfry.execution_items where status = 'failed'")).all()
    assert item == (
        "belfry.database_size_stats 2026-04", "belfry.database_size_stats_2026_04 is there and is not a partition of it"
    )  # fmt: skip


def test_rows_that_waited_in_the_default_partition_move_with_their_month(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    for day in (date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 30), date(2026, 5, 1), date(1999, 1, 5)):
        erp.database_size(1, day, 10)
    perform(JOB, TWO)
    where = text("""select c.relname, s.collected_date::text from belfry.database_size_stats s
        join pg_class c on c.oid = s.tableoid order by 2""")
    assert db.execute(where).all() == [
        ("database_size_stats_default", "1999-01-05"), ("database_size_stats_2026_03", "2026-03-31"),
        ("database_size_stats_2026_04", "2026-04-01"), ("database_size_stats_2026_04", "2026-04-30"),
        ("database_size_stats_2026_05", "2026-05-01"),
    ]
    keys = text("select count(*) from pg_index where indrelid = 'belfry.database_size_stats_2026_04'::regclass")
    assert db.execute(keys).scalar_one() == 2, "it has the indexes of its table"


def test_a_lock_that_is_not_free_is_an_item_and_the_other_tables_go_on(
    db: Connection, database_url: str, perform: Perform
) -> None:
    db.execute(text("alter function belfry.make_partition set lock_timeout = '50ms'"))
    with plain(database_url) as reader:
        reader.run("begin")
        reader.run("lock table belfry.database_size_stats in share mode")
        answer = perform(JOB, TWO)
        reader.run("rollback")
    assert answer["state"] == "partial"
    assert (partitions(db), len(partitions(db, "belfry.instance_size_stats"))) == ([], 4)
    errors = db.execute(text("select error from belfry.execution_items where status = 'failed'")).scalars().all()
    assert errors == ["canceling statement due to lock timeout"] * 4


@pytest.mark.parametrize("name", [
    "belfry.jobs", "belfry.no_such_table", 'belfry."x; drop table belfry.jobs"', "belfry.database_size_stats_default",
])
def test_only_a_table_of_months_gets_a_month(name: str, db: Connection) -> None:
    """Names are quoted and checked, never pasted (D-60)."""
    db.execute(text('create table belfry."x; drop table belfry.jobs" (x int)'))
    made = db.execute(text("select * from belfry.make_partition(:n, '2026-03-15')"), {"n": name}).one()
    assert made.outcome == "failed"
    assert db.execute(text("select to_regclass('belfry.jobs') is not null")).scalar_one()


def test_a_table_with_a_strange_name_is_quoted(db: Connection) -> None:
    db.execute(text('create table belfry."It\'s 100% ""mine""" (d date) partition by range (d)'))
    parent = 'belfry."It\'s 100% ""mine"""'
    assert db.execute(text("select * from belfry.make_partition(:n, '2026-03-15')"), {"n": parent}).one() == ("created", None)
    assert partitions(db, 'belfry.It\'s 100% "mine"')


@pytest.mark.parametrize(("zone", "bounds"), [
    ("Asia/Shanghai", ("2026-02-28 16:00:00+00", "2026-03-31 16:00:00+00")),
    ("UTC", ("2026-03-01 00:00:00+00", "2026-04-01 00:00:00+00")),
])
def test_a_log_s_months_begin_where_its_other_months_begin(zone: str, bounds: tuple[str, str], db: Connection) -> None:
    db.execute(text("create table belfry.log (at timestamptz) partition by range (at)"))
    db.execute(text(f"""create table belfry.log_2026_02 partition of belfry.log for values
        from ('2026-02-01 00:00 {zone}') to ('2026-03-01 00:00 {zone}')"""))
    assert db.execute(text("select * from belfry.make_partition('belfry.log', '2026-03-01')")).one().outcome == "created"
    expression = db.execute(text("select pg_get_expr(relpartbound, oid) from pg_class where relname = 'log_2026_03'"))
    assert expression.scalar_one() == f"FOR VALUES FROM ('{bounds[0]}') TO ('{bounds[1]}')"
    months = db.execute(text("select range_start::text, range_end::text from belfry.v_partitions where short_name ~ 'log_'"))
    assert sorted(months.all()) == [("2026-02-01", "2026-03-01"), ("2026-03-01", "2026-04-01")]


def test_lines_of_the_log_that_waited_move_with_their_numbers(db: Connection, perform: Perform) -> None:
    """Its numbers are identities, which a partition may not have of its own."""
    db.execute(text("""insert into erp.system_logs (at, level, message)
        values ('2026-02-28T16:00Z', 'INFO', 'first of March'), ('2026-02-28T15:59Z', 'INFO', 'still February')"""))
    before = db.execute(text("select id, message from erp.system_logs order by id")).all()
    assert perform(JOB, TWO)["state"] == "succeeded"
    assert db.execute(text("select id, message from erp.system_logs order by id")).all() == before
    moved = db.execute(text("select message from erp.system_logs_2026_03")).scalars().all()
    assert moved == ["first of March"]
    db.execute(text("insert into erp.system_logs (at, level, message) values ('2026-03-05T00:00Z', 'INFO', 'next')"))
    assert db.execute(text("select count(distinct id) from erp.system_logs")).scalar_one() == 3
