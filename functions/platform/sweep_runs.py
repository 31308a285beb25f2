"""Every minute: take over what a dead run left behind, write down every tick that should have run, start what waits."""

from __future__ import annotations

from itertools import count

from shared import executions, kicks
from shared.alerts import raise_alerts
from shared.jobs import Run, job
from shared.ledger import dependents, expected, incidents
from shared.notifications import notify


@job
def sweep_runs(run: Run) -> None:
    """Reap, expect, report, then kick: each a step, so that a crash between two of them loses nothing."""
    with run.step("reap") as db:
        run.count(**executions.reap(db))
    with run.step("expected") as db:
        run.count(**expected.record_missing(db, run.now), promised=dependents.promise(db))
    with run.step("incidents"):
        trouble = incidents.jobs_in_trouble(run.now, run.params["critical_after"])
        raise_alerts(run, "JOB_FAILED", trouble, scanned=incidents.all_jobs())
        notify(run, "JOB_FAILED", incidents.reminders(run.now, run.params["remind_hours"]))
        notify(run, "JOB_FAILED", incidents.recoveries(run.id))
    _kick(run)


def _kick(run: Run) -> None:
    """Start what is due, as long as something is: a backfill's ticks follow each other without waiting for a minute."""
    for number in count(1):
        with run.step(f"kicks {number}") as db:
            due = kicks.take_due(db, run.params["kicks"])
        if not due or run.dry_run:
            return
        kicked = kicks.kick_all(due, now=run.virtual_now, check=run.check)
        run.count(kicked=kicked.reached)
        if kicked.refused:
            with run.step(f"refused {number}") as db:
                kicks.record(db, kicked)
                run.count(refused=len(kicked.refused))
        if run.lease.remaining < run.params["reserve"]:
            return
