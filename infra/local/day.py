"""How does a whole day ring in a minute? On a clock that jumps from one due time to the next."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, TextClause, text

from infra.local.cloud import Cloud
from infra.local.pubsub.clock import Alarm
from infra.local.ticks import SWEEPERS, Answer, Tick, due
from shared.errors import BelfryError

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE = timedelta(minutes=1)
PATIENCE = 120.0  # real seconds until one instant's work must be done
NUDGE = 35.0  # real seconds after which a message that its run could not publish is the sweeper's
RUNS, DELIVERIES = "sweep_runs", "sweep_deliveries"

_SWEPT = text("update belfry.jobs set swept_through = :at where :everyone or job_id = any(:sweepers)")
# What the functions still have in hand; a message that waits for its time has not been handed to anybody.
_IN_HAND = text("""
  select (select count(*) from belfry.job_executions where state = 'running') as runs,
         (select count(*) from belfry.notification_deliveries
          where state = 'sending' or state = 'queued' and next_attempt_at <= :now) as deliveries,
         (select count(*) from belfry.outbox where published_at is null) as messages""")
_RUNS_TO_START = text("""
  select min(case when state = 'waiting' then cast(:now as timestamptz) else coalesce(retry_at, :now) end)
  from belfry.job_executions
  where state in ('pending', 'waiting', 'retry_wait')""")
_DELIVERIES_TO_MOVE = text("""
  select min(next_attempt_at) from belfry.notification_deliveries
  where state in ('deferred', 'retry_wait', 'uncertain')""")


class NotDrainedError(BelfryError):
    """Something that was due did not come to its end."""


class DayClock:
    """Stands still until it is put forward. Alarms never ring: the day itself posts what is due."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def call_at(self, when: datetime, action: Callable[[], None]) -> Alarm:
        return _Never()


class _Never:
    def cancel(self) -> None:
        """There is nothing to forget."""


@dataclass
class Day:
    """Plays one day of the factory, or `days` in a row, on a cloud whose clock is `clock`."""

    cloud: Cloud
    clock: DayClock
    day: date
    days: int = 1
    answers: list[Answer] = field(default_factory=list)

    async def play(self, shown: Callable[[datetime, int], None] = lambda at, rung: None) -> None:
        """Every tick in time order; `shown` is told each instant and how many jobs rang at it."""
        start, end = bounds(self.day, self.days)
        with self.cloud.engine.connect() as connection:
            connection.execute(_SWEPT, {"at": start - MINUTE, "everyone": True, "sweepers": []})
        jobs = [job for job in self.cloud.file.jobs.values() if job.id not in (RUNS, DELIVERIES)]
        rings: dict[datetime, list[Tick]] = {}
        for tick in due(jobs, start - MINUTE, end - MINUTE):
            rings.setdefault(tick.at, []).append(tick)
        sweeps = {start + timedelta(hours=hour, minutes=59) for hour in range((end - start) // timedelta(hours=1))}
        self._wake: set[datetime] = set()
        self.clock.at = start
        while left := {at for at in rings.keys() | sweeps | self._wake if self.clock.at <= at < end}:
            self.clock.at = at = min(left)
            together = rings.pop(at, [])
            sweeps.discard(at)
            self._wake.discard(at)
            await self._post(together)
            await self._sweep(at, hourly=at.minute == 59)
            shown(at, len(together))

    async def _post(self, ticks: list[Tick]) -> None:
        self.answers += await asyncio.gather(*(self.cloud.poster.post(tick, self.clock.at) for tick in ticks))
        await self._drained()

    async def _sweep(self, at: datetime, *, hourly: bool) -> None:
        """The sweepers' ticks of this minute, where they have something to do; and when they will have."""
        if hourly or self._when(_RUNS_TO_START) == at:
            with self.cloud.engine.connect() as connection:
                # A minute without anything to sweep is left out on purpose, not missed.
                connection.execute(_SWEPT, {"at": at, "everyone": False, "sweepers": list(SWEEPERS)})
            await self._post([Tick(at, RUNS)])
        await self._post([Tick(at, DELIVERIES)])
        for query in (_RUNS_TO_START, _DELIVERIES_TO_MOVE):
            when = self._when(query)
            if when is not None:
                self._wake.add(max(when, at + MINUTE))

    def _when(self, query: TextClause) -> datetime | None:
        """The minute at which the first of them is due, now if it is past."""
        with self.cloud.engine.connect() as connection:
            found: datetime | None = connection.execute(query, {"now": self.clock.at}).scalar_one_or_none()
        if found is None:
            return None
        up = found.replace(second=0, microsecond=0)
        return max(self.clock.at, up if up == found else up + MINUTE)

    async def _drained(self) -> None:
        now = asyncio.get_running_loop().time
        until, nudge = now() + PATIENCE, now() + NUDGE
        while any(in_hand := self._in_hand()):
            if now() > until:
                what = ", ".join(f"{count} {name}" for name, count in in_hand._mapping.items())
                raise NotDrainedError(f"at {self.clock.at.astimezone(ZONE):%H:%M} did not come to an end: {what}")
            if now() > nudge:
                nudge = now() + NUDGE
                await self.cloud.poster.post(Tick(self.clock.at, DELIVERIES), by_hand=True)
            await asyncio.sleep(0.02)

    def _in_hand(self) -> Row[Any]:
        with self.cloud.engine.connect() as connection:
            return connection.execute(_IN_HAND, {"now": self.clock.at}).one()


def bounds(day: date, days: int = 1) -> tuple[datetime, datetime]:
    """A day of the factory, or several: from its midnight to the one after the last."""
    start = datetime.combine(day, time(), ZONE)
    return start, start + timedelta(days=days)
