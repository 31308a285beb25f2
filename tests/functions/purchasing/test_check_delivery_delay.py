"""Job 19 by the rulebook: boundaries of 9.2, general tests of 9.1, and the defects it must not have."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.acceptance.cases import AlertJob
from tests.conftest import Perform
from tests.factories import TODAY, Erp

JOB = "check_delivery_delay"
TWO = "2026-03-02T14:00+08:00"
NEXT_TWO = "2026-03-03T14:00+08:00"


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def late(erp: Erp, days: int, *, line: dict[str, Any] | None = None, **columns: Any) -> int:
    """An order with one line of ten pieces, so many days past its required day."""
    return erp.purchase_order([{"required_date": day(-days)} | (line or {})], **columns)


def alerts(db: Connection) -> dict[int, Any]:
    return {row.target_id: row for row in db.execute(text("select * from belfry.alert_records"))}


def levels(db: Connection) -> dict[int, str]:
    return {target: a.alert_level for target, a in alerts(db).items() if a.status == "PENDING"}


# ---------------------------------------------------------------- what every job promises
def _violate(erp: Erp, first: date) -> int:
    return erp.purchase_order([{"required_date": first - timedelta(days=1)}])


def _clear(db: Connection, target: int) -> None:
    db.execute(text("update erp.purchase_order_items set received_qty = quantity where order_id = :o"), {"o": target})


def _worsen(db: Connection, target: int) -> None:
    db.execute(text("update erp.purchase_order_items set required_date = required_date - 6 where order_id = :o"), {"o": target})


def _spoil(erp: Erp, first: date) -> str:
    erp.purchase_order([{"quantity": -1, "required_date": first - timedelta(days=9)}])
    return "PURCHASE_ORDER_ITEM"


def _multiply(db: Connection, target: int, n: int) -> None:
    db.execute(text("""with made as (
          insert into erp.purchase_orders (order_no, supplier_id, project_id, status, buyer_id)
          select order_no || '-' || c || '-' || g, supplier_id, project_id, status, buyer_id
          from erp.purchase_orders, (select count(*) as c from erp.purchase_orders) o, generate_series(1, :n) g where id = :id returning id)
        insert into erp.purchase_order_items (order_id, material_id, quantity, received_qty, required_date)
        select made.id, i.material_id, i.quantity, i.received_qty, i.required_date from made, erp.purchase_order_items i where i.order_id = :id"""),
        {"n": n, "id": target})


CASES = [
    AlertJob(JOB, "DELIVERY_DELAY", clock="14:00", violate=_violate, clear=_clear, worsen=_worsen, spoil=_spoil, multiply=_multiply),
]  # fmt: skip


# ---------------------------------------------------------------- levels
@pytest.mark.parametrize(("days", "level"), [
    (-1, None), (0, None), (1, "WARNING"), (6, "WARNING"), (7, "CRITICAL"), (13, "CRITICAL"), (14, "URGENT"), (90, "URGENT"),
])
def test_levels_by_the_days_of_the_oldest_open_line(days: int, level: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    target = late(erp, days)
    perform(JOB, TWO)
    assert levels(db) == ({target: level} if level else {})


@pytest.mark.parametrize(("days", "level"), [(-1, None), (1, "CRITICAL"), (6, "CRITICAL"), (7, "URGENT"), (14, "URGENT")])
def test_a_late_line_whose_material_is_short_counts_one_level_more(days: int, level: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    short, resolved = erp.material(), erp.material()
    for material, status in ((short, "HANDLING"), (resolved, "RESOLVED")):
        db.execute(text("""insert into belfry.material_shortages (material_id, required_qty, available_qty, shortage_qty, status)
            values (:m, 5, 0, 5, :s)"""), {"m": material, "s": status})
    target, other = late(erp, days, line={"material_id": short}), late(erp, 1, line={"material_id": resolved})
    perform(JOB, TWO)
    assert levels(db) == ({target: level} if level else {}) | {other: "WARNING"}


@pytest.mark.parametrize(("line", "columns", "level"), [
    ({"required_date": day(5)}, {"required_date": day(-20)}, None),
    ({"required_date": day(-7)}, {"required_date": day(20)}, "CRITICAL"),
    ({}, {"required_date": day(-7)}, "CRITICAL"),
    ({}, {}, None),
    ({"promised_date": day(-7)}, {}, None),
    ({"required_date": day(3), "promised_date": day(4)}, {}, "INFO"),
    ({"required_date": day(0), "promised_date": day(1)}, {}, "INFO"),
    ({"required_date": day(3), "promised_date": day(3)}, {}, None),
    ({"required_date": day(3)}, {"promised_date": day(9)}, "INFO"),
    ({"required_date": day(3), "promised_date": day(2)}, {"promised_date": day(9)}, None),
    ({"required_date": day(-1), "promised_date": day(9)}, {}, "WARNING"),
    ({"required_date": day(-9), "received_qty": 10}, {}, None),
    ({"required_date": day(-9), "received_qty": "9.9999"}, {}, "CRITICAL"),
    ({"required_date": day(-9), "received_qty": 12}, {}, None),
])
def test_the_lines_own_dates_win(line: dict[str, Any], columns: dict[str, Any], level: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    target = erp.purchase_order([line], **columns)
    perform(JOB, TWO)
    assert levels(db) == ({target: level} if level else {})


@pytest.mark.parametrize(("status", "open_"), [
    ("DRAFT", False), ("PENDING_APPROVAL", False), ("APPROVED", True), ("REJECTED", False), ("ORDERED", True),
    ("PARTIAL_RECEIVED", True), ("RECEIVED", False), ("COMPLETED", False), ("CANCELLED", False),
])
def test_only_orders_that_run_are_late(status: str, open_: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    target = late(erp, 3, status=status)
    assert perform(JOB, TWO)["counters"]["checked"] == int(open_)
    assert levels(db) == ({target: "WARNING"} if open_ else {})


@pytest.mark.parametrize("columns", [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}])
def test_orders_of_projects_that_are_over_are_left_out(columns: dict[str, Any], erp: Erp, db: Connection, perform: Perform) -> None:
    late(erp, 3, project_id=erp.project(**columns))
    free = late(erp, 3, project_id=None)
    perform(JOB, TWO)
    assert levels(db) == {free: "WARNING"}


# ---------------------------------------------------------------- facts and people
def test_the_alert_lists_its_late_lines_and_names_who_can_help(erp: Erp, db: Connection, perform: Perform) -> None:
    buyer, manager = erp.user("孙磊"), erp.user("李强")
    rail = erp.material(material_code="LG-20", material_name="直线导轨")
    target = erp.purchase_order(
        [{"material_id": rail, "quantity": 10, "received_qty": "2.5", "required_date": day(-2)},
         {"material_id": None, "specification": "非标压头", "quantity": 3, "required_date": day(-6), "promised_date": day(4)},
         {"material_id": rail, "quantity": 4, "required_date": day(2)},
         {"material_id": rail, "quantity": 4, "required_date": day(3), "promised_date": day(5)},
         {"material_id": rail, "quantity": 4, "required_date": day(-30), "received_qty": 4}],
        order_no="PO-1", order_title="导轨采购", buyer_id=buyer, status="PARTIAL_RECEIVED",
        supplier_id=erp.supplier(supplier_name="苏州精密机械有限公司"), project_id=erp.project(pm_id=manager, project_code="PJ-1", project_name="上料线"),
    )
    erp.goods_receipt(target, receipt_date=day(-8))
    erp.goods_receipt(target, receipt_date=day(-5))
    perform(JOB, TWO)
    alert = alerts(db)[target]
    assert set(alert.recipients) == {f"USER:{buyer}", f"USER:{manager}"}
    assert (alert.target_no, alert.target_name, alert.trigger_value, alert.threshold_value) == ("PO-1", "导轨采购", 6, 1)
    assert alert.facts == {
        "order_title": "导轨采购", "supplier_name": "苏州精密机械有限公司", "project_code": "PJ-1", "project_name": "上料线", "days_late": 6,
        "late_lines": 2, "open_lines": 4, "feeds_shortage": False, "last_receipt": "2026-02-25",
        "lines": [
            {"material_code": None, "material_name": "非标压头", "unit": None, "quantity": 3, "remainder": 3, "required_date": "2026-02-24",
             "promised_date": "2026-03-06", "days": 6, "feeds_shortage": False},
            {"material_code": "LG-20", "material_name": "直线导轨", "unit": "件", "quantity": 10, "remainder": 7.5, "required_date": "2026-02-28",
             "promised_date": None, "days": 2, "feeds_shortage": False},
            {"material_code": "LG-20", "material_name": "直线导轨", "unit": "件", "quantity": 4, "remainder": 4, "required_date": "2026-03-05",
             "promised_date": "2026-03-07", "days": -3, "feeds_shortage": False},
        ],
    }


@pytest.mark.parametrize(("days", "procurement"), [(6, False), (7, True), (14, True), (-5, False)])
def test_procurement_is_told_from_critical_on(days: int, procurement: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    target = late(erp, days, line={"promised_date": day(9)})
    perform(JOB, TWO)
    assert ("ROLE:PROC" in alerts(db)[target].recipients) is procurement


def test_an_order_without_a_buyer_tells_the_buyers_of_its_late_materials(erp: Erp, db: Connection, perform: Perform) -> None:
    one, two, punctual = erp.user(), erp.user(), erp.user()
    target = erp.purchase_order(
        [{"material_id": erp.material(buyer_id=buyer), "required_date": day(-offset)} for buyer, offset in ((one, 1), (two, 3), (punctual, -5))],
        buyer_id=None, project_id=None,
    )
    perform(JOB, TWO)
    assert set(alerts(db)[target].recipients) == {f"USER:{one}", f"USER:{two}"}


# ---------------------------------------------------------------- life of the alert, data defects, counts
def test_a_partial_receipt_reduces_but_does_not_resolve(erp: Erp, db: Connection, perform: Perform) -> None:
    target = erp.purchase_order([{"required_date": day(-10)}, {"required_date": day(-3)}])
    perform(JOB, TWO)
    db.execute(text("update erp.purchase_order_items set received_qty = quantity where required_date = :d"), {"d": day(-10)})
    assert perform(JOB, NEXT_TWO)["counters"]["resolved"] == 0
    alert = alerts(db)[target]
    assert (alert.status, alert.base_level, alert.alert_level) == ("PENDING", "WARNING", "CRITICAL")
    assert (alert.facts["days_late"], len(alert.facts["lines"])) == (4, 1)


def test_everything_received_resolves_and_the_open_order_is_a_data_defect(erp: Erp, db: Connection, perform: Perform) -> None:
    target = late(erp, 10, order_no="PO-1")
    perform(JOB, TWO)
    db.execute(text("update erp.purchase_order_items set received_qty = quantity"))
    answer = perform(JOB, NEXT_TWO)
    assert (answer["state"], answer["counters"]["resolved"], answer["counters"]["data_defects"]) == ("succeeded", 1, 1)
    assert alerts(db)[target].status == "RESOLVED"
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert item == ("PURCHASE_ORDER", "PO-1", "defect", "everything has come, and the order is still ORDERED")


@pytest.mark.parametrize("change", [
    "update erp.purchase_orders set status = 'CANCELLED'", "update erp.purchase_orders set status = 'COMPLETED'",
    "update erp.purchase_order_items set required_date = '2026-06-01'", "update erp.projects set is_archived = true",
])
def test_an_order_withdrawn_closed_or_moved_ends_its_alert(change: str, erp: Erp, db: Connection, perform: Perform) -> None:
    target = late(erp, 10)
    perform(JOB, TWO)
    db.execute(text(change))
    perform(JOB, NEXT_TWO)
    assert alerts(db)[target].status == "RESOLVED"


def test_lines_without_any_required_day_are_counted(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.purchase_order([{}, {"promised_date": day(3)}, {"required_date": day(3)}, {"received_qty": 10}])
    erp.purchase_order([{}], required_date=day(3))
    erp.purchase_order([{}], status="DRAFT")
    counters = perform(JOB, TWO)["counters"]
    assert (counters["no_required_date"], counters["checked"], counters["violations"]) == (2, 2, 0)


def test_a_line_that_cannot_be_judged_is_listed_and_the_orders_other_lines_are_judged(erp: Erp, db: Connection, perform: Perform) -> None:
    target = late(erp, 3, order_no="PO-1")
    perform(JOB, TWO)
    line = db.execute(text("""insert into erp.purchase_order_items (order_id, quantity, received_qty, required_date)
        values (:o, 4, -1, '2026-01-01') returning id"""), {"o": target}).scalar_one()
    db.execute(text("update erp.purchase_order_items set received_qty = quantity where id <> :l"), {"l": line})
    answer = perform(JOB, NEXT_TWO)
    assert (answer["state"], answer["counters"]["failed"], answer["counters"]["resolved"]) == ("partial", 1, 0)
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items where status = 'failed'")).one()
    assert item == ("PURCHASE_ORDER_ITEM", f"PO-1/{line}", "failed", "quantity is 4, received -1")
    assert levels(db) == {target: "WARNING"}  # nobody can say that everything came
