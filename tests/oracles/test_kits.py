"""Over random rows and several days, kits, shortages and late deliveries are what the rulebook says, and nothing else."""

import random
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.oracles import kit_rows
from tests.oracles import kits as oracle
from tests.oracles.reading import failed_items, told

DAYS = [TODAY, TODAY + timedelta(days=1), TODAY + timedelta(days=6)]


@pytest.fixture(params=[1, 2])
def firm(request: pytest.FixtureRequest, db: Connection) -> Connection:
    kit_rows.generate(Erp(db), random.Random(request.param), TODAY)
    return db


def stored_kits(db: Connection, day: date) -> tuple[dict[int, Any], dict[tuple[int, int], Any]]:
    checks = db.execute(text("select * from belfry.kit_checks where method = 'AUTO' and check_date = :day"), {"day": day}).all()
    orders = {check.id: check.work_order_id for check in checks}
    items = db.execute(text("select * from belfry.kit_check_items")).all()
    return (
        {c.work_order_id: (c.bom_id, c.total_items, c.fulfilled_items, c.in_transit_items, c.shortage_items, c.kit_rate, c.start_kit_rate,
                           c.kit_status, c.can_start) for c in checks},
        {(orders[i.kit_check_id], i.material_id): (i.required_qty, i.on_hand_alloc, i.in_transit_alloc, i.shortage_qty, i.eta_date, i.item_status)
         for i in items if i.kit_check_id in orders},
    )  # fmt: skip


def test_kit_checks_their_alerts_and_the_digest_of_each_workshop(firm: Connection, perform: Perform) -> None:
    by_hand = firm.execute(text("select * from belfry.kit_checks where method = 'MANUAL' order by id")).all()
    low_before, without_before, seen = dict[int, Any](), dict[int, Any](), set[str]()
    for day in DAYS:
        answer = perform("daily_kit_check", f"{day}T06:00+08:00")
        kits, broken = oracle.kits(firm, day)
        checks, items = stored_kits(firm, day)
        assert checks == {order: kit.check() for order, kit in kits.items()}
        assert items == {(order, material): item.stored() for order, kit in kits.items() for material, item in kit.items.items()}
        assert failed_items(firm, answer["execution_id"]) == broken
        low, without = oracle.kit_alerts(firm, day)
        # who is out of sight (slipped too far) keeps what was said of it
        low_before = {order: said for order, said in low_before.items() if order not in kits} | low
        without_before = {order: said for order, said in without_before.items() if order not in kits} | without
        assert told(firm, "KIT_RATE_LOW") == low_before
        assert told(firm, "KIT_NO_BOM") == without_before
        digests = firm.execute(
            text("select dedupe_key, recipients, facts from belfry.notifications where type = 'DIGEST_KIT' and execution_id = cast(:id as uuid)"),
            {"id": answer["execution_id"]},
        )
        assert {
            int(row.dedupe_key.split("|")[2]): ({order["work_order_no"] for order in row.facts["orders"]}, set(row.recipients)) for row in digests
        } == oracle.startable(firm, day)
        seen |= {check[-2] for check in checks.values()} | {level for level, _ in low.values()}
        assert {item[-1] for item in items.values()} == {"FULFILLED", "IN_TRANSIT", "SHORTAGE"}
        assert broken
        assert oracle.startable(firm, day)
    assert seen == {"COMPLETE", "PARTIAL", "SHORTAGE", "NO_BOM", "WARNING", "CRITICAL", "URGENT"}
    assert firm.execute(text("select * from belfry.kit_checks where method = 'MANUAL' order by id")).all() == by_hand


@pytest.mark.parametrize("checked", [True, False])
def test_shortages_and_their_alerts(firm: Connection, perform: Perform, checked: bool) -> None:
    for day in DAYS:
        if checked:
            perform("daily_kit_check", f"{day}T06:00+08:00")
        before = oracle.shortages(firm, day, checked=checked)
        perform("generate_shortage_alerts", f"{day}T07:00+08:00")
        rows = firm.execute(text("select * from belfry.material_shortages order by id")).all()
        found = {
            (r.work_order_id, r.bom_item_id, r.material_id): (
                r.required_qty, r.available_qty, r.in_transit_qty, r.shortage_qty, r.required_date, r.eta_date, r.impact_type,
                r.est_delay_days, r.status)
            for r in rows
        }  # fmt: skip
        assert {key: found[key] for key in before} == before
        still = {key for key, row in found.items() if row[-1] in ("OPEN", "HANDLING")}
        assert still == {key for key, row in before.items() if row[-1] in ("OPEN", "HANDLING")}
        ids = {(r.work_order_id, r.bom_item_id, r.material_id): r.id for r in rows}
        expected = oracle.shortage_alerts(firm, before, day)
        assert told(firm, "MATERIAL_SHORTAGE") == {ids[key]: said for key, said in expected.items()}
        assert {row[-3] for row in before.values()} == {"NONE", "DELAY", "STOP", "DELIVERY"}
        assert {level for level, _ in expected.values()} == {"INFO", "WARNING", "CRITICAL", "URGENT"}
        assert day > TODAY or {"RESOLVED", "CANCELLED", "OPEN"} <= {row[-1] for row in before.values()}


def test_late_deliveries(firm: Connection, perform: Perform) -> None:
    perform("daily_kit_check", f"{TODAY}T06:00+08:00")
    perform("generate_shortage_alerts", f"{TODAY}T07:00+08:00")
    levels, contradictory, received = set(), set(), set()
    for day in DAYS:
        answer = perform("check_delivery_delay", f"{day}T14:00+08:00")
        expected, broken, undated, complete = oracle.deliveries(firm, day)
        assert told(firm, "DELIVERY_DELAY") == expected
        assert failed_items(firm, answer["execution_id"]) == broken
        assert answer["counters"]["no_required_date"] == undated
        defects = text("select item_key from belfry.execution_items where execution_id = cast(:id as uuid) and status = 'defect'")
        assert set(firm.execute(defects, {"id": answer["execution_id"]}).scalars()) == complete
        levels |= {level for level, _ in expected.values()}
        contradictory |= broken
        received |= complete
    assert contradictory
    assert received
    assert levels == {"INFO", "WARNING", "CRITICAL", "URGENT"}
