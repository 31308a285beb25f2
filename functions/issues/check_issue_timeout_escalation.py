"""Old issues: an open issue older than its priority allows rises; an urgent one goes one boss up."""

from datetime import datetime, time, timedelta

from shared.alerts import raise_alerts
from shared.erp import escalated_issues, issue_escalation, issues
from shared.jobs import Run, job
from shared.notifications import notify


@job
def check_issue_timeout_escalation(run: Run) -> None:
    """Move what is too old for its priority, but nothing moved since last night; notice priorities set by people."""
    limits = {priority: timedelta(days=days) for priority, days in run.params["age_days"].items()}
    pause = timedelta(hours=run.params["pause_hours"])
    tell_at = datetime.combine(run.biz_date, time.fromisoformat(run.params["tell_at"]), run.time_zone)

    run.db.execute(issue_escalation.alone())
    run.count(checked=run.db.execute(issue_escalation.counted()).scalar_one())
    run.items_failed(issues.contradictions())
    old = issue_escalation.too_old(run.now, limits, pause)
    moved = run.db.execute(issue_escalation.moved(old, run.now, run.id)).one()
    run.count(raised=moved.raised, handed_over=moved.handed_over)

    urgent = escalated_issues.urgent()
    raise_alerts(run, "ISSUE_ESCALATED", urgent, scanned=issues.judgeable(), present=issues.of_kept_projects())
    notify(run, "ISSUE_ESCALATED", escalated_issues.told(run.now, run.biz_date, run.id, tell_at))
