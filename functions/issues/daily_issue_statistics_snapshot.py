"""Issue statistics: one row about yesterday, with issues by status, kind and project, and how fast they were solved."""

from datetime import datetime, time, timedelta

from shared.erp import issue_statistics
from shared.erp.issue_statistics import Period
from shared.jobs import Run, job


@job
def daily_issue_statistics_snapshot(run: Run) -> None:
    """Keep the row of the day that has ended, from midnight to midnight in the job's zone."""
    day, midnight = run.biz_date - timedelta(days=1), time()
    ends = datetime.combine(run.biz_date, midnight, run.time_zone)
    begins = datetime.combine(day, midnight, run.time_zone)
    rolling_from = datetime.combine(run.biz_date - timedelta(days=run.params["rolling_days"]), midnight, run.time_zone)
    period = Period(day, begins, ends, rolling_from)

    run.items_failed(issue_statistics.unjudgeable(period))
    rows = run.db.execute(issue_statistics.written(issue_statistics.snapshot(period, run.id))).all()
    run.count(written=len(rows), checked=sum(row.total for row in rows))
