from decimal import Decimal

import pytest

from shared.rules.stock import flags, next_step
from tests.shared.rules.stock_cases import FLAGS, LIMITS, STEPS


@pytest.mark.parametrize(("quantity", "recomputed", "available", "safety", "frozen", "unmoved", "found"), FLAGS)
def test_flags(
    quantity: str, recomputed: str | None, available: str, safety: str, frozen: str, unmoved: int, found: list[str]
) -> None:
    booked = None if recomputed is None else Decimal(recomputed)
    assert flags(Decimal(quantity), booked, Decimal(available), Decimal(safety), Decimal(frozen), unmoved, 180) == found


@pytest.mark.parametrize(("expected", "difference", "price", "recounted", "step"), STEPS)
def test_next_step(expected: str, difference: str, price: str, recounted: bool, step: str | None) -> None:
    numbers = Decimal(expected), Decimal(difference), Decimal(price)
    assert next_step(*numbers, recounted=recounted, **LIMITS) == step
