"""Material shortages: what work orders of the next two weeks will miss, told to buyer, project manager and workshop."""

from shared.alerts import raise_alerts
from shared.erp import kits, shortage_alerts, shortages
from shared.jobs import Run, job


@job
def generate_shortage_alerts(run: Run) -> None:
    """Bring the list of shortages up to the day's kit check, then alert on what is open by days left and impact."""
    day, params = run.biz_date, run.params
    window = kits.Window(day, params["horizon_days"], params["overdue_days"])

    listed = run.db.execute(shortages.refresh(window, run.now, run.id)).one()
    run.count(
        checked=listed.orders,
        calculated=listed.calculated,
        shortages_opened=listed.opened,
        shortages_refreshed=listed.refreshed,
        shortages_resolved=listed.resolved,
        shortages_cancelled=listed.cancelled,
    )
    run.items_failed(shortage_alerts.unjudgeable(window))
    run.data_defects(shortage_alerts.defects(window))

    short = shortage_alerts.open_now(day, params["critical_days"], params["warning_days"], params["minor_percent"])
    judged, present = shortage_alerts.judged(), shortage_alerts.present()
    raise_alerts(run, "MATERIAL_SHORTAGE", short, scanned=judged, present=present)
