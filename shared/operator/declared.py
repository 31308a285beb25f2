"""How a job of cron.yaml stands in the jobs table, and how it should stand in Cloud Scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shared.cronfile.specs import JobSpec
from shared.schedule import MINUTE, Schedule
from shared.scheduler_api import Ring

# What the file says of a job; everything else of the row is the operator's or the engine's own.
COLUMNS = {
    "func": "text", "name": "jsonb", "description": "jsonb", "category": "text", "owner": "text", "risk": "text",
    "runbook": "text", "schedule": "text", "time_zone": "text", "calendar": "text", "enabled": "boolean",
    "params": "jsonb", "params_schema": "jsonb", "timeout_s": "int", "overlap": "text", "catchup": "text",
    "catchup_window_s": "int", "grace_s": "int", "max_attempts": "int", "backoff_s": "int[]",
    "breaker_threshold": "int", "breaker_open_s": "int", "sla_max_duration_s": "int", "sla_finish_by": "time",
    "depends_on": "text[]", "depends_wait_s": "int", "on_wait_over": "text", "priority": "text", "window_s": "int",
    "offset_s": "int", "reads": "text[]", "writes": "text[]", "target_uri": "text",
}  # fmt: skip
OVERRIDES = (
    "override_schedule",
    "override_enabled",
    "override_params",
    "override_reason",
    "override_by",
    "override_at",
)
LONGEST_DEADLINE = 1800  # Cloud Scheduler's own limit


def row(spec: JobSpec, target_uri: str | None) -> dict[str, Any]:
    """The row's declared columns, in the form that Postgres gives them back as JSON."""
    return {
        "func": spec.id,
        "name": dict(spec.name),
        "description": dict(spec.description),
        "category": spec.category,
        "owner": spec.owner,
        "risk": spec.risk,
        "runbook": spec.runbook,
        "schedule": spec.schedule,
        "time_zone": spec.time_zone,
        "calendar": spec.calendar,
        "enabled": spec.enabled,
        "params": dict(spec.params),
        "params_schema": dict(spec.params_schema),
        "timeout_s": spec.timeout,
        "overlap": spec.overlap,
        "catchup": spec.catchup,
        "catchup_window_s": spec.catchup_window,
        "grace_s": spec.grace,
        "max_attempts": spec.max_attempts,
        "backoff_s": list(spec.backoff),
        "breaker_threshold": spec.breaker_failures,
        "breaker_open_s": spec.breaker_open,
        "sla_max_duration_s": spec.sla_max_duration,
        "sla_finish_by": spec.sla_finish_by.isoformat() if spec.sla_finish_by else None,
        "depends_on": list(spec.depends_on),
        "depends_wait_s": spec.wait,
        "on_wait_over": spec.on_wait_over,
        "priority": spec.priority,
        "window_s": spec.window,
        "offset_s": spec.offset // MINUTE * 60,
        "reads": list(spec.reads),
        "writes": list(spec.writes),
        "target_uri": target_uri,
    }


def timing(schedule: Schedule) -> dict[str, Any]:
    """The columns of a custom job that say when it rings: a compiled interval or date is cron plus a gate."""
    return {
        "schedule": schedule.expression,
        "time_zone": schedule.time_zone,
        "gate_every_days": schedule.every_days if schedule.every_days > 1 else None,
        "gate_anchor": schedule.anchor if schedule.every_days > 1 else None,
        "gate_year": schedule.year,
    }


def ring(job: Mapping[str, Any], account: str, *, made_here: bool) -> Ring | None:
    """What Cloud Scheduler should hold of a row; None for a job that only its upstream fires, or that is gone.

    Disabled and paused jobs are paused there; a pause with an end is not, or nobody would end it: the claim records
    its ticks as skipped. Raises ScheduleError when the schedule in force does not fit the job's window.
    """
    schedule = job["override_schedule"] or job["schedule"]
    if schedule is None or job["orphan"] or job["target_uri"] is None:
        return None
    enabled = job["enabled"] if job["override_enabled"] is None else job["override_enabled"]
    return Ring(
        job_id=job["job_id"],
        schedule=Schedule(schedule, job["time_zone"]).shifted(timedelta(seconds=job["offset_s"])),
        time_zone=job["time_zone"],
        uri=job["target_uri"],
        deadline=max(15, min(LONGEST_DEADLINE, job["timeout_s"] + 60)),
        account=account,
        made_here=made_here,
        paused=not enabled or (job["paused"] and job["paused_until"] is None),
    )


NEW_ROW: dict[str, Any] = {
    **dict.fromkeys(OVERRIDES),
    "orphan": False,
    "origin": "builtin",
    "paused": False,
    "paused_until": None,
}
