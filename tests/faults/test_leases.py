"""A long body keeps its lease by heartbeat; a frozen process is taken over and commits nothing afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from sqlalchemy import Connection, text

from tests.conftest import ROOT
from tests.processes import Served, eventually, served
from tests.shared.test_jobs import add_job

TICK = "2026-03-02T09:00:00+08:00"
SOURCE = ROOT / "tests" / "faults" / "functions.py"
LEASE = 0.6


@pytest.fixture
def pair(db: Connection, database_url: str) -> Iterator[list[Served]]:
    """Two instances of one function, as Cloud Run may run them."""
    add_job(db, "slow_effect", backoff_s=[0], max_attempts=5)
    db.execute(text("create table public.effects (run_at timestamptz, attempt int)"))
    environment = {
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "BELFRY_LEASE": str(LEASE),
        "BELFRY_LOCAL_CLOCK": "1",
    }
    with ExitStack() as stack:
        yield [stack.enter_context(served("slow_effect", ROOT, environment, source=SOURCE)) for _ in range(2)]


def post(function: Served, seconds: float) -> dict[str, Any]:
    body = {"job": "slow_effect", "run_at": TICK, "kind": "scheduled", "params": {"seconds": seconds}}
    return {**requests.post(function.url, json=body, timeout=60).json()}


def effects(db: Connection) -> list[int]:
    return list(db.execute(text("select attempt from public.effects")).scalars())


def test_a_body_longer_than_its_lease_keeps_it(db: Connection, pair: list[Served]) -> None:
    with ThreadPoolExecutor() as pool:
        first = pool.submit(post, pair[0], LEASE * 4)
        eventually(
            lambda: db.execute(text("select count(*) from belfry.job_executions where state = 'running'")).scalar_one(),
            "the run starts",
        )
        began = db.execute(text("select lease_until from belfry.job_executions")).scalar_one()
        eventually(
            lambda: db.execute(text("select clock_timestamp() > :t"), {"t": began}).scalar_one(),
            "its first lease is over",
        )
        assert post(pair[1], 0)["status"] == "in_progress"
        assert first.result()["status"] == "succeeded"
    assert effects(db) == [1]


@pytest.mark.fault(
    row=10, injected="SIGSTOP past the lease, takeover, SIGCONT", expected="LeaseLost, no effect of the zombie"
)
def test_a_frozen_process_is_taken_over_and_commits_nothing_when_it_wakes(db: Connection, pair: list[Served]) -> None:
    (worker,) = pair[0].workers()
    with ThreadPoolExecutor() as pool:
        zombie = pool.submit(post, pair[0], 0.2)
        eventually(
            lambda: db.execute(
                text("select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'")
            ).scalar_one(),
            "the body works",
        )
        os.kill(worker, signal.SIGSTOP)
        try:
            taken = eventually(
                lambda: (a := post(pair[1], 0))["status"] == "succeeded" and a, "the other instance takes over"
            )
            assert taken["attempt"] == 2
            assert effects(db) == [2]
        finally:
            os.kill(worker, signal.SIGCONT)
        assert zombie.result()["status"] == "lease_lost"
    assert effects(db) == [2]
    row = db.execute(text("select state, attempt, attempts from belfry.job_executions")).one()
    assert (row.state, row.attempt) == ("succeeded", 2)
    assert [a["outcome"] for a in row.attempts] == ["lost", "succeeded"]


@pytest.mark.fault(
    row=10, injected="SIGKILL, next tick before any sweep (10b)", expected="reaped in the claim, never skipped"
)
def test_a_killed_process_is_taken_over_by_the_next_tick_without_a_sweep(db: Connection, pair: list[Served]) -> None:
    (worker,) = pair[0].workers()
    with ThreadPoolExecutor() as pool:
        pool.submit(post, pair[0], 5)
        eventually(
            lambda: db.execute(text("select count(*) from belfry.job_executions where state = 'running'")).scalar_one(),
            "the run starts",
        )
        os.kill(worker, signal.SIGKILL)

        def next_tick() -> Any:
            body = {"job": "slow_effect", "run_at": "2026-03-02T10:00:00+08:00", "kind": "scheduled"}
            at = {"X-Belfry-Now": "2026-03-02T10:00:00+08:00"}
            return requests.post(pair[1].url, json=body, headers=at, timeout=60).json()["status"]

        eventually(
            lambda: db.execute(
                text("select count(*) from belfry.job_executions where lease_until < clock_timestamp()")
            ).scalar_one(),
            "the lease ends",
        )
        assert next_tick() == "succeeded"
    assert db.execute(text("select count(*) from belfry.job_executions where state = 'skipped'")).scalar_one() == 0
