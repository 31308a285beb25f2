"""How much of a task's time has gone, is it behind that, and when is its deadline said? (rulebook jobs T2, T3, 20)"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

LAST_CALL = timedelta(hours=2)  # the second reminder, for tasks whose first comes earlier


def time_percent(start: datetime, end: datetime, now: datetime) -> int | None:
    """0 before the start, 100 from the end on, else whole percent; none if it ends before it starts."""
    if end < start:
        return None
    if now < start:
        return 0
    if now >= end:
        return 100
    return (now - start) * 100 // (end - start)


@dataclass(frozen=True)
class ProgressLimits:
    """Percent of its time gone from which a task must have as much progress."""

    info: int
    warning: int
    critical: int

    @property
    def steps(self) -> tuple[tuple[int, str], ...]:
        """Worst first; at its end a task must be done."""
        return (100, "URGENT"), (self.critical, "CRITICAL"), (self.warning, "WARNING"), (self.info, "INFO")


def progress_level(time_gone: int, progress: int, limits: ProgressLimits) -> str | None:
    """The worst step whose time has come and whose progress has not."""
    return next((level for limit, level in limits.steps if time_gone >= limit and progress < limit), None)


def reminder_tier(deadline: datetime, before_hours: int, now: datetime, zone: tzinfo, from_hour: int) -> str | None:
    """Which reminder is due: H<hours>, H2, or OVER-<day>; a deadline that is now counts as overdue.

    On its own day an overdue task is told at once, on later ones from `from_hour` on.
    """
    if deadline <= now:
        here, due = now.astimezone(zone), deadline.astimezone(zone)
        return f"OVER-{here.date()}" if here.date() == due.date() or here.hour >= from_hour else None
    left = deadline - now
    if left > timedelta(hours=before_hours):
        return None
    return "H2" if left <= LAST_CALL else f"H{before_hours}"
