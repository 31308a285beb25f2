"""Does a job manage many rows as it manages few? A-10, A-12."""

from __future__ import annotations

import os
import time

from sqlalchemy import Connection, text

from tests.acceptance.cases import AlertJob, Case
from tests.conftest import Perform, declared_job
from tests.evidence import counted_statements
from tests.factories import Erp

STATEMENTS = 15  # the most that a tick may need, whatever it finds
# Fifty thousand rows within the job's timeout take a quarter of a minute a job and more, so they are asked by
# `make volume`, as are ten thousand of A-10; every other run asks a thousand.
WHOLE = os.environ.get("BELFRY_FULL_SWEEP") == "1"
MANY = 50_000 if WHOLE else 1_000
MORE = (9, 9_990 if WHOLE else 990)  # made out of one row and then another time, for A-10


def the_number_of_statements_does_not_depend_on_the_rows(job: Case, db: Connection, perform: Perform) -> None:
    """A-10"""
    perform(job.job_id, job.at(-2))  # opens the connection
    target = job.arrange(Erp(db), job.day)
    taken = []
    for tick, more in enumerate(MORE):
        job.multiply(db, target, more)
        db.execute(text("analyze"))
        before = job.made(db)
        with counted_statements(db) as statements:
            answer = perform(job.job_id, job.at(tick))
        assert job.made(db) != before
        assert len(statements) <= STATEMENTS, statements
        if isinstance(job, AlertJob):
            assert answer["counters"]["created"] == (more if tick else more + 1)
        # The run publishes its message after its commit when there is time; if not, the sweep does.
        taken.append([statement for statement in statements if "update belfry.outbox set published_at" not in statement])
    few, many = taken
    assert few == many


def fifty_thousand_rows_are_done_within_the_jobs_timeout(job: Case, db: Connection, perform: Perform) -> None:
    """A-12"""
    target = job.arrange(Erp(db), job.day)
    job.multiply(db, target, MANY - 1)
    if WHOLE:  # as autovacuum would have by then
        erp = "select oid::regclass::text from pg_class where relnamespace = 'erp'::regnamespace and relkind = 'r'"
        for table in db.execute(text(erp)).scalars().all():
            db.execute(text(f"analyze {table}"))
    before, begun = job.made(db), time.monotonic()
    answer = perform(job.job_id, job.at())
    took = time.monotonic() - begun
    assert answer["state"] == job.ends, answer
    assert job.made(db) != before
    if isinstance(job, AlertJob):
        assert answer["counters"]["created"] == MANY
    assert took < declared_job(job.job_id).timeout, f"{took:.0f} s"
