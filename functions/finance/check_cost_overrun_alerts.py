"""Cost overrun: projects whose cost comes near their budget or passes it, and those whose open orders will pass it."""

from shared.alerts import raise_alerts
from shared.erp import budgets, projects
from shared.jobs import Run, job
from shared.notifications import notify
from shared.rules.budget import BudgetLimits

MONDAY = 0


@job
def check_cost_overrun_alerts(run: Run) -> None:
    """Alert the project manager and finance by the share of the budget; on Mondays list who has none."""
    counted = run.db.execute(budgets.counted()).one()
    run.count(checked=counted.projects, no_budget=counted.no_budget, unpriced_lines=counted.unpriced)
    run.items_failed(budgets.unjudgeable())
    run.data_defects(budgets.differences(run.params["difference_percent"]))

    overruns = budgets.overruns(BudgetLimits(**run.params["budget"]))
    raise_alerts(run, "COST_OVERRUN", overruns, scanned=budgets.judged(), present=projects.kept_ids())
    if run.biz_date.weekday() == MONDAY:
        notify(run, "DIGEST_NO_BUDGET", budgets.missing(run.biz_date))
