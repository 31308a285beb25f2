"""What follows from a job's new times: when it rings next, who waits for it, which promise it cannot keep."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import islice

from infra.check.words import offset, span
from shared.cronfile.specs import CronFile, JobSpec
from shared.schedule import opens
from shared.sentences import sentence

NEXT = 3
MONTH = timedelta(days=30)
DAY = timedelta(days=1)
_LOOKED_AT = 400  # ticks that a calendar may refuse in a row


def next_rings(job: JobSpec, at: datetime) -> str | None:
    """`next: Mon 2026-11-23 10:30, ...` in the job's zone; None for a job that nothing or only its upstream fires."""
    if job.timetable is None or not job.enabled:
        return None
    zone = job.timetable.zone
    ticks = islice(job.timetable.ticks(at - job.offset), _LOOKED_AT)
    open_days = (tick for tick in ticks if opens(job.calendar, tick.astimezone(zone).date(), {}))
    found = [(tick + job.offset).astimezone(zone) for tick in islice(open_days, NEXT)]
    if not found:
        return "next: never"
    said = ", ".join(f"{one:%a %Y-%m-%d %H:%M}" for one in found)
    holidays = "; legal holidays and make-up workdays not looked up" if job.calendar == "cn_workdays" else ""
    return f"next: {said} ({job.time_zone}{offset(job)}{holidays})"


def often(was: JobSpec, now: JobSpec, at: datetime) -> str | None:
    """How much more often it rings, where that changed."""
    before, after = (_count(job, at) for job in (was, now))
    return f"rings {before:,} -> {after:,} times in 30 days" if before != after else None


def _count(job: JobSpec, at: datetime) -> int:
    return sum(1 for _ in job.timetable.ticks(at, at + MONTH)) if job.timetable else 0


def on_others(job: JobSpec, file: CronFile, at: datetime) -> Iterator[str]:
    """Who waits for this job, for whom it waits, how long that takes by its times; a promise that comes too early."""
    for other in file.jobs.values():
        if job.id in other.depends_on:
            who = f"{other.id} ({sentence(other.schedule, 'en')})" if other.schedule else other.id
            yield f"{who} {_waits(other, job, at)}"
    if job.schedule:
        for upstream in (file.jobs[one] for one in job.depends_on):
            yield f"it {_waits(job, upstream, at, named=True)}"
    ring = _first(job, at)
    if ring and job.sla_finish_by and job.timetable and _clock(ring, job) > job.sla_finish_by:
        yield f"sla.finish_by {job.sla_finish_by:%H:%M} is earlier than it rings ({_clock(ring, job):%H:%M})"


def _waits(job: JobSpec, upstream: JobSpec, at: datetime, *, named: bool = False) -> str:
    """How long a job waits for its upstream on a usual day."""
    whom = upstream.id if named else "it"
    if job.timetable is None:
        return f"runs once after each success of {whom}"
    if not upstream.enabled:
        return f"waits for {whom}, which is switched off: {_in_vain(job)}"
    ring = _first(job, at)
    if ring is None or upstream.timetable is None:
        return f"waits for {whom}"
    day = ring.astimezone(job.timetable.zone).date()
    midnight = datetime.combine(day, time(), tzinfo=upstream.timetable.zone).astimezone(UTC)
    tick = next(upstream.timetable.ticks(midnight - timedelta(minutes=1), midnight + DAY), None)
    if tick is None:
        return f"waits for {whom}, which has no tick on {day:%a %Y-%m-%d}: {_in_vain(job)}"
    late = int((tick + upstream.offset - ring).total_seconds())
    if late > job.wait:
        return f"waits for {whom}, but that rings {span(late)} later: {_in_vain(job)}"
    if late >= 0:
        return f"waits for {whom}, {span(late)} or more each time"
    return f"waits for {whom} and starts {span(-late)} later"


def _in_vain(job: JobSpec) -> str:
    then = "is skipped" if job.on_wait_over == "skip" else "runs without it"
    return f"after {span(job.wait)} it {then}"


def _first(job: JobSpec, at: datetime) -> datetime | None:
    tick = job.timetable.next_tick(at - job.offset) if job.timetable else None
    return tick + job.offset if tick else None


def _clock(ring: datetime, job: JobSpec) -> time:
    return ring.astimezone(job.timetable.zone if job.timetable else UTC).time()
