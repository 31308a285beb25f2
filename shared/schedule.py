"""When a job rings: its cron grid in its zone, the calendar gate, the window offset, and the wall clock itself.

A tick is an aware UTC instant on a full minute. Where the clocks change, the grid does what Debian's cron does:

- A schedule **by the clock** (neither minute nor hour starts with `*`: `30 2 * * *`) rings once for each of its times
  of day. A time that the spring change skips rings at the first minute after the gap; a time that comes twice in autumn
  rings the first time only.
- A schedule **by interval** (`*/15 * * * *`, `0 * * * *`) rings at every real minute whose wall time matches: never in
  the gap, in both of the repeated hours.

What Cloud Scheduler does in those hours is not documented. So `floor_tick` takes both of its possible readings of a
time by the clock (the second 01:30 of autumn, 03:30 for a skipped 02:30) for the one tick of that day, and the claim
answers "duplicate" instead of running twice.
"""

import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim

from shared.unix_cron import Expression, ScheduleError

__all__ = ["WORKDAYS_UNTIL", "Expression", "Schedule", "ScheduleError", "now", "opens", "window_offset"]

MINUTE = timedelta(minutes=1)
WORKDAYS_UNTIL = date(2026, 12, 31)  # as published, and as the migrations write it into belfry.biz_calendar
# 29 February may be eight years away.
_LOOK_BACK = tuple(timedelta(days=days) for days in (1 / 24, 1, 32, 367, 3300))
# The largest clock change on record is a day.
_LONGEST_SHIFT = timedelta(hours=25)


def now() -> datetime:
    """The wall clock, aware UTC."""
    return datetime.now(UTC)


def opens(calendar: str, day: date, known_days: Mapping[date, bool]) -> bool:
    """Whether a calendar lets a day's ticks run.

    `known_days` says of legal holidays and make-up workdays whether they are worked; days that it does not know (past
    the published year) rest at weekends.
    """
    return calendar == "every_day" or known_days.get(day, day.isoweekday() < 6)


def window_offset(job_id: str, window_seconds: int) -> timedelta:
    """A job's own place within its window, in whole minutes and for ever, so that not all start at :00."""
    minutes = window_seconds // 60
    return timedelta(minutes=zlib.crc32(job_id.encode()) % minutes if minutes else 0)


