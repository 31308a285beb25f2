"""Kit check: which work orders have their material, from stock or purchases in time, and which can start now."""

from datetime import datetime, time

from shared.alerts import raise_alerts
from shared.erp import kit_alerts, kit_checks, kits
from shared.jobs import Run, job
from shared.notifications import notify


@job
def daily_kit_check(run: Run) -> None:
    """Store the checks of all orders in one pass, alert on low kits and missing bills, tell workshops what can go."""
    day, params = run.biz_date, run.params
    window = kits.Window(day, params["window_days"], params["overdue_days"])
    digest_at = datetime.combine(day, time.fromisoformat(params["digest_at"]), run.time_zone)

    stored = run.db.execute(kit_checks.store(window, run.now, run.id, params["min_rate"])).one()
    run.count(checked=stored.checks, without_bom=stored.without_bom)
    run.items_failed(kits.unjudgeable(window))
    run.data_defects(kits.doubtful_supply(window))

    judged, present = kit_alerts.judged(window), kit_alerts.present()
    low = kit_alerts.low(day, params["min_rate"], params["critical_days"])
    raise_alerts(run, "KIT_RATE_LOW", low, scanned=judged, present=present)
    raise_alerts(run, "KIT_NO_BOM", kit_alerts.without_bom(day), scanned=judged, present=present)
    notify(run, "DIGEST_KIT", kit_alerts.startable(day, digest_at))
