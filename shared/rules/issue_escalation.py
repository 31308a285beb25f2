"""When is an issue raised because nobody moves it, and who takes an URGENT one over? (rulebook jobs 7 and 34)"""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

PRIORITIES = ("LOW", "MEDIUM", "HIGH", "URGENT")
HIGHEST = PRIORITIES[-1]
RAISED = dict(pairwise(PRIORITIES))
TIERS = 3  # the assignee's manager, the project manager, the PMO


@dataclass(frozen=True)
class Step:
    """What an issue becomes: its priority, and who has it (0: still its assignee)."""

    priority: str
    tier: int


def is_due(age: timedelta, limit: timedelta, since_last: timedelta | None, pause: timedelta) -> bool:
    """Older than the limit, and the last automatic step of either job (None: never) is at least the pause ago."""
    return age > limit and (since_last is None or since_last >= pause)


def next_step(priority: str, tier: int) -> Step | None:
    """One priority up; an URGENT issue goes to the next tier, until the last one has it."""
    if priority != HIGHEST:
        return Step(RAISED[priority], 0)
    return Step(HIGHEST, tier + 1) if tier < TIERS else None
