"""How late is a task or a work order, and how loudly is that said? (rulebook job 15)"""

from operator import ge

from shared.rules.ladder import Ladder, Step
from shared.rules.levels import shifted


def delay_ladder(critical_days: int, urgent_days: int) -> Ladder:
    """By days past the planned end; the day itself is not late."""
    return Ladder((Step(ge, urgent_days, "URGENT"), Step(ge, critical_days, "CRITICAL"), Step(ge, 1, "WARNING")))


def delay_level(days_late: int | None, *, is_critical: bool, critical_days: int, urgent_days: int) -> str | None:
    """The ladder, one level higher for a task on the critical path; no planned end, no delay."""
    level = delay_ladder(critical_days, urgent_days).answer(days_late)
    return level and shifted(level, int(is_critical))
