"""Ours: one tick of a job that writes one row, with every guarantee."""

from sqlalchemy import text

from shared.jobs import Run, job

_EFFECT = text("insert into public.bench_effects (job_id, run_at) values (:job_id, :run_at)")


@job
def recorded_tick(run: Run) -> None:
    run.db.execute(_EFFECT, {"job_id": run.job_id, "run_at": run.now})
    run.count(created=1)
