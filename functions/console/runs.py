"""What does it take to start a job by hand? The checks of rulebook 4.6, then a row that waits, then the kick."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import g
from sqlalchemy import Connection, text

from functions.console.moments import utc_now
from functions.console.queries.jobs import Job
from shared import kicks
from shared.errors import InvalidRequest, Unavailable
from shared.schedule import Schedule, ScheduleError

MAX_AGE = timedelta(days=35)
MAX_REASON = 500
PER_MINUTE = 10
DRY_RUN_PATIENCE = 50.0  # seconds: the console itself is stopped after 60
RISKY = ("HIGH", "CRITICAL")

# Of the newest rows only: the table has no index by actor, and ten a minute is what is asked about.
_RECENT = text("""select count(*) from (
    select actor, action, at from belfry.audit_log order by id desc limit 500) newest
  where actor = :actor and action in ('job.execute', 'job.dry_run') and at > belfry.clock() - interval '1 minute'""")
_AUDIT = text("""insert into belfry.audit_log (actor, action, job_id, target, after, reason, request_id)
  values (:actor, :action, :job_id, :target, cast(:after as jsonb), :reason, :request_id)""")


@dataclass(frozen=True)
class Asked:
    """What somebody asks of a job. `biz_date` None: today, now. `queue`: wait behind a run that is going on."""

    params: dict[str, Any] = field(default_factory=dict)
    biz_date: date | None = None
    reason: str | None = None
    dry_run: bool = False
    queue: bool = False


def read_day(value: object) -> date | None:
    """A business day as callers write it. Raises InvalidRequest 400."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else _no_day(value)
    except ValueError:
        return _no_day(value)


def _no_day(value: object) -> date | None:
    if value in (None, ""):
        return None
    raise InvalidRequest(400, "invalid_field", "biz_date is not a date", field="biz_date", allowed="YYYY-MM-DD")


def promise(db: Connection, job: Job, asked: Asked, actor: str) -> kicks.Pending:
    """Check, write the waiting row and the audit; part of the caller's transaction. Kick it after the commit."""
    check(db, job, asked, actor)
    try:
        pending = kicks.insert_pending(
            db,
            job.job_id,
            run_at=_run_at(job, asked),
            params=asked.params,
            requested_by=actor,
            reason=asked.reason,
            queue=asked.queue,
        )
    except kicks.AlreadyRunning as busy:
        raise InvalidRequest(
            409,
            "already_running",
            f"the job is running: execution {busy.execution_id}",
            field="execution_id",
            allowed={"execution_id": str(busy.execution_id), "queue": True},
        ) from busy
    except kicks.NoHandler as missing:
        raise _no_handler() from missing
    _audit(db, job, asked, actor, "job.execute", f"execution:{pending.execution_id}")
    return pending


def kick(db: Connection, pending: kicks.Pending) -> None:
    """Start what was promised; what does not start now is kicked again by the next sweep."""
    kicks.record(db, kicks.kick_all([pending], now=None))


def rehearse(db: Connection, job: Job, asked: Asked, actor: str) -> dict[str, Any]:
    """A dry run: the function's own answer, now. Raises Unavailable when none comes within 50 s."""
    check(db, job, asked, actor)
    if job.target_uri is None:
        raise _no_handler()
    _audit(db, job, asked, actor, "job.dry_run", f"job:{job.job_id}")
    body = {
        "job": job.job_id,
        "kind": "manual",
        "dry_run": True,
        "params": asked.params,
        "run_at": _run_at(job, asked).isoformat(),
    }
    answer = kicks.kick(job.target_uri, body, timeout=min(job.timeout_s, DRY_RUN_PATIENCE))
    if answer is None:
        raise Unavailable("the dry run takes longer than this page may wait")
    return answer


def warnings(job: Job) -> list[str]:
    """What the reply should add: the job runs although it is set not to (rulebook 4.6, 4)."""
    return [job.status] if job.status != "active" else []


def check(db: Connection, job: Job, asked: Asked, actor: str) -> None:
    """Raises InvalidRequest for what may not be asked, before anything is written."""
    if asked.reason is not None and len(asked.reason) > MAX_REASON:
        raise InvalidRequest(
            400, "invalid_field", "reason is too long", field="reason", allowed=f"{MAX_REASON} characters"
        )
    if job.risk in RISKY and not asked.dry_run and not (asked.reason or "").strip():
        raise InvalidRequest(
            400, "reason_required", "a job of this risk runs by hand only for a reason", field="reason", allowed="text"
        )
    _check_params(job, asked.params)
    if asked.biz_date is not None:
        today = utc_now().astimezone(ZoneInfo(job.time_zone)).date()
        if not today - MAX_AGE <= asked.biz_date <= today:
            raise InvalidRequest(
                422,
                "biz_date_out_of_range",
                "biz_date lies in the future or too far back",
                field="biz_date",
                allowed=f"{today - MAX_AGE} to {today}",
            )
    if db.execute(_RECENT, {"actor": actor}).scalar_one() >= PER_MINUTE:
        raise InvalidRequest(
            429, "too_many_requests", "that is enough for one minute", allowed=f"{PER_MINUTE} a minute and person"
        )


def _check_params(job: Job, params: dict[str, Any]) -> None:
    if not params:
        return
    from jsonschema import Draft202012Validator

    unknown = sorted(params.keys() - job.params_schema.get("properties", {}).keys() - job.effective_params.keys())
    errors = Draft202012Validator(job.params_schema).iter_errors({**job.effective_params, **params})
    wrong = [f"params.{name}" for name in unknown] + [".".join(["params", *map(str, e.absolute_path)]) for e in errors]
    if wrong:
        raise InvalidRequest(
            400,
            "invalid_params",
            f"not what the job's schema allows: {', '.join(wrong)[:500]}",
            field=wrong[0][:128],
            allowed=job.params_schema.get("properties", {}),
        )


def _run_at(job: Job, asked: Asked) -> datetime:
    """The time the run works for: now, or the last tick of a past day (noon where the schedule has none)."""
    now, zone = utc_now(), ZoneInfo(job.time_zone)
    if asked.biz_date is None or asked.biz_date == now.astimezone(zone).date():
        return now.replace(second=0, microsecond=0)
    noon = datetime.combine(asked.biz_date, time(12), zone)
    if job.effective_schedule is None:
        return noon
    try:
        tick = Schedule(job.effective_schedule, job.time_zone).previous_tick(noon.replace(hour=0) + timedelta(days=1))
    except ScheduleError:
        return noon
    return tick if tick is not None and tick.astimezone(zone).date() == asked.biz_date else noon


def _audit(db: Connection, job: Job, asked: Asked, actor: str, action: str, target: str) -> None:
    after = {"params": asked.params, "biz_date": asked.biz_date and asked.biz_date.isoformat(), "queue": asked.queue}
    db.execute(
        _AUDIT,
        {
            "actor": actor,
            "action": action,
            "job_id": job.job_id,
            "target": target,
            "after": json.dumps(after),
            "reason": asked.reason,
            "request_id": g.request_id,
        },
    )


def _no_handler() -> InvalidRequest:
    return InvalidRequest(409, "handler_missing", "nobody knows where this job's function listens", allowed="a reload")
