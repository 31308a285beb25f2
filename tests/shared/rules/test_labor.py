"""Which rate is valid on a day, and which month is calculated."""

from datetime import date
from decimal import Decimal

import pytest

from shared.rules.labor import Rate, amount, period_before, rate_on
from tests.shared.rules.labor_cases import CASES, DAY, FACTORS, MONEY, RateCase


@pytest.mark.parametrize(("rates", "expected"), CASES)
def test_the_newest_rate_of_the_nearest_scope_is_valid(rates: list[RateCase], expected: str | None) -> None:
    known = [Rate(scope, {"USER": 1, "OTHER": 2, "ROLE": 10, "ROLE2": 11, "NOROLE": 12, "DEPT": 20, "DEFAULT": None}[whom], Decimal(hourly), since, until, active)
             for scope, whom, hourly, since, until, active in rates]  # fmt: skip
    assert rate_on(DAY, known, 1, [10, 11], 20) == (expected and Decimal(expected))


@pytest.mark.parametrize(("day", "period"), [
    (date(2026, 1, 1), date(2025, 12, 1)), (date(2026, 3, 1), date(2026, 2, 1)), (date(2024, 3, 31), date(2024, 2, 1)),
])  # fmt: skip
def test_the_month_before_is_calculated(day: date, period: date) -> None:
    assert period_before(day) == period


def test_money_is_rounded_once() -> None:
    factors = {kind: Decimal(factor) for kind, factor in FACTORS.items()}
    for time, money in MONEY:
        assert amount([(Decimal(hours), Decimal(rate), kind) for hours, rate, kind in time], factors) == Decimal(money)
