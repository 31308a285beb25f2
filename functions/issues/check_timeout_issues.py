"""Stale issues: an open issue that nobody has touched for a week rises; an urgent one goes one boss up."""

from datetime import datetime, time, timedelta

from shared.alerts import raise_alerts
from shared.erp import escalated_issues, issue_escalation, issues
from shared.jobs import Run, job
from shared.notifications import notify


@job
def check_timeout_issues(run: Run) -> None:
    """Move each forgotten issue at most once a week; tell who works on it or takes it over, alert on what is URGENT."""
    stale, pause = timedelta(days=run.params["stale_days"]), timedelta(days=run.params["pause_days"])
    tell_at = datetime.combine(run.biz_date, time.fromisoformat(run.params["tell_at"]), run.time_zone)

    run.db.execute(issue_escalation.alone())
    run.count(checked=run.db.execute(issue_escalation.counted()).scalar_one())
    run.items_failed(issue_escalation.forgotten_contradictions(run.now, stale))
    forgotten = issue_escalation.forgotten(run.now, stale, pause)
    moved = run.db.execute(issue_escalation.moved(forgotten, run.now, run.id)).one()
    run.count(raised=moved.raised, handed_over=moved.handed_over)

    urgent = escalated_issues.urgent()
    raise_alerts(run, "ISSUE_ESCALATED", urgent, scanned=issues.judgeable(), present=issues.of_kept_projects())
    notify(run, "ISSUE_ESCALATED", escalated_issues.told(run.now, run.biz_date, run.id, tell_at))
