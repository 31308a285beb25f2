"""Job bodies for the fault tests; served by functions-framework from this file like any other source."""

from __future__ import annotations

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
