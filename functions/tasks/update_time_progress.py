"""Time progress: how much of its planned time every task in work has used, kept in the task for lists to sort by."""

from shared.jobs import Run, job
from shared.taskboard import progress


@job
def update_time_progress(run: Run) -> None:
    """One statement that writes the percentages that have changed; nothing else of a task moves."""
    run.items_failed(progress.unjudgeable())
    done = run.db.execute(progress.refreshed(run.now)).one()
    run.count(checked=done.checked, updated=done.updated)
