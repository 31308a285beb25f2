"""Task progress: tasks in work whose time has gone further than they have alert their assignee."""

from shared.alerts import raise_alerts
from shared.jobs import Run, job
from shared.rules.tasks import ProgressLimits
from shared.taskboard import progress


@job
def check_task_warnings(run: Run) -> None:
    """One alert a task and cycle, whose level moves up with the time; progress that is reported ends it."""
    limits = ProgressLimits(run.params["info_percent"], run.params["warning_percent"], run.params["critical_percent"])
    run.count(checked=run.db.execute(progress.in_work()).scalar_one())
    run.items_failed(progress.unjudgeable())
    raise_alerts(
        run,
        "TASK_PROGRESS_WARNING",
        progress.behind(run.now, limits),
        scanned=progress.judged(),
        present=progress.present(),
    )
