"""How do the tiers of a reminder look in SQL? As one CASE over the same numbers (shared/rules/tiers.py)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Case, case


def due_tier(days_left: Any, tiers: Sequence[int]) -> Case[Any]:
    """What rules.tiers.due_tier says of a column; null stays null."""
    return case(*((days_left.between(0, tier), tier) for tier in sorted(tiers)))


def late_tier(days_late: Any, tiers: Sequence[int], every: int) -> Case[Any]:
    """What rules.tiers.late_tier says of a column; null stays null."""
    *earlier, last = sorted(tiers)
    return case(
        (days_late >= last, after(days_late, last, every)), *((days_late >= tier, tier) for tier in reversed(earlier))
    )


def after(days: Any, first: Any, every: int) -> Any:
    """The last of the days `first`, `first + every`, ... that has come; only where days >= first."""
    return first + (days - first) // every * every
