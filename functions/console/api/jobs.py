"""Jobs over the API: list, look, start."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, jsonify, make_response

from functions.console import idempotency, keyset, runs, upcoming
from functions.console.access import TRIGGER, VIEW, needs, person
from functions.console.api import bodies
from functions.console.api.executions import as_json as execution_as_json
from functions.console.database import db
from functions.console.moments import utc_now
from functions.console.queries import executions, jobs
from functions.console.queries.jobs import Job
from shared.errors import InvalidRequest

routes = Blueprint("jobs_api", __name__, url_prefix="/api/v1/jobs")
EXECUTE = {"params": dict, "dry_run": bool, "biz_date": str, "reason": str, "queue": bool}


@routes.get("")
@needs(VIEW)
def listed() -> Response:
    keyset.refuse_unknown("category", "state", "q")
    limit, after = keyset.limit(), keyset.cursor("text", "text")
    found = jobs.listed(
        db(),
        category=keyset.text_of("category"),
        words=keyset.text_of("q"),
        state=keyset.one_of("state", jobs.STATES),
        platform=True,
        after=after,
        limit=limit,
    )
    now = utc_now()
    days = jobs.calendar(db(), now.date())
    page = keyset.page(found, limit, lambda job: (job.category, job.job_id))
    return jsonify(
        {"items": [as_json(job, upcoming.next_tick(job, now, days)) for job in page.items], "next": page.next}
    )


@routes.get("/<job_id>")
@needs(VIEW)
def one(job_id: str) -> Response:
    job, now = known(job_id), utc_now()
    ticks = upcoming.next_ticks(job, now, jobs.calendar(db(), now.date()), 5)
    return jsonify({**as_json(job, ticks[0] if ticks else None), "next_run_times": ticks})


@routes.get("/<job_id>/executions")
@needs(VIEW)
def history(job_id: str) -> Response:
    keyset.refuse_unknown("state", "kind")
    limit, after = keyset.limit(), keyset.cursor("time", "uuid")
    state, kind = keyset.one_of("state", executions.STATES), keyset.one_of("kind", executions.KINDS)
    known(job_id)
    found = executions.of_job(db(), job_id, state=state, kind=kind, after=after, limit=limit)
    page = keyset.page(found, limit, lambda execution: (execution.run_at, execution.id))
    return jsonify({"items": [execution_as_json(execution) for execution in page.items], "next": page.next})


@routes.post("/<job_id>/execute")
@routes.post("/<job_id>/run")
@routes.post("/<job_id>/trigger")
@needs(TRIGGER)
def execute(job_id: str) -> Response:
    body = bodies.read(EXECUTE)
    job = known(job_id)
    asked = runs.Asked(
        params=body.get("params", {}),
        biz_date=runs.read_day(body.get("biz_date")),
        reason=body.get("reason"),
        dry_run=body.get("dry_run", False),
        queue=body.get("queue", False),
    )
    if asked.dry_run:
        answer = runs.rehearse(db(), job, asked, person().subject)
        return make_response(jsonify({k: v for k, v in answer.items() if k != "http_status"}), answer["http_status"])
    promised = []

    def promise() -> tuple[int, dict[str, Any]]:
        pending = runs.promise(db(), job, asked, person().subject)
        promised.append(pending)
        told = {
            "execution_id": str(pending.execution_id),
            "run_at": pending.run_at.isoformat(),
            "warnings": runs.warnings(job),
        }
        return 202, told

    answer_ = idempotency.once(promise)
    for pending in promised:  # none when this is the answer of an earlier request
        runs.kick(db(), pending)
    return answer_


def known(job_id: str) -> Job:
    """The job, or 404."""
    job = jobs.one(db(), job_id)
    if job is None:
        raise InvalidRequest(404, "unknown_job", "there is no such job", field="id")
    return job


def as_json(job: Job, next_tick: datetime | None) -> dict[str, Any]:
    """A job with the field names of the system this one replaces (S4), and our own."""
    return {
        "id": job.job_id,
        "name": job.name,
        "job_type": "cron" if job.schedule else "dependency",
        "func": job.func,
        "cron_expression": job.effective_schedule,
        "args": [],
        "kwargs": job.effective_params,
        "status": job.status,
        "next_run_time": next_tick,
        "description": job.description,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "created_by": job.created_by,
        "time_zone": job.time_zone,
        "calendar": job.calendar,
        "category": job.category,
        "owner": job.owner,
        "risk": job.risk,
        "origin": job.origin,
        "running": job.running_id,
        "trouble": job.trouble,
        "depends_on": job.depends_on,
        "override": {"reason": job.override_reason, "by": job.override_by, "at": job.override_at}
        if job.override_at
        else None,
        "last_run": {
            "execution_id": job.last_execution_id,
            "state": job.last_state,
            "run_at": job.last_run_at,
            "finished_at": job.last_finished_at,
            "duration_ms": job.last_duration_ms,
            "error": job.last_error,
        }
        if job.last_execution_id
        else None,
        "counts": {
            "succeeded": job.success_count,
            "partial": job.partial_count,
            "failed": job.failure_count,
            "missed": job.missed_count,
            "skipped": job.skipped_count,
            "success_rate": job.success_rate,
        },
        "version": job.version,
    }
