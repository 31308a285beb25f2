"""When one job rings: its timer, its attempts over HTTP, its retries. Never two attempts of a schedule at once."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import aiohttp
import grpc
from google.cloud import scheduler_v1
from google.rpc import status_pb2

from infra.local.oidc import Signer
from infra.local.pubsub.clock import Alarm, Clock
from infra.local.scheduler.rules import backoff, stamp, timetable

ENABLED, PAUSED = scheduler_v1.Job.State(1), scheduler_v1.Job.State(2)
# A timer counts monotonic time, which stands still while a laptop sleeps: look at the wall clock now and then.
LONGEST_NAP = timedelta(seconds=30)
# Later than this for no reason of its own means that the machine slept; the sweep judges such ticks, not the bell.
OVERSLEPT = timedelta(minutes=2)
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 409: 10, 429: 8, 499: 1, 500: 13, 501: 12, 503: 14, 504: 4}
_DEADLINE_EXCEEDED = grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]
_log = logging.getLogger(__name__)


class Bell:
    """One job, its timer and the attempt that is under way. `changed` is called when the job's own record moved."""

    def __init__(
        self,
        job: scheduler_v1.Job,
        clock: Clock,
        http: aiohttp.ClientSession,
        signer: Signer | None,
        changed: Callable[[], None],
    ) -> None:
        self.job, self._clock, self._http, self._signer, self._changed = job, clock, http, signer, changed
        self._alarm: Alarm | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._forced: set[asyncio.Task[None]] = set()
        self._waiting: datetime | None = None  # the tick that fell due while an attempt was under way
        self._tick: datetime | None = None  # the tick of the attempt or the retry in progress
        self._failures = 0
        self._first_attempt: datetime | None = None

    @property
    def under_way(self) -> list[asyncio.Task[None]]:
        return [*self._forced, *([self._attempt] if self._attempt else [])]

    def arm(self) -> None:
        """Waits for the next tick from now; forgets a retry and a tick that waits."""
        self.silence()
        self.job.schedule_time = None
        if self.job.state == ENABLED:
            self._await_tick(self._clock.now())

    def silence(self) -> None:
        """No more ticks and retries. An attempt that is under way runs to its end."""
        if self._alarm:
            self._alarm.cancel()
        self._alarm = self._waiting = self._tick = None
        self._failures = 0

    def force(self) -> None:
        """Rings at once, beside whatever is under way and without moving the schedule; it names the next tick, as the
        service may do: who dedupes by that header would swallow the real tick."""
        due = timetable(self.job).next_tick(self._clock.now()) or self._clock.now()
        task = asyncio.get_running_loop().create_task(self._ring_and_note(due))
        self._forced.add(task)
        task.add_done_callback(self._forced.discard)

    def _await_tick(self, after: datetime) -> None:
        tick = timetable(self.job).next_tick(after)
        if tick is not None:
            self._sleep_until(tick, tick)

    def _sleep_until(self, due: datetime, tick: datetime) -> None:
        self.job.schedule_time = due
        nap = min(due, self._clock.now() + LONGEST_NAP)
        self._alarm = self._clock.call_at(nap, lambda: self._wake(due, tick))

    def _wake(self, due: datetime, tick: datetime) -> None:
        now = self._clock.now()
        if now < due:
            self._sleep_until(due, tick)
        elif now - due > OVERSLEPT:
            _log.warning("the clock jumped over a tick", extra={"job": self.job.name, "tick": stamp(tick)})
            self._await_tick(now)
        elif self._attempt:
            self._waiting = tick  # n + 1 waits for n; those behind it are left out
        else:
            self._begin(tick)

    def _begin(self, tick: datetime) -> None:
        if tick != self._tick:
            self._tick, self._failures, self._first_attempt = tick, 0, self._clock.now()
        self._alarm = None
        self._attempt = asyncio.get_running_loop().create_task(self._ring_and_note(tick))
        self._attempt.add_done_callback(lambda _: self._ended(tick))
        following = timetable(self.job).next_tick(max(tick, self._clock.now()))
        if following is not None:
            self._sleep_until(following, following)

    def _ended(self, tick: datetime) -> None:
        self._attempt = None
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._begin(waiting)
        elif self.job.status.code and self._tick == tick:  # not paused, changed or deleted meanwhile
            self._failures += 1
            self._retry(tick)
        self._changed()

    def _retry(self, tick: datetime) -> None:
        """Tries again unless both limits are reached, or the next tick comes first."""
        retry, now = self.job.retry_config, self._clock.now()
        spent = now - (self._first_attempt or now)
        in_count = self._failures <= retry.retry_count
        in_time = bool(retry.max_retry_duration) and spent < retry.max_retry_duration
        due = now + backoff(retry, self._failures)
        following = timetable(self.job).next_tick(now)
        if not retry.retry_count or not (in_count or in_time) or (following is not None and due >= following):
            return
        if self._alarm:
            self._alarm.cancel()
        self._sleep_until(due, tick)

    async def _ring_and_note(self, tick: datetime) -> None:
        self.job.last_attempt_time = self._clock.now()
        code, message = await self._within_the_deadline(tick)
        self.job.status = status_pb2.Status(code=code, message=message)
        self._changed()

    async def _within_the_deadline(self, tick: datetime) -> tuple[int, str]:
        request = asyncio.ensure_future(self._request(tick))

        def give_up() -> None:
            request.cancel()

        over = self._clock.call_at(self._clock.now() + self.job.attempt_deadline, give_up)
        try:
            await asyncio.wait({request})
        except asyncio.CancelledError:  # the scheduler stops
            request.cancel()
            raise
        finally:
            over.cancel()
        return (
            (_DEADLINE_EXCEEDED, "the target did not answer within the attempt deadline")
            if request.cancelled()
            else request.result()
        )

    async def _request(self, tick: datetime) -> tuple[int, str]:
        target = self.job.http_target
        headers = {
            **target.headers,
            "User-Agent": "Google-Cloud-Scheduler",
            "X-CloudScheduler": "true",
            "X-CloudScheduler-JobName": self.job.name.rpartition("/")[2],
            "X-CloudScheduler-ScheduleTime": stamp(tick),
        }
        account = target.oidc_token.service_account_email
        if account and self._signer:
            headers["Authorization"] = f"Bearer {self._signer.token(target.oidc_token.audience, account)}"
        method = scheduler_v1.HttpMethod(target.http_method).name
        try:
            async with self._http.request(method, target.uri, data=target.body or None, headers=headers) as answer:
                await answer.read()
        except aiohttp.ClientError as unreachable:
            return _UNAVAILABLE, f"{type(unreachable).__name__}: {unreachable}"
        if 200 <= answer.status < 300:
            return 0, ""
        return _CODES.get(answer.status, 2), f"HTTP {answer.status}"
