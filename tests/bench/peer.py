"""The usual scheduler in one process: APScheduler 3, its jobs in Postgres, one ORM record a run.

Started by due_storm with: database, number of jobs, threads, grace in seconds. Prints one JSON line.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import DateTime, Engine, create_engine, make_url, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

PATIENCE = 900.0
_sessions: sessionmaker[Session]
_started: list[float] = []


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012


class PeerExecution(Base):
    __tablename__ = "peer_executions"
    __table_args__ = {"schema": "public"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str]
    run_at: Mapped[datetime]
    state: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class PeerEffect(Base):
    __tablename__ = "peer_effects"
    __table_args__ = {"schema": "public"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str]
    run_at: Mapped[datetime]


def record(job_id: str, run_at: datetime) -> None:
    """A run: its row, its effect, its row again."""
    _started.append(time.time())
    with _sessions() as session:
        execution = PeerExecution(job_id=job_id, run_at=run_at, state="running", started_at=datetime.now(UTC))
        session.add(execution)
        session.commit()
        session.add(PeerEffect(job_id=job_id, run_at=run_at))
        execution.state, execution.finished_at = "succeeded", datetime.now(UTC)
        session.commit()


def add(scheduler: BackgroundScheduler, name: str, count: int, due: datetime, grace: int) -> float:
    """Put jobs that are due at that moment into the store; seconds a job."""
    began = time.monotonic()
    for number in range(count):
        job_id = f"{name}_{number}"
        scheduler.add_job(
            record,
            "interval",
            days=1,
            start_date=due,
            args=[job_id, due],
            id=job_id,
            misfire_grace_time=grace,
            coalesce=True,
        )
    return (time.monotonic() - began) / count


def storm(engine: Engine, size: int, threads: int, grace: int) -> dict[str, object]:
    """All jobs are in the store before they are due; what is measured begins when they are."""
    scheduler = BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(engine=engine, tablename="peer_jobs")},
        executors={"default": ThreadPoolExecutor(threads)},
        timezone=UTC,
    )
    scheduler.start(paused=True)
    each = add(scheduler, "trial", 50, datetime.now(UTC) + timedelta(days=1), grace)
    scheduler.remove_all_jobs()
    due = datetime.now(UTC) + timedelta(seconds=2 + 2 * each * size)
    add(scheduler, "peer", size, due, grace)
    assert datetime.now(UTC) < due, "the machine became slower while the jobs were added; run it again"
    over, lock, left = threading.Event(), threading.Lock(), [size]

    def count(event: JobEvent) -> None:
        with lock:
            left[0] -= 1
            if not left[0]:
                over.set()

    scheduler.add_listener(count, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR | EVENT_JOB_MISSED)
    scheduler.resume()
    assert over.wait(PATIENCE), f"{left[0]} of {size} did not end"
    took = time.time() - due.timestamp()
    scheduler.shutdown(wait=True)
    return {"done": len(_started), "took": took, "late": [start - due.timestamp() for start in _started]}


def main(url: str, size: str, threads: str, grace: str) -> None:
    """Tables of its own, gone again afterwards."""
    global _sessions
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # a missed run is counted, not told
    engine = create_engine(make_url(url).set(drivername="postgresql+pg8000"), pool_size=int(threads) + 2)
    with engine.begin() as db:
        for table in ("peer_executions", "peer_effects", "peer_jobs"):
            db.execute(text(f"drop table if exists public.{table}"))
    Base.metadata.create_all(engine)
    _sessions = sessionmaker(engine, expire_on_commit=False)
    said = storm(engine, int(size), int(threads), int(grace))
    engine.dispose()
    print(json.dumps(said))


if __name__ == "__main__":
    # APScheduler pickles a reference to `record`: the workers must find it under this module's own name.
    from tests.bench import peer

    peer.main(*sys.argv[1:])
