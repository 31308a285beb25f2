"""Overdue issues: every open issue past its due date alerts whoever works on it; each person is reminded once a day."""

from datetime import datetime, time

from shared.alerts import raise_alerts
from shared.erp import issues
from shared.jobs import Run, job
from shared.notifications import notify


@job
def check_overdue_issues(run: Run) -> None:
    """Alert by days overdue; remind with the first run at or after `remind_from_hour`."""
    overdue = issues.past_due(run.biz_date, run.params["warning_days"], run.params["critical_days"])
    run.items_failed(issues.overdue_contradictions(run.biz_date))
    raise_alerts(run, "ISSUE_OVERDUE", overdue, scanned=issues.judgeable(), present=issues.of_kept_projects())
    if run.now.astimezone(run.time_zone).hour >= run.params["remind_from_hour"]:
        day_began = datetime.combine(run.biz_date, time(), run.time_zone)
        notify(run, "ISSUE_OVERDUE", issues.overdue_reminders(run.biz_date, day_began))
