"""When does a job ring, as a sentence in the reader's language? Upstreams by their names."""

from __future__ import annotations

from flask import g

from functions.console.language import named
from functions.console.queries.jobs import Job
from shared import sentences


def of_job(job: Job, names: dict[str, dict[str, str]] | None = None) -> str:
    """The sentence of a job, in the language of this request; the zone is said beside it."""
    upstreams = [named((names or {}).get(id_), id_) for id_ in job.depends_on]
    return sentences.of_job(job.effective_schedule, job.calendar, upstreams, g.language)
