"""How loud is an open issue: by its days overdue, or the hours it has blocked a project? (rulebook jobs 5 and 6)"""

from decimal import Decimal
from operator import ge

from shared.rules.ladder import Ladder, Step
from shared.rules.levels import shifted

RAISED_PRIORITY = "URGENT"  # an issue of this priority is told one level higher


def overdue_ladder(warning_days: int, critical_days: int) -> Ladder:
    """By days past the due date; the due date itself is not overdue."""
    return Ladder((Step(ge, critical_days, "CRITICAL"), Step(ge, warning_days, "WARNING"), Step(ge, 1, "INFO")))


def overdue_level(days: int | None, priority: str, *, warning_days: int, critical_days: int) -> str | None:
    """INFO, WARNING or CRITICAL by days overdue, one level higher for URGENT priority; None: not overdue."""
    level = overdue_ladder(warning_days, critical_days).answer(days)
    return level and shifted(level, int(priority == RAISED_PRIORITY))


def blocking_ladder(critical_hours: int, urgent_hours: int) -> Ladder:
    """By hours since the issue was raised."""
    return Ladder((Step(ge, urgent_hours, "URGENT"), Step(ge, critical_hours, "CRITICAL")), otherwise="WARNING")


def blocking_level(hours: int | Decimal, *, critical_hours: int, urgent_hours: int) -> str | None:
    """WARNING from the first minute, CRITICAL and URGENT once that many hours have passed."""
    return blocking_ladder(critical_hours, urgent_hours).answer(hours)
