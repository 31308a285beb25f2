"""The ledger's moves as Python calls: read the job, claim a tick, renew the lease, finish.

Each is one statement; what they decide and guard is written in the database (infra/migrations/sql/0001_platform.sql).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from pg8000.converters import literal
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from shared.db import sqlstate
from shared.errors import LeaseLost
from shared.schedule import Schedule

LEASE_LOST = "BF001"  # what belfry.finish_or_refuse raises

# One column of JSON each: pg8000 reads every column of every row in Python, json in C.
_JOB = """select to_jsonb(r) from (
  select job_id, func, name, owner, category, effective_schedule, time_zone, offset_s, timeout_s, effective_params,
         params_schema, max_attempts, backoff_s, risk, status,
         case when override_schedule is null then gate_every_days end as gate_every_days, gate_anchor,
         case when override_schedule is null then gate_year end as gate_year,
         belfry.clock() as now, belfry.crowded() as crowded
  from belfry.jobs where job_id = %s) r"""
_REVISIONS = text("""
  select case when enabled then schedule end as schedule, time_zone, offset_s, gate_every_days, gate_anchor, gate_year,
    effective_at
  from belfry.job_revisions where job_id = :job_id order by revision desc limit 10""")
_CLAIM = """select to_jsonb(c) from belfry.claim(%s, cast(%s as timestamptz), %s, cast(%s as uuid), %s,
  cast(%s as numeric), cast(%s as jsonb), %s, %s) c"""
_HEARTBEAT = text("select held, cancelled from belfry.heartbeat(cast(:id as uuid), :fence, cast(:lease as numeric))")
_FINISH = text("""select belfry.finish(cast(:id as uuid), :fence, :state, :reason, cast(:counters as jsonb),
  :error_class, :error,
  cast(:retry_in as int), cast(:elapsed_ms as bigint))""")
_READ_BACK = text("select state from belfry.job_executions where id = cast(:id as uuid) and fence = :fence")

_REAP = text("select state, count(*)::int as n from belfry.reap() group by state")


# An instance serves few schedules, tick after tick.
_grid = lru_cache(maxsize=256)(Schedule)


@dataclass(frozen=True)
class JobRow:
    """What a trigger needs to know of its job, with the operator's overrides in force."""

    job_id: str
    func: str
    name: dict[str, str]
    owner: str | None
    category: str
    effective_schedule: str | None
    time_zone: str
    offset_s: int
    timeout_s: int
    effective_params: dict[str, Any]
    params_schema: dict[str, Any]
    max_attempts: int
    backoff_s: list[int]
    risk: str
    status: str
    gate_every_days: int | None
    gate_anchor: date | None
    gate_year: int | None
    now: datetime  # the database's clock: an instance's own may be wrong
    crowded: bool  # the server is short of connections: give this one back after use

    @property
    def grid(self) -> Schedule | None:
        """The ticks of the schedule in force, before any gate; None: fired by its upstream alone."""
        return _grid(self.effective_schedule, self.time_zone) if self.effective_schedule else None

    def gate_opens(self, tick: datetime) -> bool:
        """Whether a compiled interval or date means this tick of its cron expression."""
        if self.effective_schedule is None or not (self.gate_every_days or self.gate_year):
            return True
        gated = _grid(
            self.effective_schedule, self.time_zone, self.gate_every_days or 1, self.gate_anchor, self.gate_year
        )
        return gated.opens_on(tick.astimezone(gated.zone).date())


@dataclass(frozen=True)
class Claim:
    """The decision of belfry.claim: run | duplicate | in_progress | waiting | pending | skipped."""

    decision: str
    execution_id: UUID
    fence: int
    attempt: int
    state: str
    reason: str | None
    run_at: datetime
    biz_date: date
    kind: str
    params: dict[str, Any]
    counters: dict[str, Any]
    error: str | None


def read_job(db: Connection, job_id: str) -> JobRow | None:
    """The job's row, None when nobody registered it."""
    row = db.exec_driver_sql(_JOB, (job_id,)).scalar_one_or_none()
    if row is None:
        return None
    anchor = row["gate_anchor"] and date.fromisoformat(row["gate_anchor"])
    return JobRow(**{**row, "gate_anchor": anchor, "now": datetime.fromisoformat(row["now"])})


