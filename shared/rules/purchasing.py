"""How late is a purchase order, and how loudly is that said? (rulebook job 19)"""

from operator import ge

from shared.rules.ladder import Ladder, Step
from shared.rules.levels import shifted


def delivery_ladder(critical_days: int, urgent_days: int) -> Ladder:
    """By days that the oldest open line is past its required day; the day itself is not late."""
    return Ladder((Step(ge, urgent_days, "URGENT"), Step(ge, critical_days, "CRITICAL"), Step(ge, 1, "WARNING")))


def delivery_level(
    days_late: int | None, *, feeds_shortage: bool, promised_late: bool, critical_days: int, urgent_days: int
) -> str | None:
    """The ladder, one level higher when a late line feeds a shortage; not late yet but promised for too late: INFO."""
    level = delivery_ladder(critical_days, urgent_days).answer(days_late)
    if level is None:
        return "INFO" if promised_late else None
    return shifted(level, int(feeds_shortage))
