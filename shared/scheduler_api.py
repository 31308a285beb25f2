"""How Belfry talks to Cloud Scheduler: what it holds of each job, and the few calls that change it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from shared.config import config
from shared.errors import Unavailable

if TYPE_CHECKING:
    from google.cloud.scheduler_v1 import CloudSchedulerClient, Job

T = TypeVar("T")
TIMEOUT = 10.0  # seconds for one call
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

    `owns_targets`: there is no Terraform here, Belfry makes every job (the local cloud).
    """

    def __init__(self, client: CloudSchedulerClient, project: str, location: str, *, owns_targets: bool) -> None:
        self._client = client
        self._parent = f"projects/{project}/locations/{location}"
        self.account = f"scheduler@{project}.iam.gserviceaccount.com"
        self.owns_targets = owns_targets

    def all(self) -> dict[str, Ring]:
        """Every job by its short id."""
        jobs = _answered(lambda: list(self._client.list_jobs(parent=self._parent, timeout=TIMEOUT)))
        return {ring.job_id: ring for ring in map(_ring, jobs)}

    def create(self, ring: Ring) -> None:
        _answered(partial(self._client.create_job, parent=self._parent, job=self._job(ring), timeout=TIMEOUT))
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
            _answered(partial(self._client.update_job, job=self._job(new), update_mask=mask, timeout=TIMEOUT))
        if old.paused and not new.paused:
            self._turn(new.job_id, paused=False)

    def remove(self, ring: Ring) -> None:
        """Silenced first, so that a failure in between leaves nothing that rings."""
        if not ring.paused:
            self._turn(ring.job_id, paused=True)
        _answered(partial(self._client.delete_job, name=self._name(ring.job_id), timeout=TIMEOUT))

    def _turn(self, job_id: str, *, paused: bool) -> None:
        call = self._client.pause_job if paused else self._client.resume_job
        _answered(partial(call, name=self._name(job_id), timeout=TIMEOUT))

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


def _answered(call: Callable[[], T]) -> T:
    from google.api_core import exceptions

    try:
        return call()
    except (exceptions.ServiceUnavailable, exceptions.DeadlineExceeded, exceptions.RetryError) as error:
        raise Unavailable("Cloud Scheduler did not answer") from error


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
def connect(location: str = "local") -> Iterator[SchedulerApi]:
    """The Cloud Scheduler of this environment: the local one when SCHEDULER_ADDRESS is set, else Google's."""
    from google.cloud.scheduler_v1 import CloudSchedulerClient

    settings = config()
    if not settings.scheduler_address:
        with CloudSchedulerClient() as client:
            yield SchedulerApi(client, settings.project, location, owns_targets=False)
        return
    import grpc
    from google.cloud.scheduler_v1.services.cloud_scheduler.transports import CloudSchedulerGrpcTransport

    with grpc.insecure_channel(settings.scheduler_address) as channel:
        client = CloudSchedulerClient(transport=CloudSchedulerGrpcTransport(channel=channel))
        yield SchedulerApi(client, settings.project, location, owns_targets=True)
