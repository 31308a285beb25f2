"""Alert notification push: the hourly audit of telling; sends nothing itself, repairs and reports."""

from shared import deliveries
from shared.alerting import untold
from shared.alerts import raise_alerts
from shared.fan_out import fan_out_waiting
from shared.jobs import Run, job


@job
def send_alert_notifications(run: Run) -> None:
    """Give forgotten alerts their notification, re-open what may be sent again, report who was not told, count."""
    forgotten = run.db.execute(
        untold.tell_forgotten(), {"now": run.now, "execution": run.id, "limit": run.params["max_alerts"]}
    ).one()
    run.count(checked=forgotten.checked, repaired=forgotten.told)
    if forgotten.found > forgotten.told:
        run.item_failed("alerts", "without notification", f"{forgotten.found - forgotten.told} wait for the next run")
    run.count(**deliveries.release(run.db, run.id, digest_min=run.params["digest_min"]))
    raise_alerts(run, "NOTIFY_FAILED", untold.failing_channels(), scanned=untold.all_channels())
    told = fan_out_waiting(run.db)
    run.outbox += told.outbox
    run.count(deliveries=told.deliveries, **deliveries.counted_by_channel(run.db, run.now, run.params["report_hours"]))
