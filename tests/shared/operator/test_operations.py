"""What operators do to jobs and runs: each act does what it says, once, and leaves who and why in the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from shared import kicks
from shared.errors import InvalidRequest
from shared.jobs import Run, job
from shared.ledger import dependents
from shared.operator import operations
from tests.shared.test_jobs import add_job, effective, post

NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)


def states(db: Connection) -> list[tuple[Any, ...]]:
    query = """select to_char(run_at at time zone 'Asia/Shanghai', 'HH24'), kind, state from belfry.job_executions
               order by run_at, created_at"""
    return [tuple(row) for row in db.execute(text(query))]


def audit(db: Connection) -> list[tuple[Any, ...]]:
    return [
        tuple(r) for r in db.execute(text("select actor, action, job_id, reason from belfry.audit_log order by id"))
    ]


@job
def patient(run: Run) -> None:
    """Asks to be allowed to go on."""
    run.db.execute(text("select 1"))


@pytest.mark.parametrize(("missed", "promised"), [("skip", []), ("last", ["11"]), ("all", ["09", "10", "11"])])
def test_a_resumed_job_catches_up_as_it_is_told(db: Connection, missed: str, promised: list[str]) -> None:
    add_job(db, "effective")
    operations.pause(db, "effective", actor="li", reason="盘点")
    for hour in ("09", "10", "11"):
        answer = post(effective, at=f"2026-03-02T{hour}:00:00+08:00")
        assert (answer["status"], answer["reason"]) == ("skipped", "paused")
    assert operations.resume(db, "effective", actor="li", missed=missed) == len(promised)
    assert [s[0] for s in states(db) if s[1:] == ("catchup", "pending")] == promised
    assert [a[:2] for a in audit(db)] == [("li", "pause"), ("li", "resume")]


def test_a_pause_with_an_end_ends_by_itself(db: Connection) -> None:
    add_job(db, "effective")
    operations.pause(db, "effective", actor="li", reason="停机", until=datetime(2026, 3, 2, 2, 30, tzinfo=UTC))
    at = "2026-03-02T10:00:00+08:00"
    assert post(effective, at=at, X_Belfry_Now=at)["status"] == "skipped"
    later = "2026-03-02T11:00:00+08:00"
    assert post(effective, at=later, X_Belfry_Now=later)["status"] == "succeeded"


def test_a_pause_needs_a_reason_and_a_job(db: Connection) -> None:
    add_job(db, "effective")
    with pytest.raises(InvalidRequest, match="why"):
        operations.pause(db, "effective", actor="li", reason="  ")
    with pytest.raises(InvalidRequest, match="no such job"):
        operations.pause(db, "nothing", actor="li", reason="x")
    with pytest.raises(InvalidRequest, match="not paused"):
        operations.resume(db, "effective", actor="li")


def test_a_waiting_run_is_withdrawn_and_a_finished_one_is_not(db: Connection) -> None:
    add_job(db, "effective", target_uri="http://127.0.0.1:9/")
    pending = kicks.insert_pending(db, "effective", run_at=NOW)
    operations.cancel(db, pending.execution_id, actor="li", reason="误点")
    assert [s[1:] for s in states(db)] == [("manual", "cancelled")]
    with pytest.raises(InvalidRequest, match="over"):
        operations.cancel(db, pending.execution_id, actor="li")
    assert (
        post(effective, {"kind": "manual", "execution_id": str(pending.execution_id)}, at=None)["status"] == "duplicate"
    )


def test_a_running_run_stops_at_its_next_look(db: Connection) -> None:
    add_job(db, "stopping")

    @job
    def stopping(run: Run) -> None:
        operations.cancel(db, db.execute(text("select id from belfry.job_executions")).scalar_one(), actor="li")
        run.db.execute(text("insert into belfry.biz_calendar values (:d, true, 'effect')"), {"d": run.biz_date})

    answer = post(stopping)
    assert (answer["status"], answer["reason"]) == ("cancelled", "operator")
    assert db.execute(text("select count(*) from belfry.biz_calendar where note = 'effect'")).scalar_one() == 0


def test_an_occurrence_runs_again_with_its_own_time_and_both_rows_stay(db: Connection) -> None:
    add_job(db, "effective")
    first = post(effective)
    again = uuid4()
    operations.rerun(db, first["execution_id"], again, actor="li", reason="数据已更正")
    body = {"job": "effective", "run_at": first["run_at"], "kind": "scheduled", "execution_id": str(again)}
    answer = post(effective, body, at=None)
    assert (answer["status"], answer["execution_id"], answer["run_at"]) == ("succeeded", str(again), first["run_at"])
    assert (
        db.execute(text("select parent_id::text from belfry.job_executions where id = :i"), {"i": again}).scalar_one()
        == (first["execution_id"])
    )
    assert post(effective)["status"] == "duplicate"


def test_a_backfill_promises_each_tick_once_in_order(db: Connection) -> None:
    add_job(db, "effective", target_uri="http://127.0.0.1:9/")
    assert post(effective, at="2026-03-02T09:00:00+08:00")["status"] == "succeeded"
    first, last = datetime(2026, 3, 2, 0, tzinfo=UTC), datetime(2026, 3, 2, 3, tzinfo=UTC)
    ticks = operations.ticks_of_range(db, "effective", first, last, NOW)
    assert [t.hour for t in ticks] == [0, 1, 2, 3]
    assert operations.backfill(db, "effective", ticks, actor="li", reason="补数") == 3
    assert operations.backfill(db, "effective", ticks, actor="li", reason="补数") == 0
    assert operations.progress(db, "effective", first, last) == {"pending": 3}
    due = kicks.take_due(db, 10)
    assert [d.run_at.hour for d in due] == [0], "one after the other"
    assert post(effective, due[0].body, at=None)["status"] == "succeeded"
    assert [d.run_at.hour for d in kicks.take_due(db, 10)] == [2]


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), "invalid_range"),
        (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC), "invalid_range"),
        (datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), "too_many_ticks"),
    ],
)
def test_a_range_that_cannot_be_filled_is_refused(db: Connection, first: datetime, last: datetime, code: str) -> None:
    add_job(db, "effective")
    with pytest.raises(InvalidRequest) as refused:
        operations.ticks_of_range(db, "effective", first, last, NOW)
    assert (refused.value.status, refused.value.code) == (422, code)


def test_a_job_without_a_schedule_runs_once_per_success_of_its_upstream(db: Connection) -> None:
    add_job(db, "effective", schedule="0 9 * * *", created_at="2026-01-01")
    add_job(db, "patient", schedule=None, created_at="2026-01-01", target_uri="http://127.0.0.1:9/")
    db.execute(text("insert into belfry.job_dependencies values ('patient', 'effective')"))
    assert dependents.promise(db, "effective") == 0
    assert post(effective)["status"] == "succeeded"
    outbox = db.execute(
        text("select topic, attributes, payload->>'job', published_at is not null from belfry.outbox")
    ).one()
    assert outbox == ("job-events", {"event": "job.finished", "job": "effective"}, "effective", True)
    assert dependents.promise(db, "effective") == 1
    assert dependents.promise(db) == 0
    (due,) = kicks.take_due(db, 10, upstream="effective")
    assert (due.job_id, due.kind, due.run_at.isoformat()) == ("patient", "dependency", "2026-03-02T01:00:00+00:00")
    assert post(patient, due.body, at=None)["status"] == "succeeded"


def test_a_tick_older_than_what_was_pruned_never_runs_again(db: Connection) -> None:
    add_job(db, "effective", pruned_through="2026-03-02T09:00:00+08:00")
    answer = post(effective)
    assert (answer["status"], answer["state"]) == ("duplicate", "pruned")
    assert post(effective, at="2026-03-02T10:00:00+08:00")["status"] == "succeeded"
