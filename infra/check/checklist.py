"""Does the change say what a review asks for? A moved schedule or another owner is explained in the file.

Owner, description in both languages and the runbook of a risky job are asked for by shared/cronfile, of every file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from infra.check.changes import flat
from shared.cronfile.positions import Problem
from shared.cronfile.specs import CronFile, JobSpec

SENSITIVE = ("schedule", "time_zone", "calendar", "owner")  # rulebook 4.2


def missing(was: CronFile, now: CronFile) -> list[Problem]:
    """Jobs that changed in what is sensitive and give no reason, or still the one they had."""
    return sorted(_missing(was, now), key=lambda problem: (problem.line, problem.column, problem.where))


def _missing(was: CronFile, now: CronFile) -> Iterator[Problem]:
    for one, job in now.jobs.items():
        before = was.jobs.get(one)
        if before is None:
            continue
        old, new = flat(before), flat(job)
        fields = [name for name in SENSITIVE if old.get(name) != new.get(name)]
        if not fields or (job.reason and job.reason != before.reason):
            continue
        moved = ", ".join(f"{name} {old.get(name)!r} -> {new.get(name)!r}" for name in fields)
        says = "is still the one from before; say why this changed" if job.reason else "is missing; say why"
        yield Problem(*_place(job, fields[0], now), f"{one}.reason", f"{says}: {moved}", Path(now.path).name)


def _place(job: JobSpec, changed: str, file: CronFile) -> tuple[int, int]:
    """Where the old reason stands, else what changed, else the default that changed it, else the job."""
    wanted = (f"{job.id}.reason", f"{job.id}.{changed}", f"defaults.{changed}", job.id)
    return next(file.places[one] for one in wanted if one in file.places)
