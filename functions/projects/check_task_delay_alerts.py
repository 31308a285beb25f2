"""Task delay: project tasks and work orders past their planned end, louder by the days and on the critical path."""

from shared.alerts import raise_alerts
from shared.erp import delays
from shared.jobs import Run, job


@job
def check_task_delay_alerts(run: Run) -> None:
    """Tasks alert their owner and the project manager, work orders the manager of their workshop."""
    day, limits = run.biz_date, (run.params["critical_days"], run.params["urgent_days"])
    counted = run.db.execute(delays.counted()).one()
    run.count(checked=counted.checked, no_planned_end=counted.undated)
    run.data_defects(delays.contradictions())

    tasks, orders = delays.late_tasks(day, *limits), delays.late_orders(day, *limits)
    raise_alerts(run, "TASK_DELAY", tasks, scanned=delays.all_tasks(), present=delays.live_tasks())
    raise_alerts(run, "WORK_ORDER_DELAY", orders, scanned=delays.all_orders(), present=delays.live_orders())
