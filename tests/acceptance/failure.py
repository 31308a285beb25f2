"""What becomes of a job that fails as often as it may? A-6."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from tests.acceptance.cases import Case
from tests.conftest import Perform, declared_job, register
from tests.evidence import alerts
from tests.factories import Erp

_LEDGER = {  # what a run needs even to fail
    "jobs", "job_executions", "job_summaries", "job_revisions", "job_dependencies", "execution_items", "outbox",
    "biz_calendar", "biz_config",
}  # fmt: skip


def an_exception_fails_the_run_after_its_last_attempt_and_raises_an_incident(
    job: Case, db: Connection, perform: Perform
) -> None:
    """A-6: every table that cron.yaml says the job reads or writes is gone while it is tried, but for the ledger's own."""
    register(db, job.job_id)
    job.arrange(Erp(db), job.day)
    attempts = db.execute(
        text("select max_attempts from belfry.jobs where job_id = :id"), {"id": job.job_id}
    ).scalar_one()
    now = datetime.fromisoformat(job.at())
    with _without_tables(db, job.job_id):
        for attempt in range(1, attempts + 1):
            answer = perform(job.job_id, job.at(), now=now.isoformat())
            assert answer["state"] == ("retry_wait" if attempt < attempts else "failed"), answer
            now += timedelta(minutes=10)
    (row,) = db.execute(
        text("""select e.state, e.attempt, e.error, s.failure_count, s.success_count from belfry.job_executions e
                join belfry.job_summaries s using (job_id) where job_id = :id"""),
        {"id": job.job_id},
    )
    assert (row.state, row.attempt, row.failure_count, row.success_count) == ("failed", attempts, 1, 0)
    assert row.error
    perform("sweep_runs", now.isoformat())
    incidents = [(a["target_no"], a["status"]) for a in alerts(db) if a["rule_code"] == "JOB_FAILED"]
    assert (job.job_id, "PENDING") in incidents


@contextmanager
def _without_tables(db: Connection, job_id: str) -> Iterator[None]:
    spec = declared_job(job_id)
    names = {".".join(n.split(".")[:2]) if n.startswith("erp.") else f"belfry.{n}" for n in (*spec.reads, *spec.writes)}
    gone = sorted(n for n in names if n.removeprefix("belfry.") not in _LEDGER)
    assert gone, f"{job_id} reads and writes nothing but the ledger, by cron.yaml"
    for name in gone:
        db.execute(text(f"alter table {name} rename to gone_{name.split('.')[1]}"))
    try:
        yield
    finally:
        for name in gone:
            schema, table = name.split(".")
            db.execute(text(f"alter table {schema}.gone_{table} rename to {table}"))
