"""Job 18 by the rulebook: boundaries of 9.2, general tests of 9.1, and the defects it must not have."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp.tables import work_orders
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.factories import TODAY, Erp

JOB = "daily_kit_check"
MORNING = "2026-03-02T06:00+08:00"
NEXT_MORNING = "2026-03-03T06:00+08:00"


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def order(erp: Erp, start: int | None = 0, *, there: int = 0, missing: int = 0, **columns: Any) -> int:
    """An order whose bill has so many items in stock and so many that are nowhere."""
    materials = [erp.material() for _ in range(there + missing)]
    for material in materials[:there]:
        erp.stock(material, 1)
    bom = erp.bom([{"material_id": material} for material in materials])
    day = None if start is None else TODAY + timedelta(days=start)
    return erp.work_order(**{"bom_id": bom, "plan_start_date": day} | columns)


def check_of(db: Connection, order_id: int, day: date = TODAY, method: str = "AUTO") -> Any:
    return db.execute(
        text("select * from belfry.kit_checks where work_order_id = :o and check_date = :d and method = :m"),
        {"o": order_id, "d": day, "m": method},
    ).one_or_none()


def alerts(db: Connection, rule: str = "KIT_RATE_LOW") -> dict[int, Any]:
    rows = db.execute(text("""select a.* from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id
        where r.rule_code = :rule and a.status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING')"""), {"rule": rule})
    return {row.target_id: row for row in rows}


def levels(db: Connection, rule: str = "KIT_RATE_LOW") -> dict[int, str]:
    return {target: alert.alert_level for target, alert in alerts(db, rule).items()}


def count(db: Connection, table: str) -> int:
    return int(db.execute(text(f"select count(*) from {table}")).scalar_one())


# ---------------------------------------------------------------- what every job promises
def _violate(erp: Erp, day: date) -> int:
    """It enters the window of seven days on that day."""
    return order(erp, None, missing=1, plan_start_date=day + timedelta(days=7))


def _clear(db: Connection, target: int) -> None:
    Erp(db).stock(db.execute(text("""select i.material_id from erp.work_orders o join erp.bom_items i on i.bom_id = o.bom_id
        where o.id = :o"""), {"o": target}).scalar_one(), 1)


def _worsen(db: Connection, target: int) -> None:
    db.execute(text("update erp.work_orders set plan_start_date = plan_start_date - 5 where id = :o"), {"o": target})


def _spoil(erp: Erp, day: date) -> str:
    erp.work_order(plan_qty=-1, plan_start_date=day)
    return "WORK_ORDER"


CASES = [
    AlertJob(
        JOB, "KIT_RATE_LOW", clock="06:00", violate=_violate, clear=_clear, worsen=_worsen, spoil=_spoil,
        multiply=copies_of(work_orders, "work_order_no"),
    ),
    AlertJob(
        JOB, "KIT_NO_BOM", clock="06:00", spoil=_spoil, multiply=copies_of(work_orders, "work_order_no"),
        violate=lambda erp, day: erp.work_order(plan_start_date=day + timedelta(days=7)),
        clear=lambda db, target: db.execute(text("update erp.work_orders set status = 'COMPLETED' where id = :o"), {"o": target}),
        reasons={"a_worse_level_upgrades_the_same_alert_and_tells_once": "one level: a missing bill is a warning"},
    ),
]  # fmt: skip


