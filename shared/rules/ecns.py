"""How long does an engineering change wait for somebody, and how loudly is that said? (rulebook job 27)"""

from operator import ge

from shared.rules.ladder import Ladder, Step


def ecn_ladder(critical_days: int, urgent_days: int) -> Ladder:
    """By whole days past the due time; what is late by less than a day is late all the same."""
    return Ladder((Step(ge, urgent_days, "URGENT"), Step(ge, critical_days, "CRITICAL"), Step(ge, 0, "WARNING")))
