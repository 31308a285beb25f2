"""What the state machine, or reading with it in mind, found once: each case by name, as small as it was."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from shared import executions
from shared.db import set_clock
from shared.executions import Claim
from shared.ledger import expected
from shared.operator import operations, reload_rows
from tests.shared.test_jobs import add_job, effective, effects, post

NINE = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
MINUTE = timedelta(minutes=1)


def claim(
    db: Connection, job: str, at: datetime, kind: str = "scheduled", *, execution_id: UUID | None = None
) -> Claim:
    return executions.claim(db, job, at, kind, lease=60, owner=str(uuid4()), execution_id=execution_id)


def registered(db: Connection, job: str, now: datetime, **columns: Any) -> None:
    set_clock(db, now)
    add_job(db, job, swept_through=now, **columns)
    reload_rows.revise(db, actor="test", now=now)


def edit(db: Connection, now: datetime, **columns: Any) -> None:
    sets = ", ".join(f"{name} = :{name}" for name in columns)
    db.execute(text(f"update belfry.jobs set {sets}"), columns)
    reload_rows.revise(db, actor="test", now=now)


def test_a_tick_that_was_due_before_its_job_was_disabled_has_its_row(db: Connection) -> None:
    registered(db, "effective", NINE - MINUTE, catchup="none")
    edit(db, NINE + MINUTE, override_enabled=False)
    assert expected.record_missing(db, NINE + 70 * MINUTE) == {"missed": 1}
    assert db.execute(text("select run_at from belfry.job_executions")).scalar_one() == NINE


def test_a_late_call_of_the_schedule_before_is_its_tick_and_not_another_run(db: Connection) -> None:
    registered(db, "effective", NINE - MINUTE)
    edit(db, NINE + MINUTE, override_schedule="30 * * * *")
    for late in (2, 3):
        now = (NINE + late * MINUTE).isoformat()
        post(effective, at=NINE.isoformat(), X_Belfry_Now=now)
    expected.record_missing(db, NINE + 10 * MINUTE)
    assert db.execute(text("select kind, run_at, state from belfry.job_executions")).all() == [
        ("scheduled", NINE, "succeeded")
    ]
    assert effects(db) == 1


def test_a_call_off_every_schedule_stays_a_manual_run(db: Connection) -> None:
    registered(db, "effective", NINE - MINUTE)
    edit(db, NINE + MINUTE, override_schedule="30 * * * *")
    later = NINE + 65 * MINUTE  # 10:05; at 10:00 the schedule before rang no longer
    for at in (later, later - 5 * MINUTE):
        assert post(effective, at=at.isoformat(), X_Belfry_Now=later.isoformat())["kind"] == "manual"


def test_a_run_that_waited_runs_by_the_policy_of_now(db: Connection) -> None:
    """Two rows that were promised while runs excluded each other must start side by side once they may overlap."""
    registered(db, "effective", NINE - MINUTE, overlap="skip")
    operations.backfill(db, "effective", [NINE - 120 * MINUTE, NINE - 60 * MINUTE], actor="li", reason="because")
    edit(db, NINE, overlap="allow")
    rows = db.execute(text("select id, run_at from belfry.job_executions")).all()
    assert [claim(db, "effective", row.run_at, "backfill", execution_id=row.id).decision for row in rows] == [
        "run",
        "run",
    ]


def test_a_kick_of_a_row_that_is_gone_starts_nothing(db: Connection) -> None:
    registered(db, "effective", NINE - MINUTE)
    for kind in ("scheduled", "manual", "backfill"):
        assert claim(db, "effective", NINE, kind, execution_id=uuid4()).decision == "duplicate"
    assert db.execute(text("select count(*) from belfry.job_executions")).scalar_one() == 0


def test_an_occurrence_whose_reruns_are_open_can_be_pruned(db: Connection) -> None:
    registered(db, "effective", NINE - MINUTE)
    first = post(effective, at=NINE.isoformat(), X_Belfry_Now=NINE.isoformat())["execution_id"]
    for _ in range(2):
        operations.rerun(db, UUID(first), uuid4(), actor="li", reason="because")
    db.execute(text("delete from belfry.job_executions where id = cast(:id as uuid)"), {"id": first})
    assert (
        db.execute(text("select state, parent_id::text from belfry.job_executions")).all() == [("pending", first)] * 2
    )


def test_on_a_virtual_day_a_waiting_tick_s_patience_ends_on_that_day(db: Connection) -> None:
    registered(db, "upstream", NINE - MINUTE, schedule=None)
    registered(db, "effective", NINE - MINUTE, depends_wait_s=600)
    db.execute(text("insert into belfry.job_dependencies values ('effective', 'upstream')"))
    set_clock(db, NINE)
    assert claim(db, "effective", NINE).decision == "waiting"
    set_clock(db, NINE + 11 * MINUTE)
    assert claim(db, "effective", NINE).decision == "run"
