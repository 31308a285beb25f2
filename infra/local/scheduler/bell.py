"""When one job rings: its timer, its attempts, its retries. Never two attempts of a schedule at once."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import aiohttp
from google.cloud import scheduler_v1
from google.rpc import status_pb2

from infra.local.oidc import Signer
from infra.local.pubsub.clock import Alarm, Clock
from infra.local.scheduler.attempt import Call, Outcome
from infra.local.scheduler.rules import backoff, stamp, timetable

ENABLED, PAUSED = scheduler_v1.Job.State(1), scheduler_v1.Job.State(2)
# A timer counts monotonic time, which stands still while a laptop sleeps: look at the wall clock now and then.
LONGEST_NAP = timedelta(seconds=30)
# Later than this for no reason of its own means that the machine slept; the sweep judges such ticks, not the bell.
OVERSLEPT = timedelta(minutes=2)
_log = logging.getLogger(__name__)


class Bell:
    """One job, its timer and the attempt that is under way. `changed` is called when an attempt moved its record."""

    def __init__(
        self,
        job: scheduler_v1.Job,
        clock: Clock,
        http: aiohttp.ClientSession,
        signer: Signer | None,
        changed: Callable[[], None],
    ) -> None:
        self._clock, self._http, self._signer, self._changed = clock, http, signer, changed
        self._alarm: Alarm | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._forced: set[asyncio.Task[None]] = set()
        self._due: datetime | None = None  # what the alarm waits for: a tick or a retry
        self._waiting: datetime | None = None  # the tick that fell due while an attempt was under way
        self._tick: datetime | None = None  # the tick of the attempt or the retry in progress
        self._failures = 0
        self._first_attempt: datetime | None = None
        self._last_attempt: datetime | None = job.last_attempt_time
        self._outcome: Outcome = (job.status.code, job.status.message)
        self.change(job)

    @property
    def job(self) -> scheduler_v1.Job:
        """The job with its record of now."""
        self._job.schedule_time, self._job.last_attempt_time = self._due, self._last_attempt
        code, message = self._outcome
        self._job.status = status_pb2.Status(code=code, message=message)
        return self._job

    @property
    def under_way(self) -> list[asyncio.Task[None]]:
        return [*self._forced, *([self._attempt] if self._attempt else [])]

    def change(self, job: scheduler_v1.Job) -> None:
        """Takes a new definition and waits for its next tick from now; forgets a retry and a tick that waits."""
        self._job, self._timetable, self._call = job, timetable(job), Call.of(job)
        self.silence()
        if job.state == ENABLED:
            self._await_tick(self._clock.now())

    def turn(self, state: scheduler_v1.Job.State) -> None:
        self._job.state = state
        self.change(self._job)

    def silence(self) -> None:
        """No more ticks and retries. An attempt that is under way runs to its end."""
        if self._alarm:
            self._alarm.cancel()
        self._alarm = self._due = self._waiting = self._tick = None
        self._failures = 0

    def force(self) -> None:
        """Rings at once, beside whatever is under way and without moving the schedule.

        It names the next tick, as the service may do: who dedupes by that header would swallow the real tick.
        """
        due = self._timetable.next_tick(self._clock.now()) or self._clock.now()
        task = asyncio.get_running_loop().create_task(self._ring(due))
        self._forced.add(task)
        task.add_done_callback(self._forced.discard)

    def _await_tick(self, after: datetime) -> None:
        tick = self._timetable.next_tick(after)
        if tick is not None:
            self._sleep_until(tick, tick)

    def _sleep_until(self, due: datetime, tick: datetime) -> None:
        self._due = due
        nap = min(due, self._clock.now() + LONGEST_NAP)
        self._alarm = self._clock.call_at(nap, lambda: self._wake(due, tick))

    def _wake(self, due: datetime, tick: datetime) -> None:
        now = self._clock.now()
        if now < due:
            self._sleep_until(due, tick)
        elif now - due > OVERSLEPT:
            _log.warning("the clock jumped over a tick", extra={"job": self._job.name, "tick": stamp(tick)})
            self._await_tick(now)
        elif self._attempt:
            self._waiting = tick  # n + 1 waits for n; those behind it are left out
        else:
            self._begin(tick)

    def _begin(self, tick: datetime) -> None:
        now = self._clock.now()
        if tick != self._tick:
            self._tick, self._failures, self._first_attempt = tick, 0, now
        self._alarm = None
        self._attempt = asyncio.get_running_loop().create_task(self._ring(tick))
        self._attempt.add_done_callback(lambda _: self._ended(tick))
        self._await_tick(max(tick, now))

    def _ended(self, tick: datetime) -> None:
        self._attempt = None
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._begin(waiting)
        elif self._outcome[0] and self._tick == tick:  # not paused, changed or deleted meanwhile
            self._failures += 1
            self._retry(tick)

    def _retry(self, tick: datetime) -> None:
        """Tries again unless both limits are reached, or the next tick comes first."""
        retry, now = self._job.retry_config, self._clock.now()
        spent = now - (self._first_attempt or now)
        in_count = self._failures <= retry.retry_count
        in_time = bool(retry.max_retry_duration) and spent < retry.max_retry_duration
        due = now + backoff(retry, self._failures)
        following = self._timetable.next_tick(now)
        if not retry.retry_count or not (in_count or in_time) or (following is not None and due >= following):
            return
        if self._alarm:
            self._alarm.cancel()
        self._sleep_until(due, tick)

    async def _ring(self, tick: datetime) -> None:
        self._last_attempt = self._clock.now()
        self._outcome = await self._call.send(tick, self._http, self._signer, self._clock)
        self._changed()
