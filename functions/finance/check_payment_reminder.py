"""Payment reminders: planned payments due within a week tell the contract's owner, once per step of 7, 3, 1, 0 days."""

from shared.erp import payments
from shared.jobs import Run, job
from shared.notifications import notify


@job
def check_payment_reminder(run: Run) -> None:
    """Remind of what is still to come in, whether the milestone it hangs on is reached, and copy finance when near."""
    soon = payments.due_within(run.biz_date, max(run.params["tiers"]))
    counted = run.db.execute(payments.counted()).one()
    run.count(checked=counted.plans, no_planned_date=counted.undated)
    run.items_failed(payments.unjudgeable(soon))
    run.data_defects(payments.paid_but_open(soon))
    notify(run, "PAYMENT_PLAN_UPCOMING", payments.upcoming(run.biz_date, **run.params))
