"""Log clean-up: whole months of the company's own system log past their retention are dropped, the rest deleted."""

from datetime import timedelta
from itertools import count

from sqlalchemy.exc import DBAPIError

from shared.db import sqlstate
from shared.jobs import Run, job
from shared.taskboard import system_logs

LOCKED = "55P03"


@job
def cleanup_logs(run: Run) -> None:
    """One short transaction a partition or batch; accounts, their changes and the audit log are not touched."""
    before = run.now - timedelta(days=run.params["retention_days"])
    with run.step(f"look {run.attempt}") as db:
        months = db.execute(system_logs.ended_partitions(before)).all()
    run.count(checked=len(months))
    for month in months:
        name = f"drop {month.partition} {run.attempt}"
        try:
            with run.step(name) as db:
                there = db.execute(system_logs.dropped(month.partition, before)).scalar_one()
        except DBAPIError as error:
            if sqlstate(error) != LOCKED:
                raise
            run.item_failed("PARTITION", month.partition, "somebody reads it: it stays until tomorrow")
            continue
        run.count(partitions_dropped=int(there), estimated_rows=month.estimated_rows if there else 0)
    for number in count(1):
        with run.step(f"rows {run.attempt}.{number}") as db:
            gone = db.execute(system_logs.deleted(before, run.params["batch"])).scalar_one()
        run.count(rows_deleted=gone)
        if gone < run.params["batch"] or run.dry_run or _late(run):
            return


def _late(run: Run) -> bool:
    """Whether the rest is left to tomorrow."""
    late: bool = run.lease.elapsed_ms > 10 * run.params["stop_at_percent"] * run.lease.timeout
    if late:
        run.count(stopped_early=1)
    return late
