"""Workload: people whose tasks and bookings of the next weeks are more than their working hours."""

from shared.alerts import raise_alerts
from shared.erp import workload
from shared.jobs import Run, job


@job
def check_workload_overload_alerts(run: Run) -> None:
    """Alert their manager and the project managers of what makes most of it, the PMO from critical on."""
    day, params = run.biz_date, run.params
    window = params["window_days"]
    counted = run.db.execute(workload.counted(day, window)).one()
    run.count(checked=counted.people, without_hours=counted.without_hours, undated_tasks=counted.undated)
    run.items_failed(workload.unjudgeable(day, window))

    limits = (params["warning_percent"], params["critical_percent"], params["urgent_percent"])
    overloaded = workload.overloaded(day, window, *limits)
    judged = workload.judged(day, window)
    raise_alerts(run, "WORKLOAD_OVERLOAD", overloaded, scanned=judged, present=workload.present())
