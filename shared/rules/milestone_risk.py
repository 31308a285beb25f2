"""How much is a milestone in danger that comes soon, by the work left for it? (rulebook job 10)"""

from collections.abc import Iterable
from decimal import Decimal
from operator import le

from shared.rules.ladder import Ladder, Step
from shared.rules.levels import shifted


def risk_ladder(critical_days: int) -> Ladder:
    """A milestone whose work is behind, by days left."""
    return Ladder((Step(le, critical_days, "CRITICAL"),), otherwise="WARNING")


def weight(given: Decimal | None) -> Decimal:
    """What a task weighs: without a weight above nothing, one."""
    return given if given is not None and given > 0 else Decimal(1)


def done_share(tasks: Iterable[tuple[str, Decimal | None]]) -> Decimal | None:
    """Percent of the work that is done, by weight, over (status, weight) of tasks; cancelled ones are no work."""
    work = [(status, weight(given)) for status, given in tasks if status != "CANCELLED"]
    total = sum((each for _, each in work), Decimal(0))
    return 100 * sum((each for status, each in work if status == "DONE"), Decimal(0)) / total if work else None


def milestone_risk_level(
    days_left: int, share: Decimal | None, *, is_key: bool, hindered: bool, window_days: int, min_done_percent: int,
    critical_days: int,
) -> str | None:
    """WARNING, near the date CRITICAL, one level higher when something stands in the way; None: no risk to tell of.

    A key milestone that no task is linked to is INFO: nobody can see its work. Past ones are job 9's.
    """
    if not 0 <= days_left <= window_days:
        return None
    if share is None:
        return "INFO" if is_key else None
    level = risk_ladder(critical_days).answer(days_left) if share < min_done_percent else None
    return level and shifted(level, int(hindered))
