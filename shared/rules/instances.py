"""How loudly is it said that an instance could not be read? (rulebook W2, W4)"""

from operator import ge

from shared.rules.ladder import Ladder, Step


def failure_ladder(warning_days: int, critical_days: int | None = None) -> Ladder:
    """By days in a row on which an instance could not be read; a run more on the same day is not one more."""
    critical = (Step(ge, critical_days, "CRITICAL"),) if critical_days is not None else ()
    return Ladder((*critical, Step(ge, warning_days, "WARNING")))
