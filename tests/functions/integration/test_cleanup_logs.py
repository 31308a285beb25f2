"""W3 by the rulebook: old months of the log are dropped whole, old lines of the others go in batches, nothing else does."""

import threading
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.db import new_engine
from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.evidence import everything
from tests.factories import TODAY, Erp

JOB = "cleanup_logs"
TWO = datetime.fromisoformat("2026-03-02T02:00+08:00")
AT = TWO.isoformat()
DAY = timedelta(days=1)


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def month(db: Connection, first: str, following: str, name: str | None = None) -> str:
    """A partition of the log from one day to another, Shanghai time."""
    name = name or f"system_logs_{first[:7].replace('-', '_')}"
    db.execute(text(f"""create table erp."{name}" partition of erp.system_logs
        for values from ('{first} 00:00+08') to ('{following} 00:00+08')"""))
    return name


def line(erp: Erp, days: float) -> int:
    return erp.log(at=TWO - timedelta(days=days))


def lines(db: Connection) -> list[int]:
    return list(db.execute(text("select id from erp.system_logs order by id")).scalars())


def partitions(db: Connection) -> list[str]:
    rows = db.execute(text("select relname from pg_class join pg_inherits on inhrelid = oid where inhparent = 'erp.system_logs'::regclass"))
    return sorted(rows.scalars())


# ---------------------------------------------------------------- what every job promises
def _arrange(erp: Erp, day: date) -> int:
    return erp.log(at=datetime.combine(day, time(), TWO.tzinfo) - 90 * DAY)


def _multiply(db: Connection, target: int, n: int) -> None:
    db.execute(text("""insert into erp.system_logs (at, level, message)
        select timestamptz '2025-11-01', 'INFO', 'x' from generate_series(1, :n)"""), {"n": n})


def _made(db: Connection) -> Sequence[Any]:
    return lines(db)


CASES = [RowsJob(
    JOB, clock="02:00", arrange=_arrange, multiply=_multiply, made=_made,
    reasons={
        "the_number_of_statements_does_not_depend_on_the_rows": "works in steps: a transaction five thousand lines",
        "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
            "proved by test_a_month_that_somebody_reads_stays_until_tomorrow_and_the_others_go: a step that raises",
    },
)]  # fmt: skip


# ---------------------------------------------------------------- what goes
def test_lines_older_than_the_retention_go_in_batches(erp: Erp, db: Connection, perform: Perform) -> None:
    for _ in range(7):
        line(erp, 91)
    staying = [line(erp, 90), line(erp, 1)]
    counters = perform(JOB, AT, params={"batch": 3})["counters"]
    assert (counters["rows_deleted"], counters.get("partitions_dropped", 0)) == (7, 0)
    assert lines(db) == staying
    steps = db.execute(text("select item_key from belfry.execution_items where item_key like 'rows%' order by 1"))
    assert steps.scalars().all() == ["rows 1.1", "rows 1.2", "rows 1.3"]


def test_months_that_ended_before_the_retention_are_dropped_whole(erp: Erp, db: Connection, perform: Perform) -> None:
    """Retention of 90 days on 2 March reaches back to 2 December: November ended, December has not."""
    october, november, december = month(db, "2025-10-01", "2025-11-01"), month(db, "2025-11-01", "2025-12-01"), month(db, "2025-12-01", "2026-01-01")
    for day in ("2025-10-05", "2025-11-30", "2025-12-01"):
        erp.log(at=f"{day}T12:00+08:00")
    kept = erp.log(at="2025-12-03T12:00+08:00")
    counters = perform(JOB, AT)["counters"]
    assert (counters["partitions_dropped"], counters["rows_deleted"]) == (2, 1)
    assert (partitions(db), lines(db)) == ([december, "system_logs_default"], [kept])
    assert {october, november} & set(partitions(db)) == set()


def test_a_month_that_ends_at_the_cut_off_goes_and_one_that_ends_a_day_later_does_not(erp: Erp, db: Connection, perform: Perform) -> None:
    month(db, "2025-11-01", "2025-12-02", "ends_at_the_cut_off")
    later = month(db, "2025-12-02", "2025-12-03", "ends later")
    perform(JOB, "2026-03-02T00:00+08:00", kind="manual")
    assert partitions(db) == [later, "system_logs_default"]


def test_names_are_quoted_by_the_catalogue_and_not_matched_by_pattern(db: Connection, perform: Perform) -> None:
    """D-60: patterns with _ as wildcard, DDL built from strings."""
    month(db, "2025-10-01", "2025-11-01", 'system""logs; drop table erp.users')
    db.execute(text("create table erp.system_logs_2025_01 (at timestamptz)"))  # bears the name, is no part of the log
    assert perform(JOB, AT)["counters"]["partitions_dropped"] == 1
    assert partitions(db) == ["system_logs_default"]
    assert db.execute(text("select to_regclass('erp.users') is not null and to_regclass('erp.system_logs_2025_01') is not null")).scalar_one()


def test_a_retention_under_seven_days_is_refused(erp: Erp, db: Connection, perform: Perform) -> None:
    old = line(erp, 400)
    answer = perform(JOB, AT, params={"retention_days": 6})
    assert (answer["http_status"], answer["error"]["field"]) == (400, "params.retention_days")
    assert lines(db) == [old]
    assert perform(JOB, AT, params={"retention_days": 7})["counters"]["rows_deleted"] == 1


def test_audit_tables_the_ledger_and_the_people_are_not_touched(erp: Erp, db: Connection, perform: Perform) -> None:
    perform(JOB, (TWO - DAY).isoformat())
    db.execute(text("insert into belfry.audit_log (at, actor, action) values ('2020-01-01', 'x', 'y')"))
    db.execute(text("""insert into belfry.db_account_changes (instance_id, username, change_type, diff, changed_at)
        select 1, 'u', 'ADD', '{}', '2020-01-01' where false"""))
    line(erp, 400)
    own = {"belfry.jobs", "belfry.job_executions", "belfry.job_summaries", "belfry.execution_items", "belfry.outbox"}
    before = {name: sum_ for name, sum_ in everything(db).items() if name not in own and "system_logs" not in name}
    assert perform(JOB, AT)["counters"]["rows_deleted"] == 1
    assert before.items() <= everything(db).items()


def test_a_month_that_somebody_reads_stays_until_tomorrow_and_the_others_go(
    erp: Erp, db: Connection, database_url: str, perform: Perform
) -> None:
    month(db, "2025-10-01", "2025-11-01")
    perform(JOB, (TWO - 200 * DAY).isoformat())
    engine = new_engine(database_url)
    reading, read = threading.Event(), threading.Event()

    def read_slowly() -> None:
        with engine.connect() as reader:
            reader.exec_driver_sql("begin; lock table only erp.system_logs_2025_10 in access share mode")
            reading.set()
            read.wait(60)
            reader.exec_driver_sql("rollback")

    thread = threading.Thread(target=read_slowly)
    thread.start()
    assert reading.wait(20)
    line(erp, 91)
    answer = perform(JOB, AT)
    read.set()
    thread.join(20)
    engine.dispose()
    assert (answer["state"], answer["counters"]["failed"], answer["counters"]["rows_deleted"]) == ("partial", 1, 1)
    assert perform(JOB, (TWO + DAY).isoformat())["counters"]["partitions_dropped"] == 1
    assert date.fromisoformat("2026-03-02") == TODAY
