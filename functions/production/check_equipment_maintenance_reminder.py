"""Equipment maintenance: reminders 7, 3 and 1 days before and on the day, and an alert for what is overdue."""

from shared.alerts import raise_alerts
from shared.erp import equipment
from shared.jobs import Run, job
from shared.notifications import notify


@job
def check_equipment_maintenance_reminder(run: Run) -> None:
    """Remind keeper, workshop and equipment department of what is due; alert on what was not done."""
    day, tiers = run.biz_date, run.params["tiers"]
    run.count(checked=run.db.execute(equipment.counted()).scalar_one())
    run.items_failed(equipment.unjudgeable())
    run.data_defects(equipment.contradictions())

    overdue = equipment.overdue(day, run.params["critical_days"], max(tiers))
    raise_alerts(run, "EQUIPMENT_MAINTENANCE", overdue, scanned=equipment.judged(), present=equipment.present())
    due_soon = equipment.due_soon(day, tiers, run.params["warning_days"], max(tiers))
    notify(run, "EQUIPMENT_MAINTENANCE_REMINDER", due_soon)
