"""Task deadlines: the assignee hears of a deadline before it, again two hours before it, and every day after it."""

from shared.jobs import Run, job
from shared.notifications import notify
from shared.taskboard import deadlines


@job
def check_task_deadline_reminder(run: Run) -> None:
    """Reminders, no alerts: each is said once, but a deadline that moves is said again."""
    params = run.params
    run.count(checked=run.db.execute(deadlines.waiting()).scalar_one())
    run.items_failed(deadlines.unjudgeable())
    due = deadlines.reminders(
        run.now, run.biz_date, run.time_zone, params["remind_from_hour"], params["creator_after_days"]
    )
    notify(run, "TASK_DEADLINE", due)
