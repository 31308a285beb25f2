"""The jobs page and the page of one job."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask import Blueprint, g, render_template, request

from functions.console import chart, keyset, upcoming
from functions.console.access import TRIGGER, VIEW, needs, person
from functions.console.database import db
from functions.console.moments import utc_now
from functions.console.queries import executions, health, jobs
from functions.console.queries.jobs import Job
from functions.console.wording import of_message
from shared.errors import InvalidRequest

routes = Blueprint("jobs", __name__)
ROWS, RUNS, REVISIONS = 200, 30, 5
BARS = 30
_CHINESE = re.compile("[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Line:
    """A row of the jobs page."""

    job: Job
    next_tick: datetime | None

    @property
    def state(self) -> str:
        """The one word that sums the job up."""
        if self.job.status != "active":
            return self.job.status
        return "trouble" if self.job.trouble else "healthy"

    @property
    def bars(self) -> list[dict[str, Any]]:
        """The last runs, the oldest first."""
        return list(reversed(self.job.strip[:BARS]))


@routes.get("/")
@needs(VIEW)
def listed() -> str:
    """?category= &state= &q= &platform=1; &live=1 gives the part that changes by itself."""
    category, words = keyset.text_of("category"), keyset.text_of("q")
    state, platform = keyset.one_of("state", jobs.STATES), request.args.get("platform") == "1" or category == "platform"
    now = utc_now()
    found = jobs.listed(
        db(),
        category=category,
        words=words,
        state=state,
        platform=platform,
        after=keyset.cursor("text", "text"),
        limit=ROWS,
    )
    page = keyset.page(found, ROWS, lambda job: (job.category, job.job_id))
    days = jobs.calendar(db(), now.date())
    upstream = {id_ for job in page.items if job.effective_schedule is None for id_ in job.depends_on}
    return render_template(
        "jobs_live.html" if request.args.get("live") else "jobs.html",
        lines=[Line(job, upcoming.next_tick(job, now, days)) for job in page.items],
        next=page.next,
        overview=jobs.overview(db(), platform=platform),
        invariants=health.invariants(db()),
        names=jobs.names(db(), sorted(upstream)),
        category=category,
        words=words,
        state=state,
        platform=platform,
        states=jobs.STATES,
        may_trigger=TRIGGER in person().may,
    )


@routes.get("/jobs/<job_id>")
@needs(VIEW)
def one(job_id: str) -> str:
    job, now = known(job_id), utc_now()
    state = keyset.one_of("state", executions.STATES)
    found = executions.of_job(db(), job_id, state=state, after=keyset.cursor("time", "uuid"), limit=RUNS)
    last = job.last_execution_id
    deliveries = executions.deliveries(db(), last, 20) if last else []
    dependents = jobs.dependents(db(), job_id)
    revised = jobs.revisions(db(), job_id, REVISIONS)
    return render_template(
        "job_live.html" if request.args.get("live") else "job.html",
        line=Line(job, None),
        job=job,
        ticks=upcoming.next_ticks(job, now, jobs.calendar(db(), now.date()), 5),
        page=keyset.page(found, RUNS, lambda execution: (execution.run_at, execution.id)),
        state=state,
        states=executions.STATES,
        deliveries=[(delivery, of_message(delivery)) for delivery in deliveries],
        told=executions.told(db(), last) if last else [],
        items=executions.items(db(), last, 20) if last else [],
        dependents=dependents,
        revisions=[(one, replace(job, effective_schedule=one.schedule, calendar=one.calendar)) for one in revised],
        names=jobs.names(db(), sorted({*job.depends_on, *dependents})),
        runbook=_runbook(job),
        params=params_of(job),
        chart=chart.durations(job.strip, job.sla_max_duration_s and job.sla_max_duration_s * 1000),
        may_trigger=TRIGGER in person().may,
    )


def known(job_id: str) -> Job:
    """The job, or the page that says there is none."""
    job = jobs.one(db(), job_id)
    if job is None:
        raise InvalidRequest(404, "unknown_job", "there is no such job")
    return job


def params_of(job: Job) -> list[tuple[str, Any, bool]]:
    """Name, value in force, and whether an operator has changed it."""
    changed = job.override_params or {}
    values = sorted(job.effective_params.items())
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), name in changed)
        for name, value in values
    ]


def _runbook(job: Job) -> str | None:
    """The reader's language, where cron.yaml says it in both, one under the other: Chinese has Chinese signs."""
    lines = (job.runbook or "").splitlines()
    own = [line for line in lines if bool(_CHINESE.search(line)) == (g.language == "zh")]
    return "\n".join(own or lines) or None
