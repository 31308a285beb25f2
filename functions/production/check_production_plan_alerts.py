"""Production plan deviation: plans that will not make their end, fall behind their line, or have not begun."""

from shared.alerts import raise_alerts
from shared.erp import production_plans
from shared.jobs import Run, job


@job
def check_production_plan_alerts(run: Run) -> None:
    """Alert owner, workshop and project manager by days past the end and by points behind a straight line."""
    run.count(checked=run.db.execute(production_plans.counted()).scalar_one())
    run.items_failed(production_plans.unjudgeable())

    deviating = production_plans.deviating(run.biz_date, **run.params)
    raise_alerts(
        run, "PRODUCTION_PLAN", deviating, scanned=production_plans.judged(), present=production_plans.present()
    )
