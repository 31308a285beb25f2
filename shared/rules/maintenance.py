"""When is a machine due for maintenance, and how loud is that? (rulebook job 35)"""

from collections.abc import Sequence
from datetime import date, timedelta
from operator import ge

from shared.rules.ladder import Ladder, Step
from shared.rules.levels import shifted


def due_date(next_date: date | None, last_date: date | None, cycle_days: int | None) -> date | None:
    """The planned date; without one, the last date plus the cycle."""
    if next_date is None and last_date is not None and cycle_days is not None:
        return last_date + timedelta(days=cycle_days)
    return next_date


def overdue_ladder(critical_days: int) -> Ladder:
    """By days past the due date; the day itself is not overdue."""
    return Ladder((Step(ge, critical_days, "CRITICAL"), Step(ge, 1, "WARNING")))


def overdue_level(days_late: int, *, is_key: bool, critical_days: int) -> str | None:
    """The ladder, one level higher for a key machine."""
    level = overdue_ladder(critical_days).answer(days_late)
    return level and shifted(level, int(is_key))


def is_reminded(days_left: int, tiers: Sequence[int]) -> bool:
    """A message goes on exactly these numbers of days before the due date."""
    return days_left in tiers
