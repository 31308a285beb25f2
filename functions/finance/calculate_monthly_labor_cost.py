"""Labor cost: last month's approved hours times each day's rate, booked on the projects; finance gets the totals."""

from datetime import datetime, time

from shared.alerts import raise_alerts
from shared.erp import budgets, labor_costs
from shared.jobs import Run, job
from shared.notifications import notify
from shared.rules.budget import BudgetLimits
from shared.rules.labor import period_before


@job
def calculate_monthly_labor_cost(run: Run) -> None:
    """Make the month's cost rows equal to its approved time, unless finance has locked it; check those budgets once."""
    params = run.params
    month = labor_costs.Month(period_before(run.biz_date), params["factors"], params["correction_months"])
    if run.db.execute(labor_costs.status(month.period)).scalar() == "LOCKED":
        run.count(skipped=1)
        run.log("labor_cost_locked", period=str(month.period))
        return
    run.items_failed(labor_costs.without_rate(month))
    booked = run.db.execute(labor_costs.booked(month, run.id)).one()
    run.count(costs_created=booked.created, costs_updated=booked.updated, costs_deleted=booked.deleted)
    updated = run.db.execute(labor_costs.cost_updated(month, booked.left_projects)).rowcount
    run.count(projects_updated=updated)
    run.db.execute(labor_costs.closed_off(month, run.now, run.id))

    concerned = labor_costs.concerned(month, booked.left_projects)
    overruns = budgets.overruns(BudgetLimits(**params["budget"]), concerned)
    raise_alerts(run, "COST_OVERRUN", overruns, scanned=budgets.judged(concerned))
    morning = datetime.combine(run.biz_date, time.fromisoformat(params["digest_at"]), run.time_zone)
    notify(run, "LABOR_COST_DONE", labor_costs.done(month, morning))
