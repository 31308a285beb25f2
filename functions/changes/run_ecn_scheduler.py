"""Engineering changes: evaluations, approvals and tasks past their time alert whoever they wait for, reminded daily."""

from datetime import datetime, time, timedelta

from shared.alerts import raise_alerts
from shared.erp import ecn_items, ecn_reminders, ecns
from shared.jobs import Run, job
from shared.notifications import notify


@job
def run_ecn_scheduler(run: Run) -> None:
    """One alert an item by its days past due; remember which approvals are overdue; remind each person once a day."""
    params = run.params
    limits = ecns.Limits(
        run.now, run.biz_date, timedelta(days=params["usual_days"]), params["critical_days"], params["urgent_days"]
    )
    counted = run.db.execute(ecn_items.counted()).one()
    run.count(checked=counted.waiting, no_planned_end=counted.undated)
    run.items_failed(ecn_items.unjudgeable())
    flags = run.db.execute(ecns.flagged(limits, run.id)).one()
    run.count(approvals_overdue=flags.flagged, approvals_in_time=flags.cleared)

    raise_alerts(run, "ECN_OVERDUE", ecns.overdue(limits), scanned=ecn_items.judged(), present=ecn_items.present())
    day_began = datetime.combine(run.biz_date, time(), run.time_zone)
    notify(run, "ECN_OVERDUE_ALERT", ecn_reminders.reminders(run.biz_date, day_began))
