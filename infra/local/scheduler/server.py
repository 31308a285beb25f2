"""The gRPC surface of google.cloud.scheduler.v1, for the unmodified client: jobs in, bells rung by the wall clock."""

import asyncio
import base64
import binascii
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import grpc
from google.cloud import scheduler_v1
from google.protobuf import empty_pb2

from infra.local.oidc import Signer
from infra.local.pubsub.clock import Clock, RealClock
from infra.local.scheduler.bell import ENABLED, PAUSED, Bell
from infra.local.scheduler.quota import Quota
from infra.local.scheduler.rules import RefusedError, check_parent, completed, invalid, new_name, updated
from infra.local.scheduler.store import Store

WRITTEN_WITHIN = 0.5  # seconds
SERVICE = "google.cloud.scheduler.v1.CloudScheduler"
Call = Callable[[Any], Awaitable[Any]]


class LocalScheduler:
    """Cloud Scheduler on 127.0.0.1. Jobs live in `folder` (None: forgotten at the end); `signer` signs OIDC tokens.

    `quota` None: as many calls as anybody likes.
    """

    def __init__(
        self,
        folder: Path | None,
        signer: Signer | None,
        port: int = 0,
        *,
        clock: Clock | None = None,
        quota: Quota | None = None,
    ) -> None:
        self._folder, self._signer, self._port = folder, signer, port
        self._quota = quota
        self._clock: Clock = clock or RealClock()
        self._bells: dict[str, Bell] = {}
        self._store: Store | None = None
        self._moved: set[str] = set()  # jobs whose last attempt is not on disk yet
        self._http: aiohttp.ClientSession | None = None
        self._server: grpc.aio.Server | None = None

    async def start(self) -> str:
        """Loads the jobs, arms them from now on (what fell due meanwhile does not ring) and answers host:port."""
        self._store = Store(self._folder)
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
        )
        for job in self._store.load():
            self._hang(job)
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((self._handlers(),))
        self._port = self._server.add_insecure_port(f"127.0.0.1:{self._port}")
        await self._server.start()
        return f"127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Ends what is under way; jobs that were kept ring again after the next start."""
        if self._server:
            await self._server.stop(grace=0.5)
        attempts = [attempt for bell in self._bells.values() for attempt in bell.under_way]
        for bell in self._bells.values():
            bell.silence()
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
        self._write()
        self._bells.clear()
        if self._http:
            await self._http.close()
        if self._store:
            self._store.close()
        self._server = self._http = self._store = None

    async def quiet(self) -> None:
        """Waits until no attempt is under way."""
        while attempts := [attempt for bell in self._bells.values() for attempt in bell.under_way]:
            await asyncio.gather(*attempts)

    async def list_jobs(self, request: scheduler_v1.ListJobsRequest) -> scheduler_v1.ListJobsResponse:
        parent = check_parent(request.parent)
        if request.page_size < 0:
            raise invalid("The page size must not be negative.")
        try:
            after = base64.urlsafe_b64decode(request.page_token).decode()
        except (binascii.Error, UnicodeDecodeError) as broken:
            raise invalid("The page token is not one of this list.") from broken
        names = sorted(name for name in self._bells if name.startswith(f"{parent}/jobs/") and name > after)
        size = min(request.page_size or 500, 500)
        more = base64.urlsafe_b64encode(names[size - 1].encode()).decode() if len(names) > size else ""
        jobs = [self._bells[name].job for name in names[:size]]
        return scheduler_v1.ListJobsResponse(jobs=jobs, next_page_token=more)

    async def get_job(self, request: scheduler_v1.GetJobRequest) -> scheduler_v1.Job:
        return self._bell(request.name).job

    async def create_job(self, request: scheduler_v1.CreateJobRequest) -> scheduler_v1.Job:
        name = new_name(request.parent, request.job.name)
        if name in self._bells:
            raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, f"Job {name.rpartition('/')[2]!r} already exists.")
        job = completed(scheduler_v1.Job(request.job))
        job.name, job.state, job.user_update_time = name, ENABLED, self._clock.now()
        for output in ("status", "schedule_time", "last_attempt_time"):
            setattr(job, output, None)
        return self._keep(self._hang(job))

    async def update_job(self, request: scheduler_v1.UpdateJobRequest) -> scheduler_v1.Job:
        bell = self._bell(request.job.name)
        job = completed(updated(bell.job, request.job, scheduler_v1.UpdateJobRequest.pb(request).update_mask))
        job.user_update_time = self._clock.now()
        bell.change(job)
        return self._keep(bell)

    async def delete_job(self, request: scheduler_v1.DeleteJobRequest) -> empty_pb2.Empty:
        self._bell(request.name).silence()
        del self._bells[request.name]
        if self._store:
            self._store.delete(request.name)
        return empty_pb2.Empty()

    async def pause_job(self, request: scheduler_v1.PauseJobRequest) -> scheduler_v1.Job:
        return self._turn(request.name, ENABLED, PAUSED)

    async def resume_job(self, request: scheduler_v1.ResumeJobRequest) -> scheduler_v1.Job:
        return self._turn(request.name, PAUSED, ENABLED)

    async def run_job(self, request: scheduler_v1.RunJobRequest) -> scheduler_v1.Job:
        bell = self._bell(request.name)
        bell.force()
        return bell.job

    def _turn(self, name: str, old: scheduler_v1.Job.State, new: scheduler_v1.Job.State) -> scheduler_v1.Job:
        bell = self._bell(name)
        if bell.job.state != old:
            state = scheduler_v1.Job.State(bell.job.state).name
            says = f"Job.state must be {old.name} for this request; it is {state}."
            raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, says)
        bell.turn(new)
        return self._keep(bell)

    def _bell(self, name: str) -> Bell:
        if name not in self._bells:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, "Job not found.")
        return self._bells[name]

    def _hang(self, job: scheduler_v1.Job) -> Bell:
        if self._http is None:
            raise RefusedError(grpc.StatusCode.UNAVAILABLE, "The local Cloud Scheduler is not started.")
        bell = Bell(job, self._clock, self._http, self._signer, lambda: self._note(job.name))
        self._bells[job.name] = bell
        return bell

    def _note(self, name: str) -> None:
        """Puts the record of an attempt on disk soon; a thousand that end together are one write."""
        if not self._moved:
            asyncio.get_running_loop().call_later(WRITTEN_WITHIN, self._write)
        self._moved.add(name)

    def _write(self) -> None:
        moved = [self._bells[name].job for name in self._moved if name in self._bells]
        self._moved.clear()
        if self._store:
            self._store.save(*moved)

    def _keep(self, bell: Bell) -> scheduler_v1.Job:
        job = bell.job
        if self._store:
            self._store.save(job)
        return job

    def _handlers(self) -> grpc.GenericRpcHandler:
        v1 = scheduler_v1
        calls: dict[str, tuple[Call, Any, Callable[[Any], bytes]]] = {
            "ListJobs": (self.list_jobs, v1.ListJobsRequest.deserialize, v1.ListJobsResponse.serialize),
            "GetJob": (self.get_job, v1.GetJobRequest.deserialize, v1.Job.serialize),
            "CreateJob": (self.create_job, v1.CreateJobRequest.deserialize, v1.Job.serialize),
            "UpdateJob": (self.update_job, v1.UpdateJobRequest.deserialize, v1.Job.serialize),
            "DeleteJob": (self.delete_job, v1.DeleteJobRequest.deserialize, empty_pb2.Empty.SerializeToString),
            "PauseJob": (self.pause_job, v1.PauseJobRequest.deserialize, v1.Job.serialize),
            "ResumeJob": (self.resume_job, v1.ResumeJobRequest.deserialize, v1.Job.serialize),
            "RunJob": (self.run_job, v1.RunJobRequest.deserialize, v1.Job.serialize),
        }
        methods = {
            name: grpc.unary_unary_rpc_method_handler(functools.partial(self._answer, name, call), reads, writes)
            for name, (call, reads, writes) in calls.items()
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def _answer(self, method: str, call: Call, request: Any, context: grpc.aio.ServicerContext) -> Any:
        try:
            if self._quota:
                self._quota.use(method, self._clock.now())
            return await call(request)
        except RefusedError as refused:
            await context.abort(refused.code, refused.message)
