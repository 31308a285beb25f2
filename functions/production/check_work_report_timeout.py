"""Work report timeout: started work orders that nobody reports on, and assigned ones that nobody has begun."""

from shared.alerts import raise_alerts
from shared.erp import work_reports
from shared.jobs import Run, job


@job
def check_work_report_timeout(run: Run) -> None:
    """Alert the worker and the workshop by the hours of workdays without a report; the next report ends it."""
    run.count(checked=run.db.execute(work_reports.counted()).scalar_one())
    run.items_failed(work_reports.unjudgeable(run.now))
    run.data_defects(work_reports.contradictions())

    silent = work_reports.silent(run.now, run.biz_date, run.time_zone.key, **run.params)
    raise_alerts(
        run, "WORK_REPORT_TIMEOUT", silent, scanned=work_reports.judged(run.now), present=work_reports.present()
    )
