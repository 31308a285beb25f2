"""Job bodies for the fault tests; served by functions-framework from this file like any other source."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import text

from shared.jobs import Run, job


@job
def slow_effect(run: Run) -> None:
    """Writes one effect, then keeps its transaction busy for `seconds`."""
    run.db.execute(
        text("insert into public.effects (run_at, attempt) values (:t, :a)"), {"t": run.now, "a": run.attempt}
    )
    run.db.execute(text("select pg_sleep(cast(:s as float8))"), {"s": str(run.params.get("seconds", 0))})
    run.check()


@job
def effect(run: Run) -> None:
    """Writes one effect with its message, then does what its parameters say; each names one way to suffer."""
    run.db.execute(
        text("""with e as (insert into public.effects (job_id, run_at, attempt) values (:j, :t, :a))
                insert into belfry.outbox (topic, payload, execution_id)
                values ('notifications', '{}', cast(:i as uuid))"""),
        {"j": run.job_id, "t": run.now, "a": run.attempt, "i": run.id},
    )
    for statement in run.params.get("sql", []):
        run.db.execute(text(statement))
    if run.params.get("hang"):
        threading.Event().wait()
    while "until" in run.params and not Path(run.params["until"]).exists():
        run.check()
        threading.Event().wait(0.02)
    if "bind" in run.params:
        run.db.execute(text("select cast(:x as text)"), {"x": eval_text(run.params["bind"])})
    if "item" in run.params:
        run.item_failed("row", eval_text(run.params["item"]), eval_text(run.params["item"]))
    if "raise" in run.params:
        raise ValueError(eval_text(run.params["raise"]))


def eval_text(escaped: str) -> str:
    r"""Text that JSON cannot carry into the database: \ud800, \x00."""
    return escaped.encode("ascii").decode("unicode_escape")
