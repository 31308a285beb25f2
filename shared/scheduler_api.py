"""How Belfry talks to Cloud Scheduler: what it holds of each job, and the few calls that change it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from shared.config import config
from shared.errors import Unavailable
from shared.pace import Pace

if TYPE_CHECKING:
    from google.cloud.scheduler_v1 import CloudSchedulerClient, Job

T = TypeVar("T")
TIMEOUT = 10.0  # seconds for one call
# Of Cloud Scheduler's 500 writes and 1,250 reads a minute; the rest is for people and Terraform.
WRITES, READS = 450, 1000
QUOTA_WAITS = (2.0, 4.0, 8.0, 16.0, 32.0)  # seconds; together longer than the minute by which the quota is counted
BLINKS = 2  # calls in a row that may stay without an answer and are made again
RETRIES = {"retry_count": 3, "min_backoff_duration": {"seconds": 10}}  # of an attempt that was not answered 2xx


@dataclass(frozen=True)
class Ring:
    """One job as Cloud Scheduler should hold it, or holds it.

    `made_here`: Belfry makes this job with its target (always locally; in the cloud only custom jobs). Of the others
    Terraform owns the target, and Belfry writes schedule and pause only.
    """

    job_id: str
    schedule: str
    time_zone: str
    uri: str
    deadline: int  # seconds
    account: str
    paused: bool
    made_here: bool = field(default=True, compare=False)
    next_at: datetime | None = field(default=None, compare=False)
    last_at: datetime | None = field(default=None, compare=False)
    last_code: int = field(default=0, compare=False)  # google.rpc.Code of the last attempt

    def differences(self, other: Ring) -> dict[str, tuple[Any, Any]]:
        """Field by field: what is here, what the other one shall have."""
        names = ("schedule", "time_zone", "paused", *(("uri", "deadline", "account") if other.made_here else ()))
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


class SchedulerApi:
    """The jobs of one project and location.

    `owns_targets`: there is no Terraform here, Belfry makes every job (the local cloud). Calls keep within the quota
    by themselves, and each may be made again: what it finds done already it leaves. They raise Unavailable.
    """

    def __init__(
        self,
        client: CloudSchedulerClient,
        project: str,
        location: str,
        *,
        owns_targets: bool,
        writes: Pace | None = None,
        reads: Pace | None = None,
    ) -> None:
        self._client = client
        self._parent = f"projects/{project}/locations/{location}"
        self._writes, self._reads = writes or Pace(WRITES), reads or Pace(READS)
        self.account = f"scheduler@{project}.iam.gserviceaccount.com"
        self.owns_targets = owns_targets

    def all(self) -> dict[str, Ring]:
        """Every job by its short id."""
        found: dict[str, Ring] = {}
        page = ""
        while True:
            request = {"parent": self._parent, "page_size": 500, "page_token": page}
            answer = self._ask(partial(self._client.list_jobs, request=request), self._reads)
            found |= {ring.job_id: ring for ring in map(_ring, answer.jobs)}
            page = answer.next_page_token
            if not page:
                return found

    def create(self, ring: Ring) -> None:
        """Makes the job; one that somebody made meanwhile becomes like it."""
        from google.api_core.exceptions import AlreadyExists

        call = partial(self._client.create_job, parent=self._parent, job=self._job(ring))
        try:
            self._ask(call, expected=AlreadyExists)
        except AlreadyExists:
            self.change(self._one(ring.job_id), ring)
        else:
            if ring.paused:
                self._turn(ring.job_id, paused=True)

    def change(self, old: Ring, new: Ring) -> None:
        """Makes the old one like the new one; a pause comes before a new schedule, a resumption after it."""
        changed = old.differences(new).keys()
        if new.paused and not old.paused:
            self._turn(new.job_id, paused=True)
        paths: list[str] = [name for name in ("schedule", "time_zone") if name in changed]
        if changed & {"uri", "deadline", "account"}:
            paths += ["http_target", "attempt_deadline", "retry_config"]
        if paths:
            mask = {"paths": paths}
            self._ask(partial(self._client.update_job, job=self._job(new), update_mask=mask))
        if old.paused and not new.paused:
            self._turn(new.job_id, paused=False)

    def silence(self, ring: Ring) -> None:
        """It rings no more; whoever made it takes it away."""
        if not ring.paused:
            self._turn(ring.job_id, paused=True)

    def remove(self, ring: Ring) -> None:
        """Silenced first, so that a failure in between leaves nothing that rings."""
        from google.api_core.exceptions import NotFound

        call = partial(self._client.delete_job, name=self._name(ring.job_id))
        self.silence(ring)
        with suppress(NotFound):
            self._ask(call, expected=NotFound)

    def _turn(self, job_id: str, *, paused: bool) -> None:
        from google.api_core.exceptions import FailedPrecondition

        call = self._client.pause_job if paused else self._client.resume_job
        try:
            self._ask(partial(call, name=self._name(job_id)), expected=FailedPrecondition)
        except FailedPrecondition:
            if self._one(job_id).paused is not paused:
                raise Unavailable(f"Cloud Scheduler does not let {job_id} be paused or resumed now") from None

    def _one(self, job_id: str) -> Ring:
        call = partial(self._client.get_job, name=self._name(job_id))
        return _ring(self._ask(call, self._reads))

    def _ask(
        self, call: Callable[..., T], pace: Pace | None = None, *, expected: type[Exception] | tuple[()] = ()
    ) -> T:
        """The answer of one call, within the quota. An expected refusal is the caller's."""
        from google.api_core import exceptions

        pace, waits, blinks = pace or self._writes, iter(QUOTA_WAITS), BLINKS
        while True:
            pace.take()
            try:
                return call(retry=None, timeout=TIMEOUT)  # the client's own retries go on for ten minutes
            except expected:
                raise
            except exceptions.ResourceExhausted as error:
                wait = next(waits, None)
                if wait is None:
                    raise Unavailable("Cloud Scheduler's quota is used up") from error
                pace.rest(wait)
            except (exceptions.ServiceUnavailable, exceptions.DeadlineExceeded) as error:
                blinks -= 1
                if blinks < 0:
                    raise Unavailable("Cloud Scheduler does not answer") from error
                pace.rest(1.0)
            except exceptions.GoogleAPIError as error:
                raise Unavailable(f"Cloud Scheduler did not do it ({type(error).__name__})") from error

    def _name(self, job_id: str) -> str:
        return f"{self._parent}/jobs/{job_id}"

    def _job(self, ring: Ring) -> Job:
        from google.cloud import scheduler_v1

        content = {
            "name": self._name(ring.job_id),
            "schedule": ring.schedule,
            "time_zone": ring.time_zone,
            "attempt_deadline": {"seconds": ring.deadline},
            "retry_config": RETRIES,
            "http_target": {
                "uri": ring.uri,
                "http_method": "POST",
                "headers": {"Content-Type": "application/json"},
                "body": json.dumps({"job": ring.job_id}).encode(),
                "oidc_token": {"service_account_email": ring.account, "audience": ring.uri},
            },
        }
        return scheduler_v1.Job(content)


