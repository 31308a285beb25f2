"""Opportunity stages: those that stand in one stage for longer than it may take tell their owner, every third day."""

from shared.erp import opportunities
from shared.jobs import Run, job
from shared.notifications import notify


@job
def check_opportunity_stage_timeout(run: Run) -> None:
    """Each stage has its own limit, counted from the day it was entered; far beyond it the sales managers hear too."""
    run.count(checked=run.db.execute(opportunities.counted()).scalar_one())
    run.items_failed(opportunities.unjudgeable(run.now))
    overstayed = opportunities.overstayed(run.biz_date, run.time_zone.key, **run.params)
    notify(run, "OPPORTUNITY_STAGE_TIMEOUT", overstayed)
