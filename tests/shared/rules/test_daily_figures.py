"""How a day's production figures are worked out; the job's own tests run the same cases in SQL."""

from datetime import date
from decimal import Decimal

import pytest

from shared.rules.daily_figures import completion_rate, efficiency, overtime, pass_rate, share

WEEK = range(2, 9)  # Monday 2 to Sunday 8 March 2026


def worked(day: date) -> bool:
    return day.isoweekday() < 6


@pytest.mark.parametrize(("first", "last", "shares"), [
    (2, 6, ["0.2"] * 5 + ["0", "0"]),        # a 5-day order
    (2, 8, ["0.2"] * 5 + ["0", "0"]),        # its weekend takes nothing
    (4, 4, ["0", "0", "1", "0", "0", "0", "0"]),
    (7, 8, ["0"] * 5 + ["0.5", "0.5"]),      # planned for a weekend: nothing else to spread it over
])
def test_a_plan_is_spread_evenly_over_its_workdays(first: int, last: int, shares: list[str]) -> None:
    window = date(2026, 3, first), date(2026, 3, last)
    assert [share(*window, date(2026, 3, day), worked) for day in WEEK] == [Decimal(one) for one in shares]


def test_efficiency_rises_with_what_is_earned_and_falls_with_the_hours() -> None:
    """D-61: 8 hours earned in 10 are 80 %."""
    assert efficiency(Decimal(8), Decimal(10)) == 80
    assert efficiency(Decimal(8), Decimal(16)) == 50
    assert efficiency(Decimal(8), Decimal(0)) is None


def test_rates_of_nothing_are_nothing_and_no_rate_overflows() -> None:
    """D-47"""
    assert (completion_rate(Decimal(5), Decimal(0)), completion_rate(Decimal(5), Decimal("0.01"))) == (0, Decimal("999.99"))
    assert (pass_rate(Decimal(0), Decimal(0), Decimal(0)), pass_rate(Decimal(0), Decimal(0), Decimal(5))) == (0, None)
    assert pass_rate(Decimal(39), Decimal(1), Decimal(40)) == Decimal("97.5")


def test_overtime_is_what_each_did_beyond_a_day_and_all_of_a_rest_day() -> None:
    hours = [Decimal(6), Decimal(8), Decimal("10.5")]
    assert overtime(hours, is_workday=True, day_hours=8) == Decimal("2.5")
    assert overtime(hours, is_workday=False, day_hours=8) == Decimal("24.5")