def _ring(job: Job) -> Ring:
    from google.cloud import scheduler_v1

    target = job.http_target
    deadline: timedelta = job.attempt_deadline or timedelta(minutes=3)
    return Ring(
        job_id=job.name.rpartition("/")[2],
        schedule=job.schedule,
        time_zone=job.time_zone,
        uri=target.uri,
        deadline=int(deadline.total_seconds()),
        account=target.oidc_token.service_account_email,
        paused=job.state == scheduler_v1.Job.State.PAUSED,
        next_at=job.schedule_time,
        last_at=job.last_attempt_time,
        last_code=job.status.code,
    )


@contextmanager
def connect() -> Iterator[SchedulerApi]:
    """The Cloud Scheduler of this environment: the local one when SCHEDULER_ADDRESS is set, else Google's."""
    from google.cloud.scheduler_v1 import CloudSchedulerClient

    settings = config()
    if not settings.scheduler_address and not settings.region:
        raise Unavailable("there is no Cloud Scheduler here: SCHEDULER_ADDRESS and BELFRY_REGION are not set")
    if not settings.scheduler_address:
        with CloudSchedulerClient() as client:
            yield SchedulerApi(client, settings.project, settings.region, owns_targets=False)
        return
    import grpc
    from google.cloud.scheduler_v1.services.cloud_scheduler.transports import CloudSchedulerGrpcTransport

    with grpc.insecure_channel(settings.scheduler_address) as channel:
        client = CloudSchedulerClient(transport=CloudSchedulerGrpcTransport(channel=channel))
        yield SchedulerApi(client, settings.project, "local", owns_targets=True)
