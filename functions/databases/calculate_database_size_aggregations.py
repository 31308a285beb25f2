"""Capacity sums: what every database and instance measured by day, week, month and quarter, and how much it changed."""

from shared.databases import aggregations
from shared.jobs import Run, job
from shared.rules import capacity


@job
def calculate_database_size_aggregations(run: Run) -> None:
    """Sum up what is due today, and past periods whose sizes changed since; what is said already is not written."""
    params, day = run.params, run.biz_date
    due = capacity.due(day, params["periods"], include_current=params["include_current"])
    stale = aggregations.stale(day, params["periods"], params["look_back_days"], params["most"])
    periods = {*due, *(capacity.period(row.kind, row.first) for row in run.db.execute(stale))}
    for period in sorted(periods, key=lambda p: (capacity.KINDS.index(p.kind), p.start)):
        databases = run.db.execute(aggregations.databases(period, day)).one()
        instances = run.db.execute(aggregations.instances(period, day)).one()
        said = f"{databases.summed} databases, {instances.summed} instances"
        run.item_done("PERIOD", f"{period.kind} {period.start}", said)
        run.count(checked=databases.summed, written=databases.written + instances.written)
    run.count(periods=len(periods))