def earlier_tick(db: Connection, job_id: str, at: datetime) -> datetime | None:
    """The tick that a call at this time means by a schedule which was in force then and is no longer; None: none."""
    until: datetime | None = None
    for r in db.execute(_REVISIONS, {"job_id": job_id}):
        if r.schedule:
            grid = Schedule(r.schedule, r.time_zone, r.gate_every_days or 1, r.gate_anchor, r.gate_year)
            tick = grid.floor_tick(at - timedelta(seconds=r.offset_s)) or grid.floor_tick(at)
            if tick and r.effective_at < tick and (until is None or tick <= until):
                return tick
        until = r.effective_at
    return None


def claim(
    db: Connection,
    job_id: str,
    run_at: datetime,
    kind: str,
    *,
    lease: float,
    owner: str,
    execution_id: UUID | None = None,
    params: dict[str, Any] | None = None,
    requested_by: str | None = None,
    reason: str | None = None,
) -> Claim:
    """Decide one trigger. Commits by itself: after it the database owns the tick."""
    asked = (job_id, run_at, kind, execution_id and str(execution_id), owner, str(lease))
    row = db.exec_driver_sql(_CLAIM, (*asked, json.dumps(params or {}), requested_by, reason)).scalar_one()
    read = {
        "execution_id": row["execution_id"] and UUID(row["execution_id"]),
        "run_at": datetime.fromisoformat(row["run_at"]),
        "biz_date": row["biz_date"] and date.fromisoformat(row["biz_date"]),
    }
    return Claim(**{**row, **read})


def begin(db: Connection, execution_id: UUID, fence: int, timeout_ms: int) -> bool | None:
    """Open the effect's transaction and look, unlocked: None when the lease is lost, else whether an operator asked to
    stop. One message, so that it costs one round trip."""
    look = f"select belfry.still_mine('{execution_id}', {fence:d})"
    cancelled: bool | None = db.exec_driver_sql(
        f"begin; set local statement_timeout = {timeout_ms:d}; {look}"
    ).scalar_one()
    return cancelled


def commit(
    db: Connection, execution_id: UUID, fence: int, state: str, *, counters: dict[str, int], elapsed_ms: int
) -> list[dict[str, Any]]:
    """The fence and COMMIT in one message: the server commits only what passed the fence.

    The outbox rows as `finish` gives them. Raises LeaseLost when another holder has the execution: nothing is
    committed, and the transaction waits for its rollback.
    """
    fenced = f"'{execution_id}', {fence:d}, '{state}', {literal(json.dumps(counters))}, {elapsed_ms:d}"
    try:
        ended: list[dict[str, Any]] = db.exec_driver_sql(
            f"select belfry.finish_or_refuse({fenced}); commit"
        ).scalar_one()
    except DBAPIError as error:
        if sqlstate(error) == LEASE_LOST:
            raise LeaseLost from error
        raise
    return ended


def heartbeat(db: Connection, execution_id: UUID, fence: int, lease: float) -> tuple[bool, bool]:
    """Renew the lease. (held, cancelled)"""
    row = db.execute(_HEARTBEAT, {"id": str(execution_id), "fence": fence, "lease": str(lease)}).one()
    return bool(row.held), bool(row.cancelled)


def finish(
    db: Connection,
    execution_id: UUID,
    fence: int,
    state: str,
    *,
    reason: str | None = None,
    counters: dict[str, int] | None = None,
    error: BaseException | None = None,
    error_text: str | None = None,
    retry_in: int | None = None,
    elapsed_ms: int | None = None,
) -> list[dict[str, Any]] | None:
    """The fence: the last statement of an effect. None: another holder has the execution, roll back.

    Else the outbox rows (id, topic, attributes, payload) that the end of this execution wrote for its dependents.
    """
    ended: list[dict[str, Any]] | None = db.execute(
        _FINISH,
        {
            "id": str(execution_id),
            "fence": fence,
            "state": state,
            "reason": reason,
            "counters": json.dumps(counters or {}),
            "error_class": type(error).__name__ if error else None,
            "error": error_text,
            "retry_in": retry_in,
            "elapsed_ms": elapsed_ms,
        },
    ).scalar_one()
    return ended


def read_back(db: Connection, execution_id: UUID, fence: int) -> str | None:
    """The state under this fence: tells what became of a COMMIT whose answer was lost (P13)."""
    state = db.execute(_READ_BACK, {"id": str(execution_id), "fence": fence}).scalar_one_or_none()
    return None if state is None else str(state)


def reap(db: Connection) -> dict[str, int]:
    """Close every execution whose holder stopped renewing its lease; how many by their new state (P8)."""
    return {row.state: row.n for row in db.execute(_REAP)}
