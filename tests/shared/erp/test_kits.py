"""The kit rules in SQL, on the cases that test them in Python."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Boolean, Connection, Integer, Numeric, cast, select, text

from shared.erp import kit_alerts, kit_checks, kits
from tests.factories import LONG_AGO, TODAY, Erp
from tests.shared.rules.kit_cases import ALLOCATIONS, LEVELS, STATUSES, Case, day

RUN = "00000000-0000-4000-8000-000000000001"
WEEK = kits.Window(TODAY, ahead_days=7, overdue_days=30)


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


@pytest.mark.parametrize("case", ALLOCATIONS, ids=lambda c: c.name)
def test_allocation(case: Case, erp: Erp, db: Connection) -> None:
    materials = {"M": erp.material(), "N": erp.material()}
    for name, quantity in case.stock.items():
        erp.stock(materials[name], Decimal(quantity) / 2)
        erp.stock(
            materials[name], Decimal(quantity), reserved_qty=Decimal(quantity) / 4, frozen_qty=Decimal(quantity) / 4
        )
    for quantity, eta in case.receipts:
        _purchase(erp, materials["M"], Decimal(quantity), None if eta is None else day(eta))
    orders = [_order(erp, materials, n) for n in case.needs]
    rows = {row.work_order_id: row for row in db.execute(kits.allocation(WEEK))}
    items = [rows[order] for order in orders]
    found = [(i.item_status, i.on_hand_alloc, i.in_transit_alloc, i.shortage_qty, i.eta_date) for i in items]
    assert found == [
        (status, Decimal(on_hand), Decimal(in_transit), Decimal(short), None if eta is None else day(eta))
        for status, on_hand, in_transit, short, eta in case.items
    ]


def _order(erp: Erp, materials: dict[str, int], need: dict[str, Any]) -> int:
    """The quantity comes half from the plan quantity and from two lines of one material."""
    quantity = Decimal(str(need["quantity"])) / 4
    material = materials[need.get("material", "M")]
    bom = erp.bom([{"material_id": material, "quantity": quantity}] * 2)
    return erp.work_order(
        bom_id=bom, plan_qty=2, plan_start_date=day(need.get("start", 0)), priority=need.get("priority", "NORMAL")
    )


def _purchase(erp: Erp, material: int, quantity: Decimal, eta: Any) -> None:
    line = {"material_id": material, "quantity": quantity + 7, "received_qty": 7, "promised_date": eta}
    erp.purchase_order([line])


@pytest.mark.parametrize(("rate", "days", "can_start", "started", "level"), LEVELS)
def test_level(rate: str, days: int | None, can_start: bool, started: bool, level: str | None, db: Connection) -> None:
    told = kit_alerts.level(
        cast(Decimal(rate), Numeric),
        cast(days, Integer),
        cast(can_start, Boolean),
        cast(started, Boolean),
        min_rate=80,
        critical_days=2,
    )
    assert db.scalar(select(told)) == level


def test_status_and_rate(erp: Erp, db: Connection) -> None:
    """An order a case: so many materials of its bill lie ready, and a key material is among the missing ones or not."""
    expected = {}
    for fulfilled, total, key_missing, status, rate in STATUSES:
        lines: list[dict[str, Any]] = [{"material_id": erp.material(), "quantity": 1} for _ in range(total)]
        for line in lines[:fulfilled]:
            erp.stock(line["material_id"], 1)
        if key_missing:
            lines[-1]["is_key_item"] = True
        expected[erp.work_order(bom_id=erp.bom(lines))] = (status, rate)
    db.execute(kit_checks.store(WEEK, LONG_AGO, RUN, 80))
    found = db.execute(text("select work_order_id, kit_status, kit_rate from belfry.kit_checks"))
    assert {row.work_order_id: (row.kit_status, row.kit_rate) for row in found} == expected
