"""Shortage daily report: what was new, solved and still open yesterday, with kits, arrivals and stoppages."""

from datetime import datetime, time, timedelta

from shared.erp import shortage_digest, shortage_reports
from shared.erp.shortage_reports import Day
from shared.jobs import Run, job
from shared.notifications import notify


@job
def generate_shortage_daily_report(run: Run) -> None:
    """Keep one row of the day before, as of its end; procurement and PMO hear of it when anything is or was short."""
    yesterday = Day(run.biz_date - timedelta(days=1), run.time_zone)
    digest_at = datetime.combine(run.biz_date, time.fromisoformat(run.params["digest_at"]), run.time_zone)

    report = shortage_reports.written(yesterday, run.params["default_daily_hours"], run.now, run.id)
    run.count(checked=1, written=len(run.db.execute(report).all()))
    run.items_failed(shortage_reports.unjudgeable(yesterday))
    notify(run, "DIGEST_SHORTAGE", shortage_digest.digest(yesterday, digest_at))
