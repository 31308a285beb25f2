"""How loud is a milestone: by the days to its planned date, or past it? (rulebook job 9)"""

from operator import gt

from shared.rules.ladder import Ladder, Step
from shared.rules.levels import shifted


def milestone_ladder(urgent_after_days: int) -> Ladder:
    """A key milestone inside its reminder window, by days past the planned date (negative: days left)."""
    return Ladder((Step(gt, urgent_after_days, "URGENT"), Step(gt, 0, "CRITICAL")), otherwise="WARNING")


def milestone_level(days_late: int, *, is_key: bool, remind_days: int, urgent_after_days: int) -> str | None:
    """WARNING, CRITICAL, URGENT for a key milestone, one level lower for others; None: not yet near.

    Due today counts as near with 0 days left, not as overdue.
    """
    if -days_late > remind_days:
        return None
    level = milestone_ladder(urgent_after_days).answer(days_late)
    return level and shifted(level, int(is_key) - 1)
