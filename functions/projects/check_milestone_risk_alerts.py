"""Milestone risk: milestones of the next days whose linked tasks are behind; what blocks them raises the level."""

from shared.alerts import raise_alerts
from shared.erp import milestone_risks, milestones
from shared.jobs import Run, job
from shared.notifications import notify


@job
def check_milestone_risk_alerts(run: Run) -> None:
    """Alert owner and project manager; those whose tasks are unfinished read it in their inbox."""
    params, window = run.params, run.params["window_days"]
    counted = run.db.execute(milestone_risks.counted(run.biz_date, window)).one()
    run.count(checked=counted.milestones, without_tasks=counted.without_tasks)
    run.data_defects(milestone_risks.strays(run.biz_date, window))

    risky = milestone_risks.at_risk(run.biz_date, window, params["min_done_percent"], params["critical_days"])
    raise_alerts(run, "MILESTONE_RISK", risky, scanned=milestone_risks.all_ids(), present=milestones.of_live_projects())
    notify(run, "MILESTONE_RISK", milestone_risks.to_task_owners())
