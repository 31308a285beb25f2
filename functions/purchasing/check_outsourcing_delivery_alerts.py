"""Outsourcing delivery: orders at a vendor that are due soon, late, or expected too late by the vendor itself."""

from shared.alerts import raise_alerts
from shared.erp import outsourcing
from shared.jobs import Run, job


@job
def check_outsourcing_delivery_alerts(run: Run) -> None:
    """Alert buyer and project manager by the days to the required day; once it is past, procurement too."""
    day, params = run.biz_date, run.params
    counted = run.db.execute(outsourcing.counted()).one()
    run.count(checked=counted.orders, no_required_date=counted.undated)
    run.items_failed(outsourcing.unjudgeable(day))
    run.data_defects(outsourcing.contradictions(day))

    due = outsourcing.near_or_late(day, params["before_days"], params["urgent_after_days"])
    raise_alerts(run, "OUTSOURCING_DELIVERY", due, scanned=outsourcing.judged(day), present=outsourcing.present())
