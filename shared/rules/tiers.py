"""When is something told again: which tier has a number of days reached?

A message goes out once per tier (its dedupe key ends in it), so a day without a run, or a date that moves, loses none.
"""

from collections.abc import Sequence


def due_tier(days_left: int | None, tiers: Sequence[int]) -> int | None:
    """Counting down: the nearest tier at or above the days left. None: further away than the first, past, or unknown.

    With 7, 3, 1, 0: five days left still belong to 7.
    """
    if days_left is None or days_left < 0:
        return None
    return min((tier for tier in tiers if days_left <= tier), default=None)


def late_tier(days_late: int | None, tiers: Sequence[int], every: int) -> int | None:
    """Counting up: the last tier reached, and from the last one on every so many days. None: before the first.

    With 7, 15, 30, 60 and every 30: 59 days belong to 30, 89 to 60, 90 to 90.
    """
    if days_late is None or days_late < min(tiers):
        return None
    last = max(tiers)
    if days_late >= last:
        return last + (days_late - last) // every * every
    return max(tier for tier in tiers if tier <= days_late)