# ---------------------------------------------------------------- what is computed and kept
def test_two_orders_share_ten_pieces_and_the_earlier_start_wins(erp: Erp, db: Connection, perform: Perform) -> None:
    material = erp.material()
    erp.stock(material, 10)
    bom = erp.bom([{"material_id": material, "quantity": 8}])
    second = erp.work_order(bom_id=bom, plan_start_date=TODAY + timedelta(days=4))
    first = erp.work_order(bom_id=bom, plan_start_date=TODAY + timedelta(days=3))
    answer = perform(JOB, MORNING)
    assert (answer["state"], answer["counters"]["checked"]) == ("succeeded", 2)
    kept = {r.work_order_id: r for r in db.execute(text("select * from belfry.kit_checks c join belfry.kit_check_items i on i.kit_check_id = c.id"))}
    assert (kept[first].item_status, kept[first].kit_status, kept[first].kit_rate) == ("FULFILLED", "COMPLETE", 100)
    assert (kept[second].item_status, kept[second].on_hand_alloc, kept[second].shortage_qty) == ("SHORTAGE", 2, 6)
    assert levels(db) == {second: "WARNING"}


def test_a_purchase_due_one_day_after_the_start_is_in_transit(erp: Erp, db: Connection, perform: Perform) -> None:
    late, in_time = order(erp, 3, missing=1), order(erp, 3, missing=1)
    for order_id, due in ((late, 4), (in_time, 3)):
        material = db.execute(text("""select i.material_id from erp.work_orders o join erp.bom_items i on i.bom_id = o.bom_id
            where o.id = :o"""), {"o": order_id}).scalar_one()
        erp.purchase_order([{"material_id": material, "quantity": 1}], required_date=TODAY + timedelta(days=due))
    perform(JOB, MORNING)
    status = "select item_status, eta_date from belfry.kit_check_items where kit_check_id = :c"
    assert db.execute(text(status), {"c": check_of(db, late).id}).one() == ("IN_TRANSIT", TODAY + timedelta(days=4))
    assert db.execute(text(status), {"c": check_of(db, in_time).id}).one() == ("FULFILLED", TODAY + timedelta(days=3))
    assert check_of(db, in_time).can_start is False
    assert levels(db) == {late: "WARNING"}


