"""Run now, or rehearse: the page that asks whether one is sure, and what came of it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from functions.console import problems, runs
from functions.console.access import TRIGGER, needs, person
from functions.console.database import db
from functions.console.moments import utc_now
from functions.console.pages.jobs import known, params_of
from functions.console.queries.jobs import Job
from shared.db import transaction
from shared.entrance.trigger import read_json
from shared.errors import InvalidRequest, Unavailable

routes = Blueprint("runs", __name__)


@routes.get("/jobs/<job_id>/run")
@needs(TRIGGER)
def ask(job_id: str) -> str:
    return _form(known(job_id), dry_run=request.args.get("dry_run") == "1")


@routes.post("/jobs/<job_id>/run")
@needs(TRIGGER)
def start(job_id: str) -> Response:
    """A form; answered by the page of the new execution, or of what the dry run found."""
    job, dry_run = known(job_id), request.form.get("dry_run") == "1"
    try:
        asked = runs.Asked(
            params=read_json((request.form.get("params", "").strip() or "{}").encode()),
            biz_date=runs.read_day(request.form.get("biz_date", "").strip()),
            reason=request.form.get("reason", "").strip() or None,
            dry_run=dry_run,
            queue=request.form.get("queue") == "1",
        )
        if dry_run:
            return make_response(
                render_template("dry_run.html", job=job, answer=runs.rehearse(db(), job, asked, person().subject))
            )
        with transaction(db(), timeout=10):
            pending = runs.promise(db(), job, asked, person().subject)
    except (InvalidRequest, Unavailable) as error:
        status = error.status if isinstance(error, InvalidRequest) else 503
        return make_response(_form(job, dry_run=dry_run, problem=problems.told(error), given=request.form), status)
    runs.kick(db(), pending)
    return redirect(url_for("executions.one", execution_id=pending.execution_id), 303)


def _form(job: Job, *, dry_run: bool, problem: dict[str, Any] | None = None, given: Any = None) -> str:
    return render_template(
        "run.html",
        job=job,
        dry_run=dry_run,
        problem=problem,
        given=given or {},
        params=params_of(job),
        needs_reason=job.risk in runs.RISKY and not dry_run,
        today=utc_now(),
        max_reason=runs.MAX_REASON,
    )
