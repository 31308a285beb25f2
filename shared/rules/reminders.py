"""How loud is a reminder? By the days to a date or past it, or by the hours something has waited.

The rulebook names priorities: NORMAL is told as INFO, HIGH as WARNING, URGENT as URGENT.
"""

from operator import ge, le

from shared.rules.ladder import Ladder, Step


def due_ladder(high_days: int, urgent_days: int | None = None) -> Ladder:
    """By days left: NORMAL, HIGH from so few on, URGENT from fewer (None: never)."""
    urgent = () if urgent_days is None else (Step(le, urgent_days, "URGENT"),)
    return Ladder((*urgent, Step(le, high_days, "WARNING")), otherwise="INFO")


def late_ladder(high_days: int, urgent_days: int) -> Ladder:
    """By days late: NORMAL, HIGH and URGENT from so many on."""
    return Ladder((Step(ge, urgent_days, "URGENT"), Step(ge, high_days, "WARNING")), otherwise="INFO")


def waiting_ladder(high_hours: int) -> Ladder:
    """By hours waited: NORMAL, HIGH from so many on."""
    return Ladder((Step(ge, high_hours, "WARNING"),), otherwise="INFO")
