"""Alert escalation: alerts that nobody handled in time rise one level, and the next people up are told."""

from shared.alerting import escalation
from shared.jobs import Run, job


@job
def check_alert_escalation(run: Run) -> None:
    """One statement: the ladder, the people of each step, events and notifications (rulebook 31)."""
    done = escalation.escalate(
        run.db, now=run.now, day=run.biz_date, zone=run.time_zone.key, execution=run.id, **run.params
    )
    run.count(checked=done.checked, escalated=done.escalated, repeated=done.repeated, notified=done.told)
    if done.told:
        run.wants_fan_out(done.first_told)
