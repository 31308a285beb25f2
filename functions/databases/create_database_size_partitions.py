"""Partition creation: on the first of each month this month's and the next three months' partitions are made."""

from datetime import date

from shared.databases import partitions
from shared.jobs import Run, job
from shared.notifications import notify
from shared.rules import partitions as rules


@job
def create_database_size_partitions(run: Run) -> None:
    """One short transaction a partition, so that nobody waits for its lock; then the DBA gets the list."""
    made = []
    for parent, month in _missing(run):
        step = f"create {parent} {month:%Y-%m}"
        if run.has_finished(step):
            continue
        with run.step(step) as db:
            row = db.execute(partitions.make([(parent, month)])).one()
            if row.outcome == "failed":
                run.item_failed("PARTITION", f"{parent} {month:%Y-%m}", row.detail)
            elif row.outcome != "exists":
                name = f"{parent}_{month:%Y_%m}"
                db.execute(partitions.register(run.now))
                db.execute(partitions.audit(run.job_id, "partition.create", [name]))
                made.append(name)
    run.count(created=len(made))
    if made:
        with run.step(f"tell {run.attempt}"):
            key = f"DIGEST_PARTITIONS|{run.job_id}|{run.biz_date}|{run.attempt}"
            facts = {"created": made, "announced": [], "detached": [], "dropped": [], "day": str(run.biz_date)}
            notify(run, "DIGEST_PARTITIONS", partitions.message(key, facts, run.now))


def _missing(run: Run) -> list[tuple[str, date]]:
    with run.step(f"look {run.attempt}") as db:
        tables = [
            rules.Table(row.parent_table, [
                rules.Partition(p["name"], date.fromisoformat(p["start"]), date.fromisoformat(p["end"]))
                for p in row.partitions if p["start"]
            ])
            for row in db.execute(partitions.state())
        ]  # fmt: skip
    run.count(checked=len(tables))
    return [(t.name, month) for t in tables for month in rules.missing(t, run.biz_date, run.params["ahead_months"])]
