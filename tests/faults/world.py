"""One job whose body can be told to suffer, the processes that serve it, and the ledger that judges what they did."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import requests
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

from shared.db import new_engine
from tests.conftest import ROOT
from tests.faults.invariants import assert_invariants
from tests.processes import Served, eventually, served
from tests.shared.test_jobs import add_job

SOURCE = ROOT / "tests" / "faults" / "functions.py"
FIRST = datetime.fromisoformat("2026-03-02T09:00+08:00")
GATE = 7  # the advisory lock that a test holds to keep a body in its transaction
WAIT_AT_GATE = f"select pg_advisory_xact_lock_shared({GATE})"
OVER = ("succeeded", "partial", "failed", "lost", "missed", "skipped", "cancelled")


def tick(number: int) -> datetime:
    """The time of the job's n-th tick; it rings every hour."""
    return FIRST + timedelta(hours=number)


class World:
    """A job called `effect` in a database, and everything that a test asks or tells it."""

    def __init__(self, url: str, stack: ExitStack, **columns: Any) -> None:
        self.url, self.stack = url, stack
        self.instances: list[Served] = []
        self.engine = new_engine(url, pool_size=4, socket_timeout=60)
        stack.callback(self.engine.dispose)
        event.listen(self.engine, "connect", _name_itself)
        with self.engine.connect() as db:
            add_job(db, "effect", **{"backoff_s": [0], "max_attempts": 8, "swept_through": "2100-01-01", **columns})
            db.execute(text("create table public.effects (job_id text, run_at timestamptz, attempt int)"))

    def serve(self, *, url: str | None = None, count: int = 1, **environment: str) -> None:
        """Start instances of the function, perhaps behind another address of the database."""
        settings = {"PYTHONPATH": str(ROOT), "DATABASE_URL": url or self.url, "BELFRY_LEASE": "0.6", **environment}
        with ExitStack() as starting:
            self.instances += [
                starting.enter_context(served("effect", ROOT, settings, source=SOURCE)) for _ in range(count)
            ]
            self.stack.push(starting.pop_all())

    def behave(self, job_id: str = "effect", **params: Any) -> None:
        """What the body does from now on, see functions.py; nothing: only its effect."""
        self.run("update belfry.jobs set params = cast(:p as jsonb) where job_id = :j", p=json.dumps(params), j=job_id)

    def post(
        self,
        number: int | datetime = 0,
        *,
        job: str = "effect",
        instance: int = 0,
        timeout: float = 60,
        body: Mapping[str, Any] | bytes | None = None,
        **headers: str,
    ) -> dict[str, Any]:
        """What Cloud Scheduler sends for the n-th tick; the JSON answer with `http_status` and `took`, in seconds."""
        at = number if isinstance(number, datetime) else tick(number)
        sent = body if body is not None else {"job": job}
        began = time.monotonic()
        answer = requests.post(
            self.instances[instance].url,
            data=sent if isinstance(sent, bytes) else json.dumps(sent),
            headers={
                "Content-Type": "application/json",
                "X-CloudScheduler-JobName": job,
                "X-CloudScheduler-ScheduleTime": at.isoformat(),
                **headers,
            },
            timeout=timeout,
        )
        return {**answer.json(), "http_status": answer.status_code, "took": time.monotonic() - began}

    def until_over(self, number: int = 0, *, job: str = "effect", instance: int = 0) -> str:
        """Ask for a tick again, as Cloud Scheduler's retries and the sweeper do, until it is over; its state."""

        def over() -> str:
            state: str = self.post(number, job=job, instance=instance).get("state", "")
            return state if state in OVER else ""

        return eventually(over, f"tick {number} of {job} is over")

    def rows(self, statement: str, **values: Any) -> list[Any]:
        with self.engine.connect() as db:
            return list(db.execute(text(statement), values).all())

    def value(self, statement: str, **values: Any) -> Any:
        with self.engine.connect() as db:
            return db.execute(text(statement), values).scalar_one()

    def run(self, statement: str, **values: Any) -> None:
        with self.engine.connect() as db:
            db.execute(text(statement), values)

    def effects(self) -> list[tuple[datetime, int]]:
        """(tick, attempt) of every committed effect."""
        return [(r.run_at, r.attempt) for r in self.rows("select run_at, attempt from public.effects order by 1, 2")]

    def outcomes(self, number: int = 0) -> list[str]:
        """How each attempt at a tick ended."""
        attempts = self.value(
            "select attempts from belfry.job_executions where job_id = 'effect' and run_at = :t", t=tick(number)
        )
        return [attempt["outcome"] for attempt in attempts]

    def functions_backends(self) -> list[int]:
        """The process ids of the server's ends of the functions' connections."""
        return [
            r.pid
            for r in self.rows(
                """select pid from pg_stat_activity
                   where application_name = 'belfry' and datname = current_database() order by backend_start"""
            )
        ]

    @contextmanager
    def gate(self) -> Iterator[Connection]:
        """While the block lasts, bodies that come to the gate wait there; the session that holds it."""
        with self.engine.connect() as holder:
            holder.execute(text(f"select pg_advisory_lock({GATE})"))
            try:
                yield holder
            finally:
                with suppress(DBAPIError):  # the server may have died, and the gate with it
                    holder.execute(text("select pg_advisory_unlock_all()"))

    def at_gate(self, count: int = 1) -> None:
        """Wait until as many bodies stand at the gate, their effects uncommitted."""
        waiting = """select count(*) from pg_locks where locktype = 'advisory' and objid = :gate and not granted
                     and database = (select oid from pg_database where datname = current_database())"""
        eventually(lambda: self.value(waiting, gate=GATE) == count, f"{count} at the gate")

    def lease_over(self) -> None:
        """Wait until nobody's lease holds any more."""
        held = "select count(*) from belfry.job_executions where lease_until >= clock_timestamp()"
        eventually(lambda: self.value(held) == 0, "the lease ends")

    def judge(self, *, effects: int | None = None) -> None:
        """The ledger: at most one effect a tick, each with its message and its execution, and the invariant views."""
        found = self.rows("select job_id, run_at, count(*) as n from public.effects group by 1, 2")
        assert [tuple(r) for r in found if r.n != 1] == [], "a tick has more than one effect"
        if effects is not None:
            assert len(found) == effects
        orphans = self.rows(
            """select 'no message' as what, e.id::text as which from belfry.job_executions e
               where e.state in ('succeeded', 'partial') and e.job_id in (select job_id from belfry.jobs where func = 'effect')
                 and not exists (select from belfry.outbox o where o.execution_id = e.id)
               union all
               select 'no execution', x.run_at::text from public.effects x
               where not exists (select from belfry.job_executions e where e.job_id = x.job_id and e.run_at = x.run_at
                                 and e.state in ('succeeded', 'partial'))"""
        )
        assert orphans == []
        with self.engine.connect() as db:
            assert_invariants(db)


def _name_itself(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("set application_name = 'test'")
    cursor.close()
