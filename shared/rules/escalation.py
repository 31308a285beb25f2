"""When does an alert that nobody handles climb one level (rulebook 31)? shared/alerting/escalation.py agrees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LEVELS = ("INFO", "WARNING", "CRITICAL", "URGENT")


@dataclass(frozen=True)
class Ladder:
    """Hours until the next step, and what stretches them; the params of check_alert_escalation."""

    info_hours: int = 24
    warning_hours: int = 8
    critical_hours: int = 4
    urgent_hours: int = 2
    urgent_repeat_hours: int = 4
    urgent_repeats_per_day: int = 6
    acknowledged_factor: int = 2
    processing_factor: int = 3


@dataclass(frozen=True)
class Situation:
    """What the rule looks at in one open alert; instants are aware."""

    level: str
    status: str
    level_changed_at: datetime
    acknowledged_at: datetime | None = None
    handle_start_at: datetime | None = None
    escalated_at: datetime | None = None
    repeats_today: int = 0


@dataclass(frozen=True)
class WorkingHours:
    """The part of a workday that counts, in its zone."""

    opens: time
    closes: time
    zone: ZoneInfo
    is_workday: Callable[[date], bool]

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from `start` to `end`."""
        total = timedelta()
        day = start.astimezone(self.zone).date()
        while day <= end.astimezone(self.zone).date():
            opens = max(start, datetime.combine(day, self.opens, self.zone))
            closes = min(end, datetime.combine(day, self.closes, self.zone))
            if self.is_workday(day) and closes > opens:
                total += closes - opens
            day += timedelta(days=1)
        return total


def next_level(alert: Situation, now: datetime, ladder: Ladder, hours: WorkingHours) -> str | None:
    """The level that the alert steps to now: one up, URGENT again for URGENT, None when its time is not over.

    INFO and WARNING count working time, the others every hour. An acknowledged alert has twice the time from its
    acknowledgement, one in work three times from its start.
    """
    repeats = alert.level == "URGENT" and alert.escalated_at is not None and alert.escalated_at > alert.level_changed_at
    if alert.level == "URGENT" and alert.repeats_today >= ladder.urgent_repeats_per_day:
        return None
    since, factor = _clock(alert, ladder)
    limit = timedelta(hours=factor * _hours(alert.level, ladder, repeats=repeats))
    passed = hours.between(since, now) if alert.level in ("INFO", "WARNING") else now - since
    if passed < limit:
        return None
    return LEVELS[min(LEVELS.index(alert.level) + 1, len(LEVELS) - 1)]


def _clock(alert: Situation, ladder: Ladder) -> tuple[datetime, int]:
    marks = [alert.level_changed_at]
    factor = 1
    if alert.level == "URGENT" and alert.escalated_at:
        marks.append(alert.escalated_at)
    if alert.status == "ACKNOWLEDGED":
        factor = ladder.acknowledged_factor
        marks += [alert.acknowledged_at] if alert.acknowledged_at else []
    elif alert.status == "PROCESSING":
        factor = ladder.processing_factor
        marks += [alert.handle_start_at] if alert.handle_start_at else []
    return max(marks), factor


def _hours(level: str, ladder: Ladder, *, repeats: bool) -> int:
    if repeats:
        return ladder.urgent_repeat_hours
    limits = (ladder.info_hours, ladder.warning_hours, ladder.critical_hours, ladder.urgent_hours)
    return limits[LEVELS.index(level)]
