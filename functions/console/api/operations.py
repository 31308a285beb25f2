"""Operating jobs and runs over the API: pause, resume, cancel, run an occurrence again, fill a range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, Response, jsonify

from functions.console import idempotency
from functions.console.access import ADMIN, MANAGE, VIEW, needs, person
from functions.console.api import bodies
from functions.console.api.jobs import known
from functions.console.database import db
from functions.console.moments import utc_now
from shared import kicks
from shared.errors import InvalidRequest
from shared.operator import operations

routes = Blueprint("operations_api", __name__, url_prefix="/api/v1")


@routes.post("/jobs/<job_id>/pause")
@needs(MANAGE)
def pause(job_id: str) -> Response:
    body = bodies.read({"reason": str, "until": str})
    until = bodies.instant(body, "until")
    known(job_id)

    def work() -> tuple[int, dict[str, Any]]:
        operations.pause(db(), job_id, actor=person().subject, reason=body.get("reason", ""), until=until)
        return 200, {"id": job_id, "status": "paused", "until": until.isoformat() if until else None}

    return idempotency.once(work)


@routes.post("/jobs/<job_id>/resume")
@needs(MANAGE)
def resume(job_id: str) -> Response:
    """Asks what to do with the ticks that were slept through: `missed` is skip, last or all."""
    body = bodies.read({"reason": str, "missed": str})
    known(job_id)

    def work() -> tuple[int, dict[str, Any]]:
        missed = body.get("missed", "skip")
        promised = operations.resume(db(), job_id, actor=person().subject, reason=body.get("reason"), missed=missed)
        return 200, {"id": job_id, "status": "active", "promised": promised}

    return _then_kick(work, job_id)


@routes.post("/jobs/<job_id>/backfill")
@needs(ADMIN)
def backfill(job_id: str) -> Response:
    body = bodies.read({"from": str, "to": str, "reason": str})
    first, last = bodies.instant(body, "from"), bodies.instant(body, "to")
    known(job_id)
    if first is None or last is None or not body.get("reason", "").strip():
        missing = "from" if first is None else "to" if last is None else "reason"
        raise InvalidRequest(
            400, "missing_field", f"{missing} is missing", field=missing, allowed="from, to and reason"
        )
    ticks = operations.ticks_of_range(db(), job_id, first, last, utc_now())

    def work() -> tuple[int, dict[str, Any]]:
        new = operations.backfill(db(), job_id, ticks, actor=person().subject, reason=body["reason"])
        return 202, {"id": job_id, "ticks": len(ticks), "new": new}

    return _then_kick(work, job_id)


@routes.get("/jobs/<job_id>/backfill")
@needs(VIEW)
def backfill_progress(job_id: str) -> Response:
    """How far the backfills of a job have come, by state."""
    known(job_id)
    return jsonify({"id": job_id, "states": operations.progress(db(), job_id)})


@routes.post("/executions/<uuid:execution_id>/cancel")
@needs(MANAGE)
def cancel(execution_id: UUID) -> Response:
    body = bodies.read({"reason": str})

    def work() -> tuple[int, dict[str, Any]]:
        operations.cancel(db(), execution_id, actor=person().subject, reason=body.get("reason"))
        return 202, {"execution_id": str(execution_id)}

    return idempotency.once(work)


@routes.post("/executions/<uuid:execution_id>/rerun")
@needs(MANAGE)
def rerun(execution_id: UUID) -> Response:
    body = bodies.read({"reason": str})

    def work() -> tuple[int, dict[str, Any]]:
        new_id = uuid4()
        operations.rerun(db(), execution_id, new_id, actor=person().subject, reason=body.get("reason", ""))
        return 202, {"execution_id": str(new_id), "parent_id": str(execution_id)}

    return _then_kick(work)


def _then_kick(work: Callable[[], tuple[int, dict[str, Any]]], job_id: str | None = None) -> Response:
    """Answer, and start what was promised; what does not start now the sweep starts within a minute."""
    answer = idempotency.once(work)
    kicks.record(db(), kicks.kick_all(kicks.take_due(db(), 1, job=job_id), now=None))
    return answer
