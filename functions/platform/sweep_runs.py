"""Every minute: take over what a dead run left behind, write down every tick that should have run, start what waits
for its turn."""

from __future__ import annotations

from shared import executions, expected, incidents, kicks
from shared.alerts import raise_alerts
from shared.jobs import Run, job


@job
def sweep_runs(run: Run) -> None:
    """Reap, expect, report, then kick: each a step, so that a crash between two of them loses nothing."""
    with run.step("reap") as db:
        run.count(**executions.reap(db))
    with run.step("expected") as db:
        run.count(**expected.record_missing(db, run.now))
    with run.step("incidents"):
        raise_alerts(
            run, "JOB_FAILED", incidents.jobs_in_trouble(run.params["critical_after"]), scanned=incidents.all_jobs()
        )
    with run.step("kicks") as db:
        due = kicks.take_due(db, run.params["kicks"])
    if not run.dry_run:
        run.count(kicked=kicks.kick_all(due, now=run.virtual_now, check=run.check))
