"""The page of one execution: its life, its figures, what it found and whom it told."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from flask import Blueprint, render_template, request

from functions.console.access import VIEW, needs
from functions.console.database import db
from functions.console.queries import executions, jobs
from functions.console.queries.executions import Execution
from functions.console.wording import of_message
from shared.errors import InvalidRequest

routes = Blueprint("executions", __name__)
MOVING = ("queued", "sending")
FINAL = ("succeeded", "partial", "failed", "lost", "missed", "skipped", "cancelled")


@routes.get("/executions/<uuid:execution_id>")
@needs(VIEW)
def one(execution_id: UUID) -> str:
    execution = executions.one(db(), execution_id)
    if execution is None:
        raise InvalidRequest(404, "unknown_execution", "there is no such execution")
    deliveries = executions.deliveries(db(), execution_id)
    return render_template(
        "execution_live.html" if request.args.get("live") else "execution.html",
        execution=execution,
        job=jobs.one(db(), execution.job_id),
        steps=steps(execution),
        final=execution.state in FINAL and not any(delivery.state in MOVING for delivery in deliveries),
        told=executions.told(db(), execution_id),
        deliveries=[(delivery, of_message(delivery)) for delivery in deliveries],
        items=executions.items(db(), execution_id),
        events=executions.alert_events(db(), execution_id),
        shown=executions.SHOWN,
    )


def steps(execution: Execution) -> list[tuple[str, datetime, datetime | None]]:
    """due -> received -> started -> finished: name, moment, and the moment of the step before."""
    moments = [
        ("due", execution.run_at),
        ("received", execution.received_at),
        ("started", execution.started_at),
        ("finished", execution.finished_at),
    ]
    happened = [(name, at) for name, at in moments if at is not None]
    before = [None, *(at for _, at in happened)]
    return [(name, at, earlier) for (name, at), earlier in zip(happened, before, strict=False)]
