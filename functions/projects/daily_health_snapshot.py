"""Daily health snapshot: one row a project and day with health, score, variances and the biggest risks."""

from dataclasses import fields
from datetime import datetime, time

from shared.erp import health_snapshots
from shared.errors import PermanentError
from shared.jobs import Run, job
from shared.notifications import notify
from shared.rules.health import Limits
from shared.rules.health_scores import ScoreLimits

MONDAY = 0
READ_AT = time(7, 30)  # digests of night jobs reach their readers in the morning


@job
def daily_health_snapshot(run: Run) -> None:
    """Keep today's rows; on Mondays tell the PMO whose score fell. A past day cannot be rebuilt from today's data."""
    _refuse_a_past_day(run)
    params, limits = run.params, Limits(**run.params["health"])
    scores = ScoreLimits(
        variance_points=limits.variance_points,
        **{f.name: params[f.name] for f in fields(ScoreLimits) if f.name != "variance_points"},
    )
    rows = health_snapshots.snapshot(run.biz_date, limits, scores, params["top_risks"], run.id)
    run.count(created=len(run.db.execute(health_snapshots.written(rows, force=params["force"])).all()))
    if run.biz_date.weekday() == MONDAY:
        morning = datetime.combine(run.biz_date, READ_AT, run.time_zone)
        fallen = health_snapshots.fallen(run.biz_date, params["trend_days"], params["trend_drop_points"], morning)
        notify(run, "DIGEST_HEALTH", fallen)


def _refuse_a_past_day(run: Run) -> None:
    # Cloud Scheduler's own tick may be late and even cross midnight; what somebody asks for by hand may not.
    if run.kind == "backfill":
        raise PermanentError(
            "the health of a past day cannot be rebuilt from today's data: run the job for today instead"
        )
    if run.kind == "manual":
        today = run.db.execute(health_snapshots.today(run.time_zone.key)).scalar_one()
        if run.biz_date < today:
            raise PermanentError(
                f"the health of {run.biz_date} cannot be rebuilt from the data of {today}: run the job for today"
            )
