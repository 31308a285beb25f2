"""Where do the benchmarks happen? On one embedded Postgres, and in real functions-framework processes.

Postgres keeps its durability switched on, but its files lie in memory where the machine has such a place: both sides of
a ratio commit equally often, and what somebody else does to the disk meanwhile is not what is measured.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from infra.local.postgres import Postgres, migrate
from shared.db import new_engine
from tests.bench.instances import Instance, running

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = Path(__file__).with_name("functions")
MEMORY, ROOM = Path("/dev/shm"), 4 << 30
FIRST = datetime(1990, 1, 1, tzinfo=UTC)
TABLES = """
create table public.bench_effects (job_id text, run_at timestamptz);
create table public.naive_effects (id bigint generated always as identity primary key, job_id text, run_at timestamptz);
create table public.naive_executions (id bigint generated always as identity primary key, job_id text, run_at timestamptz,
  state text, started_at timestamptz, finished_at timestamptz, duration_ms int, error text)"""
_JOB = text("""insert into belfry.jobs (job_id, func, name, category, schedule, swept_through)
  select :func || '_' || n, :func, '{"zh": "测量", "en": "Bench"}', 'platform', '0 * * * *', '2100-01-01'
  from generate_series(0, :count - 1) as n on conflict do nothing""")


class World:
    """A database and what stands in it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: Engine = new_engine(url, socket_timeout=60)
        self._ticks: dict[str, int] = {}
        with self.engine.connect() as db:
            db.exec_driver_sql(TABLES)

    def add_jobs(self, count: int, func: str = "recorded_tick") -> list[str]:
        """So many jobs that one function serves, each ringing every hour."""
        with self.engine.connect() as db:
            db.execute(_JOB, {"func": func, "count": count})
        return [f"{func}_{number}" for number in range(count)]

    def next_tick(self, job_id: str) -> datetime:
        """A tick of the job that nobody has had yet."""
        number = self._ticks[job_id] = self._ticks.get(job_id, -1) + 1
        return FIRST + timedelta(hours=number)

    def count(self, statement: str) -> int:
        with self.engine.connect() as db:
            return int(db.execute(text(statement)).scalar_one())

    def column(self, statement: str, **values: Any) -> list[Any]:
        with self.engine.connect() as db:
            return list(db.execute(text(statement), values).scalars())

    def settle(self) -> None:
        """Begin a benchmark without what the last one left to tidy up."""
        with self.engine.connect() as db:
            _vacuum(db)

    @contextmanager
    def function(self, name: str, *, url: str | None = None, threads: int = 8) -> Iterator[Instance]:
        """A function of the benchmarks that listens; it may reach the database by another address."""
        with running(name, FUNCTIONS / f"{name}.py", ROOT, self.environment(url=url, threads=threads)) as instance:
            yield instance

    def environment(self, *, url: str | None = None, threads: int = 8) -> dict[str, str]:
        """What a function process is told: as many connections as it has threads, and nothing else special."""
        return {
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": url or self.url,
            "THREADS": str(threads),
            "DB_POOL_SIZE": str(threads),
        }


def _vacuum(db: Connection) -> None:
    db.exec_driver_sql("vacuum (analyze) belfry.jobs, belfry.job_executions, belfry.job_summaries")
    db.exec_driver_sql("checkpoint")


@contextmanager
def server() -> Iterator[tuple[Postgres, Path]]:
    """A fresh server and the folder it lies in, gone when the block ends."""
    memory = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None
    folder = Path(tempfile.mkdtemp(prefix="belfry-bench-", dir=memory))
    started = Postgres(folder / "postgres", max_connections=200)
    started.start()
    try:
        yield started, folder
    finally:
        started.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def world() -> Iterator[World]:
    """A migrated database on a server of its own."""
    with server() as (started, _):
        url = started.create_database("bench")
        migrate(url)
        found = World(url)
        try:
            yield found
        finally:
            found.engine.dispose()


def warm_bytecode() -> None:
    """What a deployed archive carries: measured starts never compile."""
    import compileall

    for folder in (ROOT / "shared", FUNCTIONS):
        compileall.compile_dir(str(folder), quiet=2)
