"""One real Postgres and one local Pub/Sub for the whole run; a migrated, untouched database for every test that asks."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import Connection, text
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request as WerkzeugRequest

from shared.cronfile.loading import load
from shared.cronfile.specs import JobSpec
from shared.operator import declared, reload_rows
from tests.lending import Lender

pytest.register_assert_rewrite("tests.acceptance")  # its failures show what differed

ROOT = Path(__file__).resolve().parents[1]
# These begin first: what takes minutes and began last would leave one process waiting for the other.
LONGEST = ("infra/test_day", "infra/test_up.py", "faults/test_replay_day.py", "shared/test_state_machine.py")
PROJECT = "belfry-local"


class _Services:
    """What the controller of a run starts once; its workers find it through the environment."""

    def __init__(self) -> None:
        from infra.local.postgres import Postgres
        from infra.local.pubsub import LocalPubSub
        from tests.lending import make_template

        self.folder = Path(tempfile.mkdtemp(prefix="belfry-tests-"))
        self.postgres = Postgres(self.folder / "postgres", max_connections=300, fast=True)
        os.environ["BELFRY_TEST_POSTGRES"] = self.postgres.start()
        make_template(self.postgres)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.pubsub = LocalPubSub(None, None)
        os.environ["BELFRY_TEST_PUBSUB"] = asyncio.run_coroutine_threadsafe(self.pubsub.start(), self.loop).result(20)
        _create_topics(os.environ["BELFRY_TEST_PUBSUB"])

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.pubsub.stop(), self.loop).result(20)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
        self.postgres.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


def _create_topics(address: str) -> None:
    import grpc
    from google.cloud.pubsub_v1 import PublisherClient
    from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

    with grpc.insecure_channel(address) as channel:
        client = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        for topic in ("notifications", "job-events", "dead-letters"):
            client.create_topic(name=f"projects/{PROJECT}/topics/{topic}")


_services: _Services | None = None


def pytest_configure(config: pytest.Config) -> None:
    global _services
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        _services = _Services()


def pytest_unconfigure(config: pytest.Config) -> None:
    if _services is not None:
        _services.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    first = tuple(f"tests/{name}" for name in LONGEST)
    items.sort(key=lambda item: not item.nodeid.startswith(first))


def _forget_process_state() -> None:
    """A test's functions run in this process: the settings and the pool they keep must not outlive the test."""
    from shared import config, db

    db.forget_engine()
    config.config.cache_clear()


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """A cloud or a command in this process tells it where its services are; the next test must not hear of it."""
    kept = dict(os.environ)
    yield
    if os.environ != kept:
        os.environ.clear()
        os.environ.update(kept)
        _forget_process_state()


@cache
def _lender() -> Lender:
    return Lender(os.environ["BELFRY_TEST_POSTGRES"])


@pytest.fixture
def database_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database that nobody else uses, as the migrations leave it, and an environment that points at it."""
    url = _lender().lend()
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", os.environ["BELFRY_TEST_PUBSUB"])
    monkeypatch.setenv("BELFRY_LOCAL_CLOCK", "1")
    _forget_process_state()
    yield url
    _forget_process_state()
    _lender().take_back()


@pytest.fixture
def db(database_url: str) -> Iterator[Connection]:
    """A connection of the test's own, in autocommit."""
    from shared.db import new_engine

    engine = new_engine(database_url, socket_timeout=60)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def load_function(job_id: str) -> Callable[[Any], Any]:
    """The deployed function of a job, imported from its file as functions-framework does."""
    (source,) = (ROOT / "functions").rglob(f"{job_id}.py")
    name = f"functions_under_test.{job_id}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, source)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    function: Callable[[Any], Any] = getattr(sys.modules[name], job_id)
    return function


def request_to(
    body: dict[str, Any] | bytes | None = None,
    *,
    headers: dict[str, str] | None = None,
    method: str = "POST",
    path: str = "/",
) -> Any:
    """A flask.Request as it reaches a function."""
    from flask import Request

    data = json.dumps(body).encode() if isinstance(body, dict) else body
    builder = EnvironBuilder(
        path=path, method=method, data=data or b"", headers=headers, content_type="application/json"
    )
    assert issubclass(Request, WerkzeugRequest)
    return Request(builder.get_environ())


@cache
def _declared() -> dict[str, JobSpec]:
    return dict(load(ROOT / "cron.yaml").jobs)


def declared_job(job_id: str) -> JobSpec:
    """The job's entry of cron.yaml."""
    return _declared()[job_id]


def register(db: Connection, job_id: str) -> None:
    """Put the job's entry of cron.yaml into the jobs table, unless it is there already; no tick of it is overdue."""
    known = db.execute(text("select 1 from belfry.jobs where job_id = :id"), {"id": job_id}).one_or_none()
    if not known:
        row = {"job_id": job_id, **declared.row(_declared()[job_id], None)}
        reload_rows.upsert(db, [row], actor="test", now=None)
        db.execute(text("update belfry.jobs set swept_through = '2100-01-01' where job_id = :id"), {"id": job_id})


class Perform(Protocol):
    def __call__(
        self,
        job_id: str,
        at: str = ...,
        *,
        params: dict[str, Any] | None = ...,
        dry_run: bool = ...,
        kind: str = ...,
        now: str | None = ...,
        connection: Connection | None = ...,
    ) -> dict[str, Any]: ...


@pytest.fixture
def perform(db: Connection, database_url: str) -> Perform:
    """Run one tick of a real job in this process, as Cloud Scheduler asks for it; its JSON answer and `http_status`."""

    def run(
        job_id: str,
        at: str = "2026-03-02T09:00+08:00",
        *,
        params: dict[str, Any] | None = None,
        dry_run: bool = False,
        kind: str = "scheduled",
        now: str | None = None,
        connection: Connection | None = None,
    ) -> dict[str, Any]:
        register(connection or db, job_id)
        body = {"job": job_id, "run_at": at, "kind": kind, "dry_run": dry_run} | ({"params": params} if params else {})
        answer = load_function(job_id)(
            request_to(body, headers={"X-Belfry-Now": now or at, "X-CloudScheduler-JobName": job_id})
        )
        return {**json.loads(answer.get_data()), "http_status": answer.status_code}

    return run
