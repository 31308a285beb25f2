"""The level of a budget; the job's own test runs the same cases in SQL."""

from decimal import Decimal

import pytest

from shared.rules.budget import BudgetLimits, budget_level
from tests.shared.rules.budget_cases import CASES

LIMITS = BudgetLimits(80, 90, 110, 120, 100)


@pytest.mark.parametrize(("budget", "spent", "committed", "level"), CASES)
def test_a_budget_is_told_by_what_is_spent_and_what_is_ordered(
    budget: str | None, spent: str, committed: str, level: str | None
) -> None:
    assert budget_level((budget and Decimal(budget)) or None, Decimal(spent), Decimal(committed), LIMITS) == level
