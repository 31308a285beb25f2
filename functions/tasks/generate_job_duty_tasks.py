"""Job duties: makes the tasks of every position's regular duties ahead of their day, one for each of its people."""

from datetime import datetime, time

from shared.jobs import Run, job
from shared.notifications import notify
from shared.taskboard import duties


@job
def generate_job_duty_tasks(run: Run) -> None:
    """New tasks are told to their assignee in one message, duties that nobody has to the PMO once a week."""
    params = run.params
    morning = duties.Morning(run.now, run.biz_date, run.time_zone, time.fromisoformat(params["due_at"]))
    told_at = datetime.combine(run.biz_date, time.fromisoformat(params["tell_at"]), run.time_zone)
    run.items_failed(duties.unjudgeable())
    done = run.db.execute(duties.made(morning)).one()
    nobody = run.db.execute(duties.count_without_people()).scalar_one()
    run.count(checked=done.checked, due=done.due, created=done.made, without_people=nobody)
    notify(run, "JOB_DUTY_NEW", duties.new_duties(morning, told_at))
    notify(run, "JOB_DUTY_UNASSIGNED", duties.without_people(morning, told_at))
