"""How is a tick posted? As Cloud Scheduler posts it, with a clock of its own where the time is not the machine's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from infra.local.oidc import Signer
from infra.local.topology import PROJECT
from shared.cronfile.specs import JobSpec

CALLER = f"scheduler@{PROJECT}.iam.gserviceaccount.com"
AT_ONCE = 4  # requests; two cores do not do more any faster
TRIES, REST = 5, 1.0  # of a tick that is answered 5xx; seconds before the second try, twice as long before each next
SWEEPERS = ("sweep_runs", "sweep_deliveries")


@dataclass(frozen=True, order=True)
class Tick:
    """A job's due time."""

    at: datetime
    job: str


@dataclass(frozen=True)
class Answer:
    """What the function said. A `status` of 0 is a function that never answered."""

    tick: Tick
    status: int
    content: dict[str, Any]

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


def due(jobs: Iterable[JobSpec], after: datetime, until: datetime) -> list[Tick]:
    """Every tick of the jobs that are enabled, in time order: after < t <= until."""
    ticks = [
        Tick(at, job.id)
        for job in jobs
        if job.enabled and job.timetable is not None
        for at in job.timetable.ticks(after, until)
    ]
    return sorted(ticks)


class Poster:
    """Posts ticks to the functions at `url`, at most four at a time."""

    def __init__(self, session: aiohttp.ClientSession, url: str, signer: Signer) -> None:
        self._session = session
        self._url = url
        self._signer = signer
        self._room = asyncio.Semaphore(AT_ONCE)

    async def post(self, tick: Tick, now: datetime | None = None, *, by_hand: bool = False) -> Answer:
        """POST the tick, on the clock `now` (its own time if None), again while the function says "later".

        `by_hand`: not the tick itself but a run of its time, beside it.
        """
        endpoint = f"{self._url}/functions/{tick.job}"
        headers = {
            "User-Agent": "Google-Cloud-Scheduler",
            "X-CloudScheduler": "true",
            "X-CloudScheduler-JobName": tick.job,
            "X-CloudScheduler-ScheduleTime": tick.at.isoformat(),
            "X-Belfry-Now": (now or tick.at).isoformat(),
            "Content-Type": "application/json",
        }
        body = {"job": tick.job}
        if by_hand:
            body |= {"kind": "manual", "run_at": tick.at.isoformat()}
        answer = Answer(tick, 0, {})
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(REST * 2 ** (attempt - 1))
            async with self._room:
                headers["Authorization"] = f"Bearer {self._signer.token(endpoint, CALLER)}"
                answer = await self._once(tick, endpoint, headers, body)
            # A 503 with an execution has its row: the sweep tries again when its time has come.
            if 0 < answer.status < 500 or "execution_id" in answer.content:
                break
        return answer

    async def _once(self, tick: Tick, endpoint: str, headers: dict[str, str], body: dict[str, str]) -> Answer:
        try:
            async with self._session.post(endpoint, data=json.dumps(body), headers=headers) as answer:
                text = await answer.text()
                content = json.loads(text) if answer.content_type == "application/json" else {"text": text}
                return Answer(tick, answer.status, content)
        except aiohttp.ClientError as error:
            return Answer(tick, 0, {"error": {"code": "no_answer", "message": f"{type(error).__name__}: {error}"}})
