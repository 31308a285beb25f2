"""One attempt: the HTTP request as Cloud Scheduler makes it, and what its answer means."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
import grpc
from google.cloud import scheduler_v1

from infra.local.oidc import Signer
from infra.local.pubsub.clock import Clock
from infra.local.scheduler.rules import stamp

_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 409: 10, 429: 8, 499: 1, 500: 13, 501: 12, 503: 14, 504: 4}
_UNKNOWN = 2
_DEADLINE_EXCEEDED = grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]

Outcome = tuple[int, str]  # google.rpc.Code and a message; 0 is success


@dataclass(frozen=True)
class Call:
    """What a job's attempts have in common; read from the job once, since many may fire in the same moment."""

    method: str
    uri: str
    headers: Mapping[str, str]
    body: bytes | None
    account: str
    audience: str
    deadline: timedelta

    @classmethod
    def of(cls, job: scheduler_v1.Job) -> "Call":
        target = job.http_target
        own = {
            "User-Agent": "Google-Cloud-Scheduler",
            "X-CloudScheduler": "true",
            "X-CloudScheduler-JobName": job.name.rpartition("/")[2],
        }
        return cls(
            method=scheduler_v1.HttpMethod(target.http_method).name,
            uri=target.uri,
            headers={**target.headers, **own},
            body=target.body or None,
            account=target.oidc_token.service_account_email,
            audience=target.oidc_token.audience,
            deadline=job.attempt_deadline,
        )

    async def send(self, tick: datetime, http: aiohttp.ClientSession, signer: Signer | None, clock: Clock) -> Outcome:
        """Sends it for a tick and waits for the answer, at most to the deadline."""
        request = asyncio.ensure_future(self._request(tick, http, signer))

        def give_up() -> None:
            request.cancel()

        over = clock.call_at(clock.now() + self.deadline, give_up)
        try:
            await asyncio.wait({request})
        except asyncio.CancelledError:  # the scheduler stops
            request.cancel()
            raise
        finally:
            over.cancel()
        if request.cancelled():
            return _DEADLINE_EXCEEDED, "the target did not answer within the attempt deadline"
        return request.result()

    async def _request(self, tick: datetime, http: aiohttp.ClientSession, signer: Signer | None) -> Outcome:
        headers = {**self.headers, "X-CloudScheduler-ScheduleTime": stamp(tick)}
        if self.account and signer:
            headers["Authorization"] = f"Bearer {signer.token(self.audience, self.account)}"
        try:
            async with http.request(self.method, self.uri, data=self.body, headers=headers) as answer:
                await answer.read()
        except aiohttp.ClientError as unreachable:
            return _UNAVAILABLE, f"{type(unreachable).__name__}: {unreachable}"
        if 200 <= answer.status < 300:
            return 0, ""
        return _CODES.get(answer.status, _UNKNOWN), f"HTTP {answer.status}"
