"""Sales reminders: milestones, payments, gates, quotes, contracts and approvals that somebody should see to today."""

from shared.erp import milestone_reminders, payments, sales_reminders
from shared.jobs import Run, job
from shared.notifications import notify


@job
def sales_reminder_scan(run: Run) -> None:
    """Eight scans that do not depend on each other: one that the database refuses is recorded, the others are told."""
    p, day, zone = run.params, run.biz_date, run.time_zone.key
    with run.part("MILESTONE_UPCOMING"):
        milestone = p["milestone"]
        notify(run, "MILESTONE_UPCOMING", milestone_reminders.upcoming(day, milestone["tiers"], milestone["high_days"]))
    with run.part("MILESTONE_OVERDUE"):
        overdue = milestone_reminders.overdue(day, milestone["daily_days"], milestone["every_days"])
        notify(run, "MILESTONE_OVERDUE", overdue)
    with run.part("PAYMENT_OVERDUE"):
        payment = p["payment"]
        run.items_failed(payments.unjudgeable(payments.past(day)))
        late = payments.overdue(
            day,
            payment["tiers"],
            payment["every_days"],
            high_days=payment["high_days"],
            urgent_days=payment["urgent_days"],
        )
        notify(run, "PAYMENT_OVERDUE", late)
    with run.part("GATE_TIMEOUT"):
        run.items_failed(sales_reminders.unknown_gates())
        gates = sales_reminders.waiting_gates(day, zone, p["gate"]["days"], p["gate"]["manager_days"])
        notify(run, "GATE_TIMEOUT", gates)
    with run.part("QUOTE_EXPIRING"):
        notify(run, "QUOTE_EXPIRING", sales_reminders.expiring_quotes(day, **p["quote"]))
    with run.part("QUOTE_EXPIRED"):
        expired = p["quote_expired"]
        notify(run, "QUOTE_EXPIRED", sales_reminders.expired_quotes(day, expired["every_days"], expired["until_days"]))
    with run.part("CONTRACT_EXPIRING"):
        notify(run, "CONTRACT_EXPIRING", sales_reminders.expiring_contracts(day, **p["contract"]))
    with run.part("APPROVAL_PENDING"):
        approval = p["approval"]
        run.items_failed(sales_reminders.unjudgeable_approvals())
        pending = sales_reminders.pending_approvals(day, run.now, approval["hours"], approval["high_hours"])
        notify(run, "APPROVAL_PENDING", pending)
