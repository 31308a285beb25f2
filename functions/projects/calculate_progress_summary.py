"""Progress: every project's percentage from its tasks, else its milestones, and what boards show of it."""

from decimal import Decimal

from shared.erp import progress
from shared.jobs import Run, job


@job
def calculate_progress_summary(run: Run) -> None:
    """Write what differs: the percentage into the ERP, the summary beside it."""
    run.items_failed(progress.unjudgeable())
    least = Decimal(str(run.params["min_change_points"]))
    saved = run.db.execute(progress.saved(run.biz_date, least, run.now, run.id)).one()
    run.count(checked=saved.checked, updated=saved.updated, summarised=saved.summarised, dropped=saved.dropped)
