"""Clean-up: tasks long ended go into the archive, in-app messages read long ago go; in batches, resumed next week."""

import json
from itertools import count

from sqlalchemy import TextClause
from sqlalchemy.exc import DBAPIError

from shared.db import sqlstate
from shared.jobs import Run, job
from shared.notifications import notify
from shared.taskboard import archive
from shared.taskboard.archive import days_before


@job
def cleanup_old_data(run: Run) -> None:
    """One short transaction a batch: what is done stays done, what cannot go is told to the administrators."""
    params = run.params
    old_tasks, old_messages = (days_before(run.now, params[name]) for name in ("task_days", "message_days"))
    if params["count_only"] or run.dry_run:
        with run.step(f"count {run.attempt}") as db:
            found = db.execute(archive.counted(old_tasks, old_messages)).one()
        run.count(tasks_found=found.tasks, messages_found=found.messages)
        return
    _clear(run, "tasks", archive.archived(old_tasks, params["batch"], run.now, run.id))
    _clear(run, "messages", archive.forgotten(old_messages, params["batch"]))
    _report(run)


def _clear(run: Run, kind: str, batch: TextClause) -> None:
    for number in count(1):
        if run.lease.elapsed_ms > 10 * run.params["stop_at_percent"] * run.lease.timeout:
            run.count(stopped_early=1)
            return
        name = f"{kind} {run.attempt}.{number}"
        try:
            with run.step(name) as db:
                done = db.execute(batch).one()
        except DBAPIError as error:
            if not (sqlstate(error) or "").startswith("23"):
                raise
            # Something of the company's own still points at one of them: the other kinds go on.
            run.item_failed("STEP", name, error.orig.args[0]["M"] if error.orig else error)
            return
        run.count(**{kind: done.gone, "cycles": done.cycles, "recurrences": done.recurrences})
        if done.gone < run.params["batch"]:
            return


def _report(run: Run) -> None:
    told = {name: run.counters.get(name, 0) for name in ("tasks", "messages", "cycles", "recurrences", "failed")}
    if not any(told.values()):
        return
    with run.step(f"report {run.attempt}") as db:
        db.execute(archive.noted(run.now, run.job_id, json.dumps(told)))
        if told["failed"] or told["tasks"] + told["messages"] > run.params["tell_rows"]:
            notify(run, "CLEANUP_DONE", archive.report(run.biz_date, told))
