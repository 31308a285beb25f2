"""Overdue receivables: every invoice unpaid past its due date alerts its contract's owner and finance, by days."""

from shared.alerts import raise_alerts
from shared.erp import receivables
from shared.jobs import Run, job
from shared.notifications import notify


@job
def check_overdue_receivable_alerts(run: Run) -> None:
    """One alert an invoice, whose level moves; a customer with several is told of once more, as one list."""
    counted = run.db.execute(receivables.counted()).one()
    run.count(checked=counted.invoices, no_due_date=counted.undated)
    run.items_failed(receivables.unjudgeable())
    run.data_defects(receivables.contradictions())

    overdue = receivables.overdue(run.biz_date, **run.params)
    raise_alerts(run, "OVERDUE_RECEIVABLE", overdue, scanned=receivables.judged(), present=receivables.present())
    notify(run, "DIGEST_RECEIVABLE", receivables.by_customer(run.biz_date, run.now))
