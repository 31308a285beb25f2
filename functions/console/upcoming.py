"""When does a job ring next? The grid of its schedule, its place in the window, and the workday calendar."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice

from functions.console.queries.jobs import Job
from shared.schedule import Schedule, ScheduleError, opens

_LOOKED_AT = 400  # ticks that a calendar may refuse in a row: the long holidays of an hourly job


def next_tick(job: Job, now: datetime, days: Mapping[date, bool]) -> datetime | None:
    """The next time, None when nothing is planned: not active, no schedule of its own, or never."""
    return next(iter(next_ticks(job, now, days, 1)), None)


def next_ticks(job: Job, now: datetime, days: Mapping[date, bool], count: int) -> list[datetime]:
    """The next times a job rings, as far as anybody knows today."""
    if job.status != "active" or job.effective_schedule is None:
        return []
    offset = timedelta(seconds=job.offset_s)
    minute = (now - offset).replace(second=0, microsecond=0)
    ticks = _ticks(
        job.effective_schedule, job.time_zone, minute, 1 if job.calendar == "every_day" else _LOOKED_AT, count
    )
    zone = Schedule(job.effective_schedule, job.time_zone).zone if ticks else None
    shown = [tick for tick in ticks if opens(job.calendar, tick.astimezone(zone).date(), days)]
    return [tick + offset for tick in shown[:count]]


@lru_cache(maxsize=4096)
def _ticks(expression: str, time_zone: str, after: datetime, tries: int, count: int) -> tuple[datetime, ...]:
    # Many jobs share a schedule, and a page is read again every few seconds: one walk a minute is enough.
    try:
        return tuple(islice(Schedule(expression, time_zone).ticks(after), count * tries))
    except ScheduleError:
        return ()
