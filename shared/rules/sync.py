"""When does a synchronisation stop, try again, compare everything, or worry somebody? (rulebook M2)"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

POLICIES = ("SOURCE_WINS", "LOCAL_WINS", "NEWEST")


def too_many(part: int, whole: int, percent: int) -> bool:
    """Whether so many of so many are more than a share. One row alone never stops a source."""
    return part > 1 and part * 100 > percent * whole


def full_is_due(day: date, last: date | None, weekday: int) -> bool:
    """Whether all keys are to be compared: the latest such weekday (cron: 0 = Sunday) has not seen it yet."""
    latest = day - timedelta(days=(day.isoweekday() - weekday) % 7)
    return last is None or last < latest


def next_try(now: datetime, attempts: int, minutes: Sequence[int]) -> datetime | None:
    """When a row that failed so many times is tried again; none: it waits for a person."""
    return now + timedelta(minutes=minutes[attempts - 1]) if attempts <= len(minutes) else None


def theirs_wins(policy: str, theirs: datetime | None, ours: datetime | None) -> bool:
    """Of a row that both sides changed: whether the other system's version replaces ours."""
    if policy == "NEWEST":
        return ours is None or (theirs is not None and theirs > ours)
    return policy == "SOURCE_WINS"


def trouble(
    failed_runs: int, lag: timedelta, stopped: bool, *, most_failed_runs: int, most_lag_hours: int
) -> str | None:
    """The level of a source's alert: by how far it is behind, then by failed runs or a guard's stop."""
    if lag > timedelta(hours=most_lag_hours):
        return "CRITICAL"
    return "WARNING" if stopped or failed_runs >= most_failed_runs else None


def read_up_to(watermark: datetime | None, changed: datetime, now: datetime) -> datetime:
    """The watermark after such a row: it never moves back, nor beyond now, whatever the other side's clock says."""
    capped = min(changed, now)
    return capped if watermark is None else max(watermark, capped)
