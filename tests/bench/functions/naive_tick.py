"""The usual way: a row when the run starts, one row of effect, the same row again when it has ended; SQLAlchemy's ORM.

No claim, no fence, no lease, no summary of the job: what a team writes in an afternoon, with the same driver and pool.
"""

import json
import os
import time
from datetime import UTC, datetime

import functions_framework
from flask import Request, Response
from sqlalchemy import DateTime, create_engine, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012


class NaiveExecution(Base):
    __tablename__ = "naive_executions"
    __table_args__ = {"schema": "public"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str]
    run_at: Mapped[datetime]
    state: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    duration_ms: Mapped[int | None]
    error: Mapped[str | None]


class NaiveEffect(Base):
    __tablename__ = "naive_effects"
    __table_args__ = {"schema": "public"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str]
    run_at: Mapped[datetime]


engine = create_engine(
    make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+pg8000"),
    pool_size=int(os.environ.get("DB_POOL_SIZE", "5")),
)
sessions = sessionmaker(engine, expire_on_commit=False)  # kinder than the default, which reads each row again


@functions_framework.http
def naive_tick(request: Request) -> Response:
    job_id = request.get_json()["job"]
    run_at = datetime.fromisoformat(request.headers["X-CloudScheduler-ScheduleTime"])
    with sessions() as session:
        began = time.monotonic()
        execution = NaiveExecution(job_id=job_id, run_at=run_at, state="running", started_at=datetime.now(UTC))
        session.add(execution)
        session.commit()
        session.add(NaiveEffect(job_id=job_id, run_at=run_at))
        execution.state = "succeeded"
        execution.finished_at = datetime.now(UTC)
        execution.duration_ms = int((time.monotonic() - began) * 1000)
        session.commit()
    return Response(json.dumps({"state": "succeeded"}), mimetype="application/json")
