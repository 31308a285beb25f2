from decimal import Decimal

import pytest

from shared.rules.kits import Need, Receipt, allocate, kit_level, kit_rate, kit_status
from tests.shared.rules.kit_cases import ALLOCATIONS, LEVELS, STATUSES, Case, day

MATERIALS = {"M": 1, "N": 2}


@pytest.mark.parametrize("case", ALLOCATIONS, ids=lambda c: c.name)
def test_allocation(case: Case) -> None:
    needs = [
        Need(number, MATERIALS[str(n.get("material", "M"))], Decimal(str(n["quantity"])), day(int(str(n.get("start", 0)))),
             str(n.get("priority", "NORMAL")))
        for number, n in enumerate(case.needs, 1)
    ]
    stock = {MATERIALS[name]: Decimal(quantity) for name, quantity in case.stock.items()}
    receipts = [Receipt(1, Decimal(quantity), None if eta is None else day(eta)) for quantity, eta in case.receipts]
    items = {i.order: (i.status, i.on_hand, i.in_transit, i.short, i.eta) for i in allocate(needs, stock, receipts)}
    assert items == {
        number: (status, Decimal(on_hand), Decimal(in_transit), Decimal(short), None if eta is None else day(eta))
        for number, (status, on_hand, in_transit, short, eta) in enumerate(case.items, 1)
    }


@pytest.mark.parametrize(("rate", "days", "can_start", "started", "level"), LEVELS)
def test_level(rate: str, days: int | None, can_start: bool, started: bool, level: str | None) -> None:
    told = kit_level(Decimal(rate), days, can_start=can_start, started=started, min_rate=80, critical_days=2)
    assert told == level


@pytest.mark.parametrize(("fulfilled", "total", "key_missing", "status", "rate"), STATUSES)
def test_status_and_rate(fulfilled: int, total: int, key_missing: bool, status: str, rate: Decimal | None) -> None:
    assert kit_status(fulfilled, total, key_missing=key_missing, min_rate=80) == status
    assert rate is None or kit_rate(fulfilled, total) == rate
