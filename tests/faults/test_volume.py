"""Do three million executions, a long reader and a schema one step ahead leave the engine as quick and as right?"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from infra.local import postgres
from shared import db as shared_db
from tests.conftest import Perform
from tests.factories import Erp
from tests.faults.conftest import MakeWorld
from tests.faults.invariants import assert_invariants
from tests.faults.order import FULL
from tests.faults.world import World
from tests.processes import eventually
from tests.shared.test_jobs import add_job, effective, post

EXECUTIONS = 3_000_000 if FULL else 60_000
SLICE = 60_000  # of one statement
JOBS = 50


@pytest.fixture
def history(db: Connection) -> Connection:
    """Years of finished ticks of fifty jobs, and a handful that is not over."""
    for number in range(JOBS):
        add_job(db, f"job_{number}", target_uri="http://127.0.0.1:9/", swept_through="2100-01-01")
    for first in range(1, EXECUTIONS, SLICE):
        db.execute(
            text("""insert into belfry.job_executions
                      (job_id, run_at, biz_date, kind, state, overlap, attempt, fence, started_at, finished_at,
                       duration_ms)
                    select 'job_' || mod(n, :jobs), t, t::date, 'scheduled', 'succeeded', 'skip', 1, 1, t, t, 10
                    from generate_series(cast(:first as int), cast(:last as int)) n,
                         lateral (select timestamptz '2020-01-01' + n / :jobs * interval '1 minute' as t) x"""),
            {"jobs": JOBS, "first": first, "last": first + SLICE - 1},
        )
    db.execute(text("update belfry.jobs set fence = 1"))
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, attempt, max_attempts,
                  fence, lease_until, started_at)
                values ('job_1', '2026-03-02', '2026-03-02', 'scheduled', 'running', 'skip', 1, 1, 1,
                        clock_timestamp() - interval '1 s', clock_timestamp()),
                       ('job_2', '2026-03-02', '2026-03-02', 'catchup', 'pending', 'skip', 0, 1, null, null, null)""")
    )
    user = Erp(db).user()
    for first in range(1, EXECUTIONS // 3, SLICE // 3):
        db.execute(
            text("""with n as (
                      insert into belfry.notifications (dedupe_key, type, severity, facts, not_after, fanned_out)
                      select 'old' || n, 'ALERT', 'INFO', '{}', '2020-01-02', true from generate_series(cast(:first as int), cast(:last as int)) n
                      returning id)
                    insert into belfry.notification_deliveries
                      (notification_id, user_id, channel, state, target, next_attempt_at, not_after)
                    select id, :user, 'system', 'sent', 'x', '2020-01-01', '2020-01-02' from n"""),
            {"user": user, "first": first, "last": first + SLICE // 3 - 1},
        )
    for table in ("job_executions", "notifications", "notification_deliveries"):
        db.execute(text(f"analyze belfry.{table}"))
    return db


def _read_from_end_to_end(db: Connection) -> dict[str, int]:
    """Rows that whole-table scans have read so far, of the tables that grow."""
    db.execute(text("select pg_stat_force_next_flush()"))
    rows = db.execute(
        text("""select relname, seq_tup_read from pg_stat_user_tables where schemaname = 'belfry'
                and relname in ('job_executions', 'execution_items', 'notification_deliveries')""")
    )
    return {row.relname: row.seq_tup_read for row in rows}


@pytest.mark.fault(
    row=56, injected="3,000,000 executions, 1,000,000 deliveries", expected="no whole-table scan by tick or sweep"
)
def test_row_56_ticks_and_sweeps_read_only_what_is_not_over(
    history: Connection, perform: Perform, seen: Callable[[str], None]
) -> None:
    db = history
    add_job(db, "effective")
    add_job(db, "after_it", swept_through="2100-01-01", sla_finish_by="06:00", sla_max_duration_s=60)
    db.execute(text("update belfry.jobs set sla_finish_by = '06:00', sla_max_duration_s = 60 where job_id like 'job%'"))
    db.execute(text("insert into belfry.job_dependencies values ('after_it', 'job_7')"))
    perform("sweep_runs", "2026-03-02T08:00:00+08:00")  # statistics of the first use are not of interest
    before = _read_from_end_to_end(db)
    began = time.monotonic()
    swept = perform("sweep_runs", "2026-03-02T08:01:00+08:00")
    took = (time.monotonic() - began) * 1000
    sent = perform("sweep_deliveries", "2026-03-02T08:01:00+08:00")
    assert (swept["status"], sent["status"]) == ("succeeded", "succeeded")
    assert post(effective)["status"] == "succeeded"
    assert post(effective)["status"] == "duplicate"
    assert db.execute(text("select belfry.unmet_dependencies('after_it', '2026-03-02')")).scalar_one() == ["job_7"]
    shared_db.forget_engine()  # a backend that ends hands in its statistics
    ended = "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'belfry'"
    eventually(lambda: db.execute(text(ended)).scalar_one() == 1, "the function's connections end")
    after = _read_from_end_to_end(db)
    assert {name: after[name] - before[name] for name in after} == dict.fromkeys(after, 0)
    assert_invariants(db)
    seen(f"{EXECUTIONS:,} rows, a sweep in {took:.0f} ms")


_LONG_OVER = """insert into belfry.job_executions
    (job_id, run_at, biz_date, kind, state, overlap, attempt, fence, started_at, finished_at, duration_ms)
  select 'effect', t, t::date, 'scheduled', 'succeeded', 'skip', 1, 1, t, t, 10
  from generate_series(timestamptz '2024-01-01', timestamptz '2024-02-01', '1 hour') t"""


def _migrations(folder: Path) -> Path:
    """A copy of the migrations that a test may change."""
    copy = folder / "migrations"
    shutil.copytree(postgres.MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.mark.fault(
    row=57,
    injected="a long reader, a migration that wants its table, prune",
    expected="lock_timeout, retry; triggers and prune go on",
)
def test_row_57_a_migration_behind_a_long_reader_stops_neither_ticks_nor_pruning(
    world: MakeWorld, perform: Perform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None]
) -> None:
    w = world()
    w.serve()
    w.run("update belfry.jobs set fence = 1 where job_id = 'effect'")
    w.run(_LONG_OVER)
    ahead = _migrations(tmp_path)
    head = w.value("select version_num from public.belfry_schema_version")
    (ahead / "versions" / "9999_ahead.py").write_text(
        f"""from alembic import op
revision, down_revision, branch_labels, depends_on = "9999", "{head}", None, None


def upgrade():
    op.execute("alter table belfry.job_executions add column ahead int")
"""
    )
    monkeypatch.setattr(postgres, "MIGRATIONS", ahead)
    waiting = "select count(*) from pg_locks where relation = 'belfry.job_executions'::regclass and not granted"
    took: list[float] = []
    with ThreadPoolExecutor() as pool:
        with w.engine.connect() as reader:
            reader.exec_driver_sql("begin")
            reader.execute(text("select count(*) from belfry.job_executions"))
            migration = pool.submit(postgres.migrate, w.url)
            number = 0
            for _ in range(2):  # it waits, gives way, and comes again
                eventually(lambda: w.value(waiting), "the migration waits for the reader")
                assert perform("prune_history", "2026-03-02T03:40:00+08:00", kind="manual")["state"] == "succeeded"
                for _ in range(3):
                    answer = w.post(number)
                    assert answer["status"] == "succeeded"
                    took.append(answer["took"])
                    number += 1
            reader.exec_driver_sql("commit")
        migration.result()
    assert w.value("select version_num from public.belfry_schema_version") == "9999"
    assert max(took) < 5
    assert w.value("select count(*) from belfry.job_executions where run_at < '2025-01-01'") == 0
    assert w.post(number)["status"] == "succeeded"
    w.judge(effects=number + 1)
    seen(f"slowest tick {max(took):.1f} s")


@pytest.mark.fault(
    row=58,
    injected="the schema one step ahead of the code (new columns everywhere)",
    expected="the code goes on, without a restart too",
)
def test_row_58_old_code_serves_on_a_schema_that_was_expanded(world: MakeWorld, perform: Perform) -> None:
    w = world()
    w.serve()
    assert w.post(0)["status"] == "succeeded"
    tables = """select relname from pg_class
                where relnamespace = 'belfry'::regnamespace and relkind in ('r', 'p') and not relispartition"""
    for table in w.rows(tables):
        w.run(f"alter table belfry.{table.relname} add column of_tomorrow text")
    assert w.post(0)["status"] == "duplicate"
    assert w.post(1)["status"] == "succeeded"
    w.behave(**{"raise": "no luck"})
    assert w.post(2)["status"] == "retry_wait"
    w.behave()
    assert w.until_over(2) == "succeeded"
    assert perform("sweep_runs", "2026-03-02T12:30:00+08:00")["status"] == "succeeded"
    assert perform("sweep_deliveries", "2026-03-02T12:30:00+08:00")["status"] == "succeeded"
    w.judge(effects=3)


BEFORE = 7  # migrations of the release before this code's


@pytest.mark.fault(
    row=58,
    injected="the schema one step behind the code (only what came before)",
    expected="ticks go on until the migration comes",
)
def test_row_58_new_code_serves_on_the_schema_before(
    cluster: postgres.Postgres, tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = _migrations(tmp_path)
    for version in sorted((behind / "versions").glob("[0-9]*.py"))[BEFORE:]:
        version.unlink()
    url = cluster.create_database("behind")
    with monkeypatch.context() as patch:
        patch.setattr(postgres, "MIGRATIONS", behind)
        postgres.migrate(url)
    w = World(url, stack)
    w.serve()
    assert [w.post(0)["status"], w.post(0)["status"]] == ["succeeded", "duplicate"]
    w.behave(**{"raise": "no luck"})
    assert w.post(1)["status"] == "retry_wait"
    postgres.migrate(url)
    w.behave()
    assert w.until_over(1) == "succeeded"
    w.judge(effects=2)
