"""Periodic tasks: finished ones begin again when their next occurrence has come; unfinished ones miss it."""

from datetime import datetime, time

from shared.jobs import Run, job
from shared.notifications import notify
from shared.taskboard import recurrence


@job
def reset_periodic_tasks(run: Run) -> None:
    """The finished cycle is kept, the rhythm stays the plan's, several missed ones are one reset to the latest."""
    params = run.params
    tick = recurrence.Tick(run.now, run.biz_date, run.time_zone, params["default_frequency"])
    run.items_failed(recurrence.unjudgeable(tick))
    run.data_defects(recurrence.without_start(tick))
    done = run.db.execute(recurrence.begun(tick, params["default_days"], run.id)).one()
    run.count(checked=done.checked, updated=done.begun, missed_occurrences=done.missed, stopped=done.stopped)
    morning = datetime.combine(run.biz_date, time.fromisoformat(params["tell_at"]), run.time_zone)
    notify(run, "TASK_RESET", recurrence.resets(run.id, morning))
