"""Partition health: each table has this month and the next three, an empty default, no gap and no stray."""

from dataclasses import asdict
from datetime import date
from typing import Any

from shared.alerts import raise_alerts
from shared.databases import partitions
from shared.jobs import Run, job
from shared.rules import partitions as rules


@job
def monitor_partition_health(run: Run) -> None:
    """Make at once what is missing, mirror the catalog, and tell the DBA what is still wrong."""
    ahead, largest = run.params["ahead_months"], run.params["largest_gb"]
    day = run.biz_date
    months = [(table.name, month) for table in _tables(run) for month in rules.missing(table, day, ahead)]
    made = run.db.execute(partitions.make(months)).all()
    refused = {(row.parent_table, row.month): row.detail for row in made if row.outcome == "failed"}
    for (parent, month), why in refused.items():
        run.item_failed("PARTITION", f"{parent} {month:%Y-%m}", why)
    run.count(partitions=len(made) - len(refused))

    tables = _tables(run, judged=True)
    run.db.execute(partitions.register(run.now))
    judged = []
    for table in tables:
        why = {month: said for (parent, month), said in refused.items() if parent == table.name}
        found = rules.problems(table, day, ahead, largest, why)
        if level := rules.level(found):
            judged.append(
                {
                    "target_no": table.name,
                    "target_name": table.name.split(".")[1],
                    "level": level,
                    "facts": {"problems": [_fact(problem) for problem in found]},
                    "trigger_value": len(found),
                }
            )
    run.count(checked=len(tables))
    scanned = partitions.tables([table.name for table in tables])
    raise_alerts(run, "PARTITION_MISSING", partitions.violations(judged), scanned=scanned)


def _tables(run: Run, *, judged: bool = False) -> list[rules.Table]:
    """The tables as they are now; a partition whose bounds are no days is an item, once."""
    tables = []
    for row in run.db.execute(partitions.state()):
        known = [p for p in row.partitions if p["start"]]
        if judged:
            for strange in (p["name"] for p in row.partitions if not p["start"]):
                run.item_failed("PARTITION", strange, "its bounds are not two days")
        tables.append(rules.Table(
            row.parent_table,
            [rules.Partition(p["name"], date.fromisoformat(p["start"]), date.fromisoformat(p["end"]), p["size"])
             for p in known],
            row.default_has_rows, row.strays, row.vanished,
        ))  # fmt: skip
    return tables


def _fact(problem: rules.Problem) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, date) else value for name, value in asdict(problem).items()}
