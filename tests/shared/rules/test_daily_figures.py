"""How a day's production figures are worked out; tests/shared/erp/test_production_stats.py asks SQL the same."""

from datetime import date
from decimal import Decimal

import pytest

from shared.rules.daily_figures import completion_rate, efficiency, overtime, pass_rate, share
from tests.shared.rules.daily_cases import COMPLETION, EFFICIENCY, OVERTIME, PASS, SHARES

WEEK = range(2, 9)  # Monday 2 to Sunday 8 March 2026


def worked(day: date) -> bool:
    return day.isoweekday() < 6


@pytest.mark.parametrize(("first", "last", "shares"), SHARES)
def test_a_plan_is_spread_evenly_over_its_workdays(first: int, last: int, shares: list[str]) -> None:
    window = date(2026, 3, first), date(2026, 3, last)
    assert [share(*window, date(2026, 3, day), worked) for day in WEEK] == [Decimal(one) for one in shares]


@pytest.mark.parametrize(("earned", "hours", "percent"), EFFICIENCY)
def test_efficiency_rises_with_what_is_earned_and_falls_with_the_hours(earned: str, hours: str, percent: str | None) -> None:
    """D-61: 8 hours earned in 10 are 80 %."""
    assert efficiency(Decimal(earned), Decimal(hours)) == (percent and Decimal(percent))


@pytest.mark.parametrize(("completed", "planned", "rate"), COMPLETION)
def test_a_rate_of_nothing_is_nothing_and_no_rate_overflows(completed: str, planned: str, rate: str) -> None:
    """D-47"""
    assert completion_rate(Decimal(completed), Decimal(planned)) == Decimal(rate)


@pytest.mark.parametrize(("qualified", "defect", "total", "rate"), PASS)
def test_the_pass_rate_is_unknown_when_nobody_said_how_good_it_is(qualified: str, defect: str, total: str, rate: str | None) -> None:
    assert pass_rate(Decimal(qualified), Decimal(defect), Decimal(total)) == (rate and Decimal(rate))


@pytest.mark.parametrize(("hours", "is_workday", "expected"), OVERTIME)
def test_overtime_is_what_each_did_beyond_a_day_and_all_of_a_rest_day(hours: list[str], is_workday: bool, expected: str) -> None:
    assert overtime([Decimal(one) for one in hours], is_workday=is_workday, day_hours=8) == Decimal(expected)
