"""How near or late is an outsourcing order, and how loudly is that said? (rulebook job 21)"""

from operator import ge, gt

from shared.rules.ladder import Ladder, Step


def outsourcing_ladder(before_days: int, urgent_after_days: int) -> Ladder:
    """By days past the required day; before it they are negative. The day itself is near, not late."""
    return Ladder(
        (Step(gt, urgent_after_days, "URGENT"), Step(ge, 1, "CRITICAL"), Step(ge, -before_days, "WARNING"))
    )


def outsourcing_level(
    days_late: int, *, estimated_late: bool, before_days: int, urgent_after_days: int
) -> str | None:
    """The ladder; further away, an order that its vendor expects after the required day is a WARNING already."""
    level = outsourcing_ladder(before_days, urgent_after_days).answer(days_late)
    return "WARNING" if level is None and estimated_late else level
