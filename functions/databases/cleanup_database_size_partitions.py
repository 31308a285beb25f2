"""Partition cleanup: months past their retention are announced, detached a day later, and dropped a week after that."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import DBAPIError

from shared.databases import partitions
from shared.db import sqlstate
from shared.jobs import Run, job
from shared.notifications import notify
from shared.rules import partitions as rules


@job
def cleanup_database_size_partitions(run: Run) -> None:
    """One short transaction a partition, at most so many a run; a lock that is not free leaves it for tomorrow."""
    done: dict[str, list[str]] = {"announced": [], "detached": [], "dropped": []}
    due = _due(run)
    if announced := [row.partition_name for row in due if row.step == "announce"]:
        with run.step(f"announce {run.attempt}") as db:
            db.execute(partitions.announce(announced, run.now))
        done["announced"] = announced
    for row in [row for row in due if row.step != "announce"][: run.params["most"]]:
        if _end(run, row):
            done["detached" if row.step == "detach" else "dropped"].append(row.partition_name)
    run.count(**{name: len(names) for name, names in done.items()})
    if any(done.values()):
        with run.step(f"tell {run.attempt}"):
            key = f"DIGEST_PARTITIONS|{run.job_id}|{run.biz_date}|{run.attempt}"
            facts = {"created": [], **done, "day": str(run.biz_date)}
            notify(run, "DIGEST_PARTITIONS", partitions.message(key, facts, run.now))


def _due(run: Run) -> Sequence[Any]:
    """What is past its retention, by what is next for it; a name that does not say its month is an item."""
    params = run.params
    with run.step(f"look {run.attempt}") as db:
        db.execute(partitions.register(run.now))
        rows = db.execute(partitions.past(
            {parent: rules.kept_from(run.biz_date, params[months]) for parent, months in partitions.KEPT.items()},
            announced_by=run.biz_date - timedelta(days=params["notice_days"]), zone=run.time_zone.key,
            detached_by=run.now - timedelta(days=params["detached_days"]), needs_export=params["needs_export"],
        )).all()  # fmt: skip
        due = []
        for row in rows:
            (_, parent), (_, name) = row.parent_table.split("."), row.partition_name.split(".")
            if rules.named_month(parent, name) == row.range_start:
                due.append(row)
            else:
                run.item_failed("PARTITION", row.partition_name, f"does not bear the name of {row.range_start:%Y-%m}")
    run.count(checked=len(rows))
    return due


def _end(run: Run, row: Any) -> bool:
    try:
        with run.step(f"{row.step} {row.partition_name}") as db:
            if row.step == "detach":
                db.execute(partitions.detach(row.partition_name))
            else:
                db.execute(partitions.drop(row.partition_name, run.params["detached_days"]))
            status = "DETACHED" if row.step == "detach" else "DROPPED"
            db.execute(partitions.note(row.partition_name, status, run.now))
            db.execute(partitions.audit(run.job_id, f"partition.{row.step}", [row.partition_name]))
    except DBAPIError as error:
        if sqlstate(error) not in partitions.REFUSED:
            raise
        run.item_failed("PARTITION", row.partition_name, error.orig.args[0]["M"] if error.orig else error)
        return False
    return True
