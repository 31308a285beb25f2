"""Project health: judges every active project green, yellow, red or grey, keeps the reasons, tells what got worse."""

from shared.alerts import raise_alerts
from shared.erp import project_health, projects
from shared.jobs import Run, job
from shared.notifications import notify
from shared.rules.health import Limits


@job
def calculate_project_health(run: Run) -> None:
    """Save colour and reasons where they changed; alert on red projects, remind the managers of newly yellow ones."""
    run.data_defects(projects.contradictions())
    limits = Limits(**run.params["health"])
    saved = run.db.execute(project_health.saved(projects.kept_ids(), run.biz_date, limits, run.now, run.id)).one()
    run.count(checked=saved.checked, projects_updated=saved.updated, projects_coloured=saved.coloured)
    raise_alerts(
        run, "PROJECT_BLOCKED", project_health.blocked(), scanned=projects.kept_ids(), present=projects.kept_ids()
    )
    notify(run, "PROJECT_HEALTH_CHANGED", project_health.turned_yellow(run.now, run.time_zone.key))
