"""Milestones: those near or overdue alert their owner and the project manager, key milestones one level higher."""

from shared.alerts import raise_alerts
from shared.erp import milestones
from shared.jobs import Run, job


@job
def check_milestone_alerts(run: Run) -> None:
    """One alert a milestone, whose level moves from upcoming to overdue."""
    due = milestones.near_or_overdue(run.biz_date, run.params["before_days"], run.params["urgent_after_days"])
    run.items_failed(milestones.contradictions(run.biz_date))
    run.data_defects(milestones.done_but_open(run.biz_date))
    raise_alerts(run, "MILESTONE_DUE", due, scanned=milestones.judgeable(), present=milestones.of_live_projects())
