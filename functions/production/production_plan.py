"""Production plan run: what must be made and bought in the next ninety days, when, for whom, and what is in the way."""

from datetime import datetime, time, timedelta

from shared.alerts import raise_alerts
from shared.erp import planned_orders, planning, planning_inputs
from shared.jobs import Run, job
from shared.notifications import notify


@job
def production_plan(run: Run) -> None:
    """Read everything at once, compute without a transaction, then write the version of the day as a whole."""
    day, params = run.biz_date, run.params
    window = planning.Window(day, params["horizon_days"], params["defer_days"])
    tell_at = datetime.combine(day + timedelta(days=1), time.fromisoformat(params["digest_at"]), run.time_zone)

    rows = run.read(planning_inputs.rows(day, window.last, window.first_workday, window.version))
    plan = planning.run(rows, window, run.check)

    stored = run.db.execute(planned_orders.store(window.version, plan.orders, run.id)).one()
    run.count(checked=len(rows), added=stored.created, changed=stored.updated, superseded=stored.superseded)
    run.count(**plan.counters)
    run.db.execute(planned_orders.store_exceptions(window.version, plan.warnings, run.id))
    run.db.execute(planned_orders.forget((day - timedelta(days=params["keep_days"])).isoformat()))
    run.count(rolled=run.db.execute(planned_orders.roll_plans()).scalar_one())
    for material, way in plan.loops:
        run.item_failed("MATERIAL", material, f"its bill of material leads back to it: {way}")
    run.items_failed(planning_inputs.unjudgeable())
    run.data_defects(planning_inputs.doubtful_supply())

    late = planned_orders.release_late(window.version, day)
    raise_alerts(run, "PLAN_EXCEPTION", late, scanned=planned_orders.judged(plan.loop_materials))
    ways = [way for _, way in plan.loops]
    notify(run, "PLAN_RUN_DONE", planned_orders.summary(window.version, day, ways, tell_at))
