"""Blocking issues: every open issue that blocks a project raises an alert, and its health is judged at once."""

from shared.alerts import raise_alerts
from shared.erp import issues, project_health
from shared.jobs import Run, job
from shared.rules.health import Limits


@job
def check_blocking_issues(run: Run) -> None:
    """Alert by the hours an issue has blocked, then judge the projects it blocks or blocked before."""
    blocking = issues.blocking(run.now, run.params["critical_hours"], run.params["urgent_hours"])
    run.items_failed(issues.blocking_contradictions())
    raise_alerts(run, "BLOCKING_ISSUE", blocking, scanned=issues.judgeable(), present=issues.of_kept_projects())
    health = project_health.saved(
        project_health.concerned_by_blocking_issues(), run.biz_date, Limits(**run.params["health"]), run.now, run.id
    )
    saved = run.db.execute(health).one()
    run.count(projects_checked=saved.checked, projects_coloured=saved.coloured)
