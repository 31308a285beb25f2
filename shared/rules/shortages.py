"""What does a missing material do to its work order, and how loudly is that said? (rulebook job 14)"""

from decimal import Decimal
from operator import le

from shared.rules.ladder import Ladder, Step
from shared.rules.levels import shifted


def shortage_impact(*, started: bool, key_item: bool, delay_days: int | None, slack_days: int | None) -> str:
    """STOP, DELIVERY, DELAY or NONE.

    `delay_days`: how long after the required day the material comes; `slack_days`: how far the order may slip before
    the project's end does (None: no project, or one without an end).
    """
    if started or key_item:
        return "STOP"
    if not delay_days:
        return "NONE"
    return "DELIVERY" if slack_days is not None and delay_days > max(0, slack_days) else "DELAY"


def shortage_ladder(critical_days: int, warning_days: int) -> Ladder:
    """By days left to the required day."""
    steps = (Step(le, 0, "URGENT"), Step(le, critical_days, "CRITICAL"), Step(le, warning_days, "WARNING"))
    return Ladder(steps, otherwise="INFO")


def shortage_level(
    days_left: int | None, impact: str, share: Decimal, *, critical_days: int, warning_days: int, minor_percent: int
) -> str | None:
    """By days left; a stop raises by one, a share (percent of what is required) below `minor_percent` lowers by one.

    Both together cancel out. Without a required day it is INFO, and a data defect.
    """
    ladder = shortage_ladder(critical_days, warning_days)
    level = ladder.answer(days_left)
    if level is None:
        return ladder.otherwise
    return shifted(level, (impact == "STOP") - (share < minor_percent))
