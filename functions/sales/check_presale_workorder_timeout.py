"""Presale tickets: those that take longer than their kind may, or that nobody has taken, are told of every day."""

from shared.erp import presales
from shared.jobs import Run, job
from shared.notifications import notify


@job
def check_presale_workorder_timeout(run: Run) -> None:
    """A deadline of the ticket's own wins over the limit of its type and urgency; review is not counted."""
    run.count(checked=run.db.execute(presales.counted()).scalar_one())
    run.items_failed(presales.unjudgeable())
    notify(run, "PRESALE_TICKET_TIMEOUT", presales.overdue(run.biz_date, run.time_zone.key, **run.params))
