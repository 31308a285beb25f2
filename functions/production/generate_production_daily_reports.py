"""Production daily report: what the plant and each workshop did yesterday against plan, told at half past seven."""

from datetime import datetime, time, timedelta

from shared.erp import production_reports, production_stats
from shared.jobs import Run, job
from shared.notifications import notify


@job
def generate_production_daily_reports(run: Run) -> None:
    """Work out yesterday, and the days before it again for reports that came late; tell workshops and the plant."""
    yesterday, params = run.biz_date - timedelta(days=1), run.params
    digest_at = datetime.combine(run.biz_date, time.fromisoformat(params["digest_at"]), run.time_zone)
    span = production_stats.Span.until(
        yesterday, days_before=params["recompute_days"], zone=run.time_zone.key, day_hours=params["day_hours"]
    )

    stored = run.db.execute(production_reports.store(span, run.now, run.id)).one()
    run.count(checked=stored.checked, created=stored.created, updated=stored.updated)
    run.items_failed(production_stats.unjudgeable(span))
    run.data_defects(production_reports.confirmed_differences(span))

    notify(run, "DIGEST_PRODUCTION", production_reports.workshop_digests(yesterday, digest_at))
    notify(run, "DIGEST_PRODUCTION", production_reports.plant_digest(yesterday, digest_at))
