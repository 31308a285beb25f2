"""What an operator may do to jobs and runs: pause, resume, cancel, run an occurrence again, fill a range.

The console and the operator's command call these inside a transaction of theirs; each is one statement, audited with
who, what and why, and refuses by raising InvalidRequest what is not allowed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from shared import executions
from shared.errors import InvalidRequest
from shared.ledger import expected

MOST_TICKS = 1000  # of one backfill

_AUDIT = """
  audited as (
    insert into belfry.audit_log (actor, action, job_id, target, before, after, reason)
    select :actor, :action, job_id, target, before, after, :reason from done)
  select count(*)::int from done"""
_PAUSE = text(f"""
  with was as (select job_id, paused, paused_until from belfry.jobs where job_id = :job_id and not orphan for update),
  done as (
    update belfry.jobs j set paused = true, paused_until = cast(:until as timestamptz), paused_reason = :reason,
      paused_by = :actor, version = j.version + 1, updated_at = belfry.clock(), updated_by = :actor
    from was where j.job_id = was.job_id
    returning j.job_id, j.job_id as target, jsonb_build_object('paused', was.paused, 'until', was.paused_until) as
      before,
              jsonb_build_object('paused', true, 'until', j.paused_until) as after),
  {_AUDIT}""")  # noqa: S608  two constants of this file
_RESUME = text(f"""
  with was as (select job_id, paused, paused_until from belfry.jobs where job_id = :job_id and paused for update),
  done as (
    update belfry.jobs j set paused = false, paused_until = null, paused_reason = null, paused_by = null,
      version = j.version + 1, updated_at = belfry.clock(), updated_by = :actor
    from was where j.job_id = was.job_id
    returning j.job_id, j.job_id as target, jsonb_build_object('paused', true, 'until', was.paused_until) as before,
              jsonb_build_object('paused', false, 'missed', cast(:missed as text)) as after),
  {_AUDIT}""")  # noqa: S608
_AGAIN = text("""
  with chosen as (
    select e.* from belfry.job_executions e
    where e.job_id = :job_id and e.state = 'skipped' and e.reason = 'paused' and e.parent_id is null
      and e.run_at > coalesce((select max(run_at) from belfry.job_executions x
                               where x.job_id = :job_id and x.state not in ('skipped', 'missed') and x.kind <>
                                 'manual'),
                              '-infinity')
      and not exists (select from belfry.job_executions x where x.parent_id = e.id)
    order by e.run_at desc limit :most),
  written as (
    insert into belfry.job_executions
      (job_id, run_at, biz_date, kind, state, overlap, priority, max_attempts, parent_id, requested_by, request_reason)
    select job_id, run_at, biz_date, 'catchup', 'pending', overlap, priority, max_attempts, id, :actor, :reason from
      chosen
    returning id)
  select count(*)::int from written""")
_CANCEL = text(f"""
  with was as (select id, job_id, state from belfry.job_executions where id = cast(:id as uuid)
               and state in ('waiting', 'pending', 'retry_wait', 'running') for update),
  done as (
    update belfry.job_executions e set cancel_requested_at = belfry.clock(),
      state = case when was.state = 'running' then e.state else 'cancelled' end,
      reason = case when was.state = 'running' then e.reason else 'operator' end,
      retry_at = case when was.state = 'running' then e.retry_at end,
      finished_at = case when was.state = 'running' then e.finished_at else belfry.clock() end
    from was where e.id = was.id
    returning e.job_id, e.id::text as target, jsonb_build_object('state', was.state) as before,
              jsonb_build_object('state', e.state, 'cancel_requested', true) as after),
  {_AUDIT}""")  # noqa: S608
_RERUN = text(f"""
  with was as (select e.*, j.max_attempts as attempts_allowed from belfry.job_executions e join belfry.jobs j using
    (job_id)
               where e.id = cast(:id as uuid)
                 and e.state in ('succeeded', 'partial', 'failed', 'lost', 'missed', 'skipped', 'cancelled')),
  made as (
    insert into belfry.job_executions (id, job_id, run_at, biz_date, kind, state, overlap, priority, max_attempts,
      params,
                                       parent_id, requested_by, request_reason)
    select cast(:new_id as uuid), job_id, run_at, biz_date, kind, 'pending', overlap, priority, attempts_allowed,
      params,
           id, :actor, :reason from was
    returning job_id, id, run_at, parent_id),
  done as (select job_id, id::text as target, null::jsonb as before,
                  jsonb_build_object('rerun_of', parent_id, 'run_at', run_at) as after from made),
  {_AUDIT}""")  # noqa: S608
_BACKFILL = text("""
  with tick as (select t.run_at from jsonb_to_recordset(cast(:ticks as jsonb)) as t (run_at timestamptz)),
  made as (
    insert into belfry.job_executions
      (job_id, run_at, biz_date, kind, state, overlap, priority, max_attempts, requested_by, request_reason)
    select j.job_id, t.run_at, (t.run_at at time zone j.time_zone)::date, 'backfill', 'pending', j.overlap, 'low',
           j.max_attempts, :actor, :reason
    from belfry.jobs j cross join tick t where j.job_id = :job_id
    on conflict (job_id, run_at) where kind <> 'manual' and parent_id is null do nothing
    returning job_id),
  done as (select cast(:job_id as text) as job_id, cast(:job_id as text) as target, null::jsonb as before,
                  jsonb_build_object('ticks', (select count(*) from tick), 'new', (select count(*) from made)) as
                    after),
  audited as (
    insert into belfry.audit_log (actor, action, job_id, target, before, after, reason)
    select :actor, :action, job_id, target, before, after, :reason from done)
  select count(*)::int from made""")
_PROGRESS = text("""
  select state, count(*)::int as n from belfry.job_executions
  where job_id = :job_id and kind = 'backfill'
    and run_at >= coalesce(cast(:first as timestamptz), '-infinity')
    and run_at <= coalesce(cast(:last as timestamptz), 'infinity')
  group by state""")


def pause(db: Connection, job_id: str, *, actor: str, reason: str, until: datetime | None = None) -> None:
    """Record every tick as skipped/paused from now on, `until` an instant or until somebody resumes."""
    if not reason.strip():
        raise InvalidRequest(400, "reason_required", "say why the job is paused", field="reason", allowed="a text")
    done = db.execute(_PAUSE, {"job_id": job_id, "actor": actor, "reason": reason, "until": until, "action": "pause"})
    if not done.scalar_one():
        raise InvalidRequest(404, "unknown_job", "no such job is registered", field="job")


def resume(db: Connection, job_id: str, *, actor: str, reason: str | None = None, missed: str = "skip") -> int:
    """Let a paused job ring again; how many of the ticks it slept through are promised anew.

    `missed`: "skip" none, "last" the latest, "all" each of them (the latest thousand).
    """
    most = {"skip": 0, "last": 1, "all": MOST_TICKS}.get(missed)
    if most is None:
        raise InvalidRequest(
            400, "invalid_field", "missed is not known", field="missed", allowed=["skip", "last", "all"]
        )
    # The sweep leaves ticks within their grace alone: those of the pause would be caught up after it.
    expected.record_missing(db, db.execute(text("select belfry.clock()")).scalar_one(), resting=job_id)
    asked = {"job_id": job_id, "actor": actor, "reason": reason, "missed": missed, "action": "resume"}
    if not db.execute(_RESUME, asked).scalar_one():
        raise InvalidRequest(409, "not_paused", "this job is not paused", field="job")
    again = {"job_id": job_id, "actor": actor, "reason": reason, "most": most}
    return int(db.execute(_AGAIN, again).scalar_one()) if most else 0


def cancel(db: Connection, execution_id: UUID, *, actor: str, reason: str | None = None) -> None:
    """Withdraw a run that waits; ask one that runs to stop at its next check."""
    asked = {"id": str(execution_id), "actor": actor, "reason": reason, "action": "cancel"}
    if not db.execute(_CANCEL, asked).scalar_one():
        raise InvalidRequest(409, "not_cancellable", "this run is over", field="execution")


def rerun(db: Connection, execution_id: UUID, new_id: UUID, *, actor: str, reason: str) -> None:
    """Promise one occurrence again, with its own time, as a new execution whose parent is the old one."""
    if not reason.strip():
        raise InvalidRequest(400, "reason_required", "say why it runs again", field="reason", allowed="a text")
    asked = {"id": str(execution_id), "new_id": str(new_id), "actor": actor, "reason": reason, "action": "rerun"}
    if not db.execute(_RERUN, asked).scalar_one():
        raise InvalidRequest(409, "not_over", "only a run that is over can run again", field="execution")


def ticks_of_range(db: Connection, job_id: str, first: datetime, last: datetime, now: datetime) -> list[datetime]:
    """The job's ticks from `first` to `last`, both included; refuses a range that is empty, ahead of time or too
    long."""
    job = executions.read_job(db, job_id)
    if job is None or job.grid is None:
        raise InvalidRequest(404, "unknown_job", "no such job has a schedule", field="job")
    if first > last:
        raise InvalidRequest(
            422, "invalid_range", "the range ends before it begins", field="from", allowed="from <= to"
        )
    if last > now:
        raise InvalidRequest(422, "invalid_range", "the range lies in the future", field="to", allowed="a past time")
    found: list[datetime] = []
    tick = job.grid.floor_tick(first)
    if tick == first:
        found.append(tick)
    for tick in job.grid.ticks(first, last):
        if job.gate_opens(tick):
            found.append(tick)
        if len(found) > MOST_TICKS:
            raise InvalidRequest(
                422, "too_many_ticks", "the range holds too many ticks", field="to", allowed=MOST_TICKS
            )
    return found


def backfill(db: Connection, job_id: str, ticks: Sequence[datetime], *, actor: str, reason: str) -> int:
    """Promise every tick that has no row yet, in order, one after the other; how many are new."""
    asked: dict[str, Any] = {"job_id": job_id, "actor": actor, "reason": reason, "action": "backfill"}
    return int(
        db.execute(_BACKFILL, {**asked, "ticks": json.dumps([{"run_at": t.isoformat()} for t in ticks])}).scalar_one()
    )


def progress(
    db: Connection, job_id: str, first: datetime | None = None, last: datetime | None = None
) -> dict[str, int]:
    """How far a job's backfills of a range (None: no bound) have come: their executions by state."""
    return {row.state: row.n for row in db.execute(_PROGRESS, {"job_id": job_id, "first": first, "last": last})}
