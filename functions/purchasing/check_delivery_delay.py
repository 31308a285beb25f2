"""Delivery delay: purchase orders with lines open past their required day, or promised for too late by the supplier."""

from shared.alerts import raise_alerts
from shared.erp import purchasing
from shared.jobs import Run, job


@job
def check_delivery_delay(run: Run) -> None:
    """Alert buyer and project manager by the oldest late line; a line whose material is short counts one level more."""
    counted = run.db.execute(purchasing.counted()).one()
    run.count(checked=counted.orders, no_required_date=counted.undated)
    run.items_failed(purchasing.unjudgeable())
    run.data_defects(purchasing.contradictions())

    delayed = purchasing.delayed(run.biz_date, run.params["critical_days"], run.params["urgent_days"])
    raise_alerts(run, "DELIVERY_DELAY", delayed, scanned=purchasing.judged())