@dataclass(frozen=True)
class Schedule:
    """A cron expression in a zone; compiled triggers thin it to every n-th day from an anchor, or to one year."""

    expression: str
    time_zone: str
    every_days: int = 1
    anchor: date | None = None
    year: int | None = None

    def __post_init__(self) -> None:
        if self.every_days > 1 and self.anchor is None:
            raise ScheduleError("every n days needs the day it counts from")
        _ = self.cron, self.zone

    @cached_property
    def cron(self) -> Expression:
        return Expression.parse(self.expression)

    @cached_property
    def zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
            raise ScheduleError(f"{self.time_zone!r} is no IANA time zone; write it like Asia/Shanghai") from unknown

    @property
    def never_fires(self) -> bool:
        return self.cron.never_fires

    def ticks(self, after: datetime, until: datetime | None = None) -> Iterator[datetime]:
        """The ticks t with after < t <= until, in order; without `until` they go on for ever."""
        last = _aware(after)
        if self.never_fires:
            return
        repeated: list[datetime] = []  # second occurrences in autumn, due after all first ones
        for wall in CronSim(self.cron.canonical, self._start(last)):
            if self.year is not None and wall.year > self.year:
                return
            if not self.opens_on(wall.date()):
                continue
            instants = self._instants(wall)
            if len(instants) == 2:
                repeated.append(instants.pop())
                due = instants
            else:
                due, repeated = repeated + instants, []
            for instant in due:
                if until is not None and instant > until:
                    return
                if instant > last:
                    last = instant
                    yield instant

    def next_tick(self, after: datetime) -> datetime | None:
        return next(self.ticks(after), None)

    def previous_tick(self, before: datetime) -> datetime | None:
        """The last tick earlier than `before`, looked for nine years back."""
        for span in _LOOK_BACK:
            found = deque(self.ticks(before - span, before - timedelta(microseconds=1)), maxlen=1)
            if found:
                return found[0]
        return None

    def floor_tick(self, instant: datetime) -> datetime | None:
        """The tick that an instant, cut to its minute, stands for; None when it is off the grid."""
        cut = _aware(instant).replace(second=0, microsecond=0)
        return next((tick for tick in self._readings(cut) if next(self.ticks(tick - MINUTE, tick), None)), None)

    def shifted(self, offset: timedelta) -> str:
        """The expression that rings `offset` later; only for one minute value that stays within its hour."""
        late = min(self.cron.minutes) + offset // MINUTE
        if not offset:
            return self.expression
        if len(self.cron.minutes) != 1 or late > 59:
            raise ScheduleError(f"{self.expression!r} needs one minute value that stays within its hour, not {late}")
        return " ".join([str(late), *self.expression.split(" ")[1:]])

    def _start(self, after: datetime) -> datetime:
        """The wall time to walk from: early enough to meet the times that a clock change near by moves or repeats."""
        moments = (after - _LONGEST_SHIFT, after, after + _LONGEST_SHIFT)
        near = {moment.astimezone(self.zone).utcoffset() for moment in moments}
        wall = after.astimezone(self.zone).replace(tzinfo=None)
        return wall - _LONGEST_SHIFT if len(near) > 1 else wall

    def opens_on(self, day: date) -> bool:
        """Whether the gate of an interval or a date lets this day's ticks ring."""
        if self.year is not None and day.year != self.year:
            return False
        return self.anchor is None or (day >= self.anchor and (day - self.anchor).days % self.every_days == 0)

    def _instants(self, wall: datetime) -> list[datetime]:
        """None, one or two instants at which the clock shows this time and the schedule rings for it."""
        first, second = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first == second:
            return [first]
        if first < second:  # the hour that comes twice
            return [first] if self.cron.by_the_clock else [first, second]
        return [self._end_of_gap(second, first)] if self.cron.by_the_clock else []

    def _end_of_gap(self, before: datetime, behind: datetime) -> datetime:
        offset = before.astimezone(self.zone).utcoffset()
        while behind - before > MINUTE:
            middle = before + (behind - before) // MINUTE // 2 * MINUTE
            if middle.astimezone(self.zone).utcoffset() == offset:
                before = middle
            else:
                behind = middle
        return behind

    def _readings(self, cut: datetime) -> Iterator[datetime]:
        """The instant itself, then the tick that Cloud Scheduler may mean by it around a clock change."""
        yield cut
        if not self.cron.by_the_clock:
            return
        local = cut.astimezone(self.zone)
        if local.fold:
            yield local.replace(fold=0).astimezone(UTC)
        earlier = (cut - _LONGEST_SHIFT).astimezone(self.zone).utcoffset()
        shift = (local.utcoffset() or timedelta()) - (earlier or timedelta())
        skipped = local.replace(tzinfo=None) - shift  # what the clock would show, had it not gone forward
        if shift > timedelta() and self._in_gap(skipped) and self._matches(skipped):
            yield from self._instants(skipped)

    def _in_gap(self, wall: datetime) -> bool:
        first, second = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return first > second

    def _matches(self, wall: datetime) -> bool:
        cron = self.cron
        day_matches = wall.day in cron.days and wall.month in cron.months and wall.isoweekday() % 7 in cron.weekdays
        return day_matches and wall.hour in cron.hours and wall.minute in cron.minutes


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ScheduleError("a time without a zone cannot be compared with a schedule")
    return instant.astimezone(UTC)


def clock_changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, timedelta]]:
    """Each instant within [start, end] at which the zone's clocks change, to the hour's quarter, and by how much."""
    start = start.replace(minute=0, second=0, microsecond=0)  # clocks change at a quarter
    quarter = timedelta(minutes=15)
    days = (end - start) // timedelta(days=1)
    for day, after in pairwise(start + timedelta(days=number) for number in range(days + 2)):
        if day.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            for moment in (day + quarter * number for number in range(96)):
                before = moment.astimezone(zone).utcoffset() or timedelta()
                shift = ((moment + quarter).astimezone(zone).utcoffset() or timedelta()) - before
                if shift:
                    yield moment + quarter, shift
