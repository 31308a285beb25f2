"""How loud is a project's cost against its budget, spent and promised? (rulebook 6.5, jobs 11 and 37)"""

from dataclasses import dataclass
from decimal import Decimal
from operator import ge

from shared.rules.ladder import Ladder, Step
from shared.rules.levels import LEVELS


@dataclass(frozen=True)
class BudgetLimits:
    """Percent of the budget that is spent, from which on each level is said; the last one is of the forecast."""

    info_percent: int
    warning_percent: int
    critical_percent: int
    urgent_percent: int
    forecast_percent: int


def budget_ladder(limits: BudgetLimits) -> Ladder:
    """By percent of the budget."""
    return Ladder((
        Step(ge, limits.urgent_percent, "URGENT"), Step(ge, limits.critical_percent, "CRITICAL"),
        Step(ge, limits.warning_percent, "WARNING"), Step(ge, limits.info_percent, "INFO"),
    ))


def budget_level(budget: Decimal | None, spent: Decimal, committed: Decimal, limits: BudgetLimits) -> str | None:
    """By what is spent; at least WARNING when open purchases will take it to the forecast's limit.

    Without a budget above nothing there is nothing to overrun.
    """
    if budget is None or budget <= 0:
        return None
    level = budget_ladder(limits).answer(100 * spent / budget)
    limit = limits.forecast_percent
    if 100 * spent < limit * budget <= 100 * (spent + committed):
        return max(level or "INFO", "WARNING", key=LEVELS.index)
    return level