@pytest.mark.parametrize(("status", "open_"), [
    ("DRAFT", False), ("PENDING_APPROVAL", False), ("APPROVED", True), ("REJECTED", False), ("ORDERED", True),
    ("PARTIAL_RECEIVED", True), ("RECEIVED", False), ("COMPLETED", False), ("CANCELLED", False),
])
def test_only_open_purchase_orders_count(status: str, open_: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    material = erp.material()
    erp.purchase_order([{"material_id": material, "quantity": 1, "promised_date": TODAY}], status=status)
    target = erp.work_order(bom_id=erp.bom([{"material_id": material}]), plan_start_date=TODAY + timedelta(days=1))
    perform(JOB, MORNING)
    assert check_of(db, target).kit_status == ("COMPLETE" if open_ else "SHORTAGE")


def test_the_line_of_the_promised_day_wins_over_the_orders(erp: Erp, db: Connection, perform: Perform) -> None:
    """coalesce(line.promised, line.required, order.promised, order.required)"""
    early, late = TODAY, TODAY + timedelta(days=9)
    dates = [
        ({"promised_date": early, "required_date": late}, {"promised_date": late, "required_date": late}, "COMPLETE"),
        ({"required_date": early}, {"promised_date": late, "required_date": late}, "COMPLETE"),
        ({}, {"promised_date": early, "required_date": late}, "COMPLETE"),
        ({}, {"required_date": early}, "COMPLETE"),
        ({"promised_date": late, "required_date": early}, {"promised_date": early}, "SHORTAGE"),
        ({}, {}, "SHORTAGE"),
    ]
    expected = {}
    for line, columns, status in dates:
        material = erp.material()
        erp.purchase_order([{"material_id": material, "quantity": 1, **line}], **columns)
        target = erp.work_order(bom_id=erp.bom([{"material_id": material}]), plan_start_date=TODAY + timedelta(days=2))
        expected[target] = status
    answer = perform(JOB, MORNING)
    assert {target: check_of(db, target).kit_status for target in expected} == expected
    assert answer["counters"]["data_defects"] == 1  # the line without any date


@pytest.mark.parametrize(("there", "missing", "key", "status", "rate"), [
    (5, 0, False, "COMPLETE", 100), (4, 1, False, "PARTIAL", 80), (4, 1, True, "SHORTAGE", 80), (3, 1, False, "SHORTAGE", 75),
])
def test_kit_status(there: int, missing: int, key: bool, status: str, rate: int, erp: Erp, db: Connection, perform: Perform) -> None:
    target = order(erp, 3, there=there, missing=missing)
    if key:
        db.execute(text("update erp.materials set is_key_material = true where id not in (select material_id from erp.inventories)"))
    perform(JOB, MORNING)
    check = check_of(db, target)
    assert (check.kit_status, check.kit_rate, check.total_items, check.fulfilled_items) == (status, rate, there + missing, there)
    assert check.can_start is (missing == 0)


def test_one_material_on_two_lines_is_summed_and_a_missing_plan_quantity_is_one(erp: Erp, db: Connection, perform: Perform) -> None:
    material = erp.material()
    erp.stock(material, 5)
    target = erp.work_order(bom_id=erp.bom([{"material_id": material, "quantity": 3}] * 2), plan_qty=None)
    perform(JOB, MORNING)
    assert check_of(db, target).total_items == 1
    assert db.execute(text("select required_qty, shortage_qty from belfry.kit_check_items")).one() == (6, 1)


def test_negative_stock_counts_as_none_and_is_reported(erp: Erp, db: Connection, perform: Perform) -> None:
    material = erp.material(material_code="LG-20")
    erp.stock(material, -3)
    erp.work_order(bom_id=erp.bom([{"material_id": material, "quantity": 4}]))
    answer = perform(JOB, MORNING)
    assert db.execute(text("select on_hand_alloc, shortage_qty from belfry.kit_check_items")).one() == (0, 4)
    assert (answer["state"], answer["counters"]["data_defects"]) == ("succeeded", 1)
    item = db.execute(text("select item_key, status, error from belfry.execution_items")).one()
    assert item == ("LG-20", "defect", "stock is -3, counted as 0")


def test_the_orders_bill_comes_first_then_the_latest_released_one_of_its_machine(erp: Erp, db: Connection, perform: Perform) -> None:
    machine = erp.machine()
    erp.bom([{}], machine_id=machine)
    latest = erp.bom([{}], machine_id=machine)
    erp.bom([{}], machine_id=machine, status="DRAFT")
    erp.bom([{}], machine_id=machine, is_latest=False)
    erp.bom([{}])
    own = erp.bom([{}], status="APPROVED")
    by_machine, by_itself = erp.work_order(machine_id=machine), erp.work_order(machine_id=machine, bom_id=own)
    perform(JOB, MORNING)
    assert (check_of(db, by_machine).bom_id, check_of(db, by_itself).bom_id) == (latest, own)


# ---------------------------------------------------------------- which orders
@pytest.mark.parametrize(("status", "start", "checked"), [
    ("PENDING", 0, True), ("ASSIGNED", 7, True), ("PENDING", 8, False), ("PENDING", -1, True), ("PENDING", -30, True), ("PENDING", -31, False),
    ("PENDING", None, False), ("STARTED", -90, True), ("STARTED", 20, True), ("STARTED", None, True), ("PAUSED", 0, False),
    ("COMPLETED", 0, False), ("APPROVED", 0, False), ("CANCELLED", 0, False),
])
def test_orders_in_the_window(status: str, start: int | None, checked: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    target = order(erp, start, missing=1, status=status)
    assert perform(JOB, MORNING)["counters"]["checked"] == int(checked)
    assert (check_of(db, target) is not None) is checked
    assert (target in levels(db)) is checked


@pytest.mark.parametrize("columns", [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}])
def test_orders_of_projects_that_are_over_take_no_material(columns: dict[str, Any], erp: Erp, db: Connection, perform: Perform) -> None:
    material = erp.material()
    erp.stock(material, 1)
    bom = erp.bom([{"material_id": material}])
    over = erp.work_order(bom_id=bom, project_id=erp.project(**columns), plan_start_date=TODAY)
    target = erp.work_order(bom_id=bom, plan_start_date=TODAY + timedelta(days=1))
    perform(JOB, MORNING)
    assert (check_of(db, over), check_of(db, target).kit_status) == (None, "COMPLETE")


# ---------------------------------------------------------------- alerts
@pytest.mark.parametrize(("start", "there", "missing", "status", "level"), [
    (3, 4, 1, "PENDING", None), (3, 3, 1, "PENDING", "WARNING"), (7, 3, 1, "PENDING", "WARNING"), (2, 3, 1, "PENDING", "CRITICAL"),
    (2, 4, 1, "PENDING", None), (1, 0, 1, "ASSIGNED", "CRITICAL"), (0, 4, 1, "PENDING", "URGENT"), (0, 5, 0, "PENDING", None),
    (-1, 4, 1, "PENDING", "URGENT"), (0, 4, 1, "STARTED", None), (-3, 3, 1, "STARTED", "CRITICAL"),
])
def test_levels(start: int, there: int, missing: int, status: str, level: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    target = order(erp, start, there=there, missing=missing, status=status)
    perform(JOB, MORNING)
    assert levels(db).get(target) == level


def test_the_alert_names_who_can_help_and_what_is_missing(erp: Erp, db: Connection, perform: Perform) -> None:
    foreman, manager, buyer = erp.user("吴刚"), erp.user("李强"), erp.user("孙磊")
    material = erp.material(material_code="LG-20", material_name="直线导轨", buyer_id=buyer)
    there = erp.material()
    erp.stock(there, 1)
    target = erp.work_order(
        work_order_no="WO-1", task_name="机架装配", bom_id=erp.bom([{"material_id": material, "quantity": "2.5"}, {"material_id": there}]),
        project_id=erp.project(pm_id=manager, project_code="PJ-1", project_name="上料线"), plan_start_date=TODAY + timedelta(days=5),
        workshop_id=erp.workshop(manager_id=foreman, workshop_name="总装车间"),
    )
    perform(JOB, MORNING)
    alert = alerts(db)[target]
    assert set(alert.recipients) == {f"USER:{foreman}", f"USER:{manager}", f"USER:{buyer}"}
    assert (alert.target_no, alert.target_name, alert.trigger_value, alert.threshold_value) == ("WO-1", "机架装配", 50, 80)
    assert alert.facts == {
        "project_code": "PJ-1", "project_name": "上料线", "workshop_name": "总装车间", "plan_start": "2026-03-07", "days_to_start": 5,
        "started": False, "can_start": False, "kit_rate": 50, "start_kit_rate": 50, "min_rate": 80, "total_items": 2, "fulfilled_items": 1,
        "in_transit_items": 0, "shortage_items": 1,
        "lines": [{"material_code": "LG-20", "material_name": "直线导轨", "unit": "件", "status": "SHORTAGE", "required": 2.5, "short": 2.5,
                   "eta": None}],
    }


def test_an_order_without_a_bill_has_its_own_warning_and_no_rate(erp: Erp, db: Connection, perform: Perform) -> None:
    nothing, empty = erp.work_order(), erp.work_order(bom_id=erp.bom())
    answer = perform(JOB, MORNING)
    assert answer["counters"]["without_bom"] == 2
    assert levels(db, "KIT_NO_BOM") == {nothing: "WARNING", empty: "WARNING"}
    assert levels(db) == {}
    check = check_of(db, nothing)
    assert (check.kit_status, check.kit_rate, check.start_kit_rate, check.can_start) == ("NO_BOM", None, None, False)
    assert (check.total_items, check.fulfilled_items, check.in_transit_items, check.shortage_items) == (0, 0, 0, 0)


def test_a_released_bill_ends_the_warning(erp: Erp, db: Connection, perform: Perform) -> None:
    target = erp.work_order()
    perform(JOB, MORNING)
    db.execute(text("update erp.work_orders set bom_id = :b"), {"b": order_bill(erp)})
    assert perform(JOB, NEXT_MORNING)["counters"]["resolved"] == 1
    assert levels(db, "KIT_NO_BOM") == {}
    assert check_of(db, target, TODAY + timedelta(days=1)).kit_status == "COMPLETE"


def order_bill(erp: Erp) -> int:
    material = erp.material()
    erp.stock(material, 1)
    return erp.bom([{"material_id": material}])


# ---------------------------------------------------------------- the life of the alert
def test_material_that_came_resolves_the_alert_and_tells_nobody(erp: Erp, db: Connection, perform: Perform) -> None:
    target = order(erp, 3, missing=1)
    perform(JOB, MORNING)
    told = count(db, "belfry.notifications")
    erp.stock(db.execute(text("select material_id from erp.bom_items")).scalar_one(), 1)
    perform(JOB, NEXT_MORNING)
    assert db.execute(text("select status from belfry.alert_records where target_id = :t"), {"t": target}).scalar_one() == "RESOLVED"
    assert count(db, "belfry.notifications") == told


def test_an_acknowledged_alert_is_not_raised_again_and_rises_with_the_start(erp: Erp, db: Connection, perform: Perform) -> None:
    target = order(erp, 3, missing=1)
    perform(JOB, MORNING)
    db.execute(text("update belfry.alert_records set status = 'ACKNOWLEDGED'"))
    assert perform(JOB, NEXT_MORNING)["counters"] | {"created": 0, "upgraded": 1} == perform_counters(db)
    assert count(db, "belfry.alert_records") == 1
    assert levels(db) == {target: "CRITICAL"}
    reasons = db.execute(text("select reason from belfry.notifications where alert_id is not null order by id")).scalars().all()
    assert reasons == ["NEW", "UPGRADED"]


def perform_counters(db: Connection) -> dict[str, int]:
    return dict(db.execute(text("select counters from belfry.job_executions order by run_at desc limit 1")).scalar_one())


def test_a_cancelled_order_expires_its_alert_and_a_paused_one_keeps_it(erp: Erp, db: Connection, perform: Perform) -> None:
    cancelled, paused, finished, moved = (order(erp, 3, missing=1) for _ in range(4))
    perform(JOB, MORNING)
    for target, change in ((cancelled, "status = 'CANCELLED'"), (paused, "status = 'PAUSED'"), (finished, "status = 'COMPLETED'"),
                           (moved, "plan_start_date = '2026-06-01'")):
        db.execute(text(f"update erp.work_orders set {change} where id = :t"), {"t": target})
    perform(JOB, NEXT_MORNING)
    status = {row.target_id: row.status for row in db.execute(text("select target_id, status from belfry.alert_records"))}
    assert status == {cancelled: "EXPIRED", paused: "PENDING", finished: "RESOLVED", moved: "RESOLVED"}


# ---------------------------------------------------------------- the digest
def test_each_workshop_hears_at_half_past_seven_what_it_can_start(erp: Erp, db: Connection, perform: Perform) -> None:
    foreman = erp.user("吴刚")
    shop, other = erp.workshop(manager_id=foreman, workshop_name="总装车间"), erp.workshop()
    bom = order_bill(erp)
    db.execute(text("update erp.inventories set quantity = 1000"))
    today = erp.work_order(work_order_no="WO-2", bom_id=bom, workshop_id=shop, plan_qty=3)
    slipped = erp.work_order(work_order_no="WO-1", bom_id=bom, workshop_id=shop, plan_start_date=TODAY - timedelta(days=1))
    erp.work_order(bom_id=bom, workshop_id=shop, plan_start_date=TODAY + timedelta(days=1))
    erp.work_order(bom_id=bom, workshop_id=shop, status="STARTED")
    order(erp, 0, missing=1, workshop_id=shop)
    order(erp, 0, missing=1, workshop_id=other)
    perform(JOB, MORNING)
    digest = db.execute(text("select * from belfry.notifications where type = 'DIGEST_KIT'")).one()
    assert (digest.recipients, digest.severity) == ([f"USER:{foreman}"], "INFO")
    assert digest.dedupe_key == f"DIGEST_KIT|WORKSHOP|{shop}|2026-03-02|{foreman}"
    assert digest.not_before.isoformat() == "2026-03-01T23:30:00+00:00"
    assert (digest.facts["workshop_name"], digest.facts["total"]) == ("总装车间", 2)
    assert [(o["work_order_no"], o["plan_qty"]) for o in digest.facts["orders"]] == [("WO-1", 1), ("WO-2", 3)]
    delivery = db.execute(text("select state, next_attempt_at from belfry.notification_deliveries where notification_id = :n"), {"n": digest.id}).one()
    assert (delivery.state, delivery.next_attempt_at) == ("deferred", digest.not_before)
    assert check_of(db, today).can_start
    assert check_of(db, slipped).can_start


# ---------------------------------------------------------------- again, and what cannot be judged
def test_a_second_run_of_the_day_replaces_the_automatic_checks_and_no_manual_one(erp: Erp, db: Connection, perform: Perform) -> None:
    target, withdrawn = order(erp, 3, missing=2), order(erp, 3, missing=1)
    db.execute(text("""insert into belfry.kit_checks (work_order_id, check_date, check_time, method, total_items, fulfilled_items,
        in_transit_items, shortage_items, kit_rate, kit_status) values (:o, :d, now(), 'MANUAL', 9, 9, 0, 0, 100, 'COMPLETE')"""),
        {"o": target, "d": TODAY})
    perform(JOB, MORNING)
    manual = check_of(db, target, method="MANUAL")
    erp.stock(db.execute(text("select min(material_id) from erp.bom_items")).scalar_one(), 1)
    db.execute(text("update erp.work_orders set status = 'CANCELLED' where id = :w"), {"w": withdrawn})
    perform(JOB, "2026-03-02T10:20+08:00", kind="manual")
    assert check_of(db, target, method="MANUAL") == manual
    assert (check_of(db, target).kit_rate, check_of(db, withdrawn)) == (50, None)
    assert count(db, "belfry.kit_check_items") == 2
    assert count(db, "belfry.notifications") == 2  # the two alerts of the first run; the second one changed no level


@pytest.mark.parametrize(("change", "reason"), [
    ("update erp.work_orders set plan_qty = 0 where id = :o", "plan quantity is 0"),
    ("update erp.bom_items i set material_id = null from erp.work_orders o where o.id = :o and i.bom_id = o.bom_id", "BOM line {line} names no material"),
    ("update erp.bom_items i set quantity = -1 from erp.work_orders o where o.id = :o and i.bom_id = o.bom_id", "BOM line {line} has quantity -1"),
])
def test_an_order_that_cannot_be_judged_is_listed_and_the_others_are_checked(change: str, reason: str, erp: Erp, db: Connection, perform: Perform) -> None:
    broken, sound = order(erp, 3, missing=1, work_order_no="WO-BROKEN"), order(erp, 3, missing=1)
    perform(JOB, MORNING)
    line = db.execute(text("select i.id from erp.bom_items i join erp.work_orders o on o.bom_id = i.bom_id where o.id = :o"), {"o": broken}).scalar_one()
    db.execute(text(change), {"o": broken})
    answer = perform(JOB, NEXT_MORNING)
    assert (answer["state"], answer["counters"]["failed"], answer["counters"]["checked"]) == ("partial", 1, 1)
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert item == ("WORK_ORDER", "WO-BROKEN", "failed", reason.format(line=line))
    assert set(levels(db)) == {broken, sound}  # what was not judged is left alone


