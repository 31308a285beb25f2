"""What is odd about a valid cron.yaml: crowded minutes, ticks that never come or that move, thin margins."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

from shared.cronfile.positions import Node, Problem
from shared.cronfile.rules import Entry
from shared.cronfile.specs import CronFile, JobSpec
from shared.schedule import Schedule, clock_changes

CROWDED = 5
NOTICE = timedelta(days=60)  # the next year is published in November
YEAR = timedelta(days=366)
# A month that begins on a Sunday holds every day of the month and of the week within five weeks.
SAMPLE = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)


def found(
    file: CronFile, entries: Mapping[str, Entry], tree: Node, at: datetime | None, workdays_until: date | None
) -> Iterator[Problem]:
    """Every warning; `at` and `workdays_until` are needed for those that depend on the date."""
    for job in file.jobs.values():
        entry = entries[job.id]
        yield from _ticks(job, entry, at)
        if job.calendar == "cn_workdays" and at and workdays_until and (at + NOTICE).date() > workdays_until:
            says = (
                f"Chinese workdays are published to {workdays_until} only; after that weekends rest and no holiday does"
            )
            yield entry.problem("calendar", says)
    yield from _crowds(file, entries)
    if file.connections_used > file.connections:
        at_node = tree.value.get("database", tree)
        yield Problem(
            at_node.line,
            at_node.column,
            "database.connections",
            f"all functions at once open up to {file.connections_used} connections (max_instances x pool), "
            f"more than {file.connections}",
        )


def _ticks(job: JobSpec, entry: Entry, at: datetime | None) -> Iterator[Problem]:
    timetable = job.timetable
    if timetable is None:
        return
    if timetable.never_fires:
        yield entry.problem("schedule", f"{job.schedule!r} never fires: no such month has that day")
        return
    longest = job.max_attempts * job.timeout + sum(
        job.backoff[min(number, len(job.backoff) - 1)] for number in range(job.max_attempts - 1)
    )
    gap = timetable.cron.shortest_gap * 60
    if job.max_attempts > 1 and longest > gap:
        yield entry.problem(
            "max_attempts",
            f"{job.max_attempts} attempts may take {longest} s and overrun the next tick after {gap} s",
            entry.node.value.get("max_attempts", entry.node.value["schedule"]),
        )
    if at is None:
        return
    following = timetable.next_tick(at)
    if following is not None and following > at + YEAR:
        yield entry.problem(
            "schedule", f"does not fire within a year; next on {following.astimezone(timetable.zone).date()}"
        )
    yield from _moved(timetable, entry, at)


def _moved(timetable: Schedule, entry: Entry, at: datetime) -> Iterator[Problem]:
    for hit, does in moved_ticks(timetable, at):
        yield entry.problem(
            "schedule", f"on {hit:%Y-%m-%d} {hit:%H:%M} {does} ({timetable.time_zone} changes its clocks)"
        )


def moved_ticks(timetable: Schedule, at: datetime) -> Iterator[tuple[datetime, str]]:
    """Wall times that a change of the clocks within a year skips, moves or repeats, each with what it does.

    Every hour of every day stays every hour.
    """
    if timetable.cron.hours == frozenset(range(24)) and not timetable.cron.by_the_clock:
        return
    for moment, shift in clock_changes(timetable.zone, at, at + YEAR):
        wall = moment.astimezone(timetable.zone).replace(tzinfo=None)
        start = wall - shift if shift > timedelta() else wall
        hit = next(_walls(timetable, start, start + abs(shift)), None)
        if hit is None:
            continue
        once = timetable.cron.by_the_clock
        if shift > timedelta():
            does = f"does not exist and rings at {wall:%H:%M} instead" if once else "does not exist and does not ring"
        else:
            does = "comes twice and rings the first time only" if once else "comes twice and rings twice"
        yield hit, does


def _walls(timetable: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    plain = Schedule(timetable.expression, "UTC")
    before = start.replace(tzinfo=UTC) - timedelta(minutes=1)
    for tick in plain.ticks(before, end.replace(tzinfo=UTC) - timedelta(minutes=1)):
        yield tick.replace(tzinfo=None)


def starts(file: CronFile) -> dict[datetime, list[str]]:
    """Which jobs start in which minute of the sample; those of every minute are a steady load and not counted."""
    found: dict[datetime, list[str]] = defaultdict(list)
    for job in file.jobs.values():
        if job.enabled and job.timetable and job.timetable.cron.shortest_gap > 1:
            for tick in job.timetable.ticks(*SAMPLE):
                found[tick + job.offset].append(job.id)
    return found


def _crowds(file: CronFile, entries: Mapping[str, Entry]) -> Iterator[Problem]:
    """Minutes at which five or more jobs start."""
    crowds: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for moment, jobs in starts(file).items():
        if len(jobs) >= CROWDED:
            zone = file.jobs[jobs[0]].timetable
            crowds[tuple(jobs)].add(f"{moment.astimezone(zone.zone if zone else UTC):%H:%M}")
    for crowd, times in crowds.items():
        shown = ", ".join(sorted(times)[:4]) + (" ..." if len(times) > 4 else "")
        yield entries[crowd[0]].problem(
            "schedule", f"{len(crowd)} jobs start at {shown}: {', '.join(crowd)}; give some a window"
        )
