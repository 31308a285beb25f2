"""Job 14 by the rulebook: boundaries of 9.2, general tests of 9.1, and the defects it must not have."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp.tables import work_orders
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.factories import TODAY, Erp

JOB = "generate_shortage_alerts"
SEVEN = "2026-03-02T07:00+08:00"
NEXT_SEVEN = "2026-03-03T07:00+08:00"
TABLES = ("material_shortages", "alert_records", "alert_events", "notifications", "notification_deliveries", "outbox")


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def short_order(erp: Erp, start: int | None = 5, *, required: int = 10, stock: int = 0, key: bool = False, material: dict[str, Any] | None = None,
                **columns: Any) -> int:
    """An order that misses `required - stock` pieces of one material."""
    needed = erp.material(**{"lead_time_days": 30} | (material or {}))
    if stock:
        erp.stock(needed, stock)
    bom = erp.bom([{"material_id": needed, "quantity": required, "is_key_item": key}])
    return erp.work_order(**{"bom_id": bom, "plan_start_date": None if start is None else day(start)} | columns)


def material_of(db: Connection, order: int) -> int:
    return int(db.execute(text("""select i.material_id from erp.work_orders o join erp.bom_items i on i.bom_id = o.bom_id
        where o.id = :o"""), {"o": order}).scalar_one())


def shortages(db: Connection) -> dict[int, Any]:
    return {row.work_order_id: row for row in db.execute(text("select * from belfry.material_shortages"))}


def alerts(db: Connection) -> dict[int, Any]:
    """By work order."""
    return {row.work_order_id: row for row in db.execute(text("""select s.work_order_id, a.* from belfry.alert_records a
        join belfry.material_shortages s on s.id = a.target_id"""))}


def count(db: Connection, table: str) -> int:
    return int(db.execute(text(f"select count(*) from belfry.{table}")).scalar_one())


def rows(db: Connection) -> list[Any]:
    return [db.execute(text(f"select * from belfry.{t} order by 1")).all() for t in TABLES]


# ---------------------------------------------------------------- what every job promises
def _violate(erp: Erp, first: date) -> int:
    """It enters the horizon of fourteen days on that day. The order, not the alert's target: the run itself makes the shortage."""
    return short_order(erp, None, plan_start_date=first + timedelta(days=14))


def _clear(db: Connection, order: int) -> None:
    Erp(db).stock(material_of(db, order), 10)


def _worsen(db: Connection, order: int) -> None:
    db.execute(text("update erp.work_orders set plan_start_date = plan_start_date - 8 where id = :o"), {"o": order})


CASES = [
    AlertJob(
        JOB, "MATERIAL_SHORTAGE", clock="07:00", violate=_violate, clear=_clear, worsen=_worsen,
        multiply=copies_of(work_orders, "work_order_no"),
        reasons={  # the alert's target, the shortage, is made by the run itself
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
                "proved by test_what_cannot_be_judged_is_listed_and_the_others_are_told: by order, not by shortage",
            "the_business_day_begins_at_local_midnight":
                "proved by test_five_past_midnight_belongs_to_the_new_day: by order, not by shortage",
        },
    ),
]  # fmt: skip


# ---------------------------------------------------------------- levels
@pytest.mark.parametrize(("start", "level"), [
    (-1, "URGENT"), (0, "URGENT"), (1, "CRITICAL"), (3, "CRITICAL"), (4, "WARNING"), (7, "WARNING"), (8, "INFO"), (14, "INFO"), (15, None),
])
def test_levels_by_days_to_the_required_day(start: int, level: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    target = short_order(erp, start)
    perform(JOB, SEVEN)
    assert {order: a.alert_level for order, a in alerts(db).items()} == ({target: level} if level else {})


@pytest.mark.parametrize(("start", "columns", "level"), [
    (8, {"key": True}, "WARNING"), (4, {"key": True}, "CRITICAL"), (3, {"key": True}, "URGENT"), (0, {"key": True}, "URGENT"),
    (4, {"material": {"is_key_material": True}}, "CRITICAL"), (4, {"status": "STARTED"}, "CRITICAL"),
    (5, {"required": 100, "stock": 95}, "WARNING"), (5, {"required": 100, "stock": 96}, "INFO"), (8, {"required": 100, "stock": 96}, "INFO"),
    (5, {"required": 100, "stock": 96, "key": True}, "WARNING"),
    (None, {"status": "STARTED"}, "INFO"),
])
def test_a_stop_raises_and_a_small_share_lowers(start: int | None, columns: dict[str, Any], level: str, erp: Erp, db: Connection, perform: Perform) -> None:
    target = short_order(erp, start, **columns)
    perform(JOB, SEVEN)
    assert alerts(db)[target].alert_level == level


def test_no_required_day_is_a_data_defect(erp: Erp, db: Connection, perform: Perform) -> None:
    target = short_order(erp, None, status="STARTED")
    answer = perform(JOB, SEVEN)
    assert (answer["state"], answer["counters"]["data_defects"]) == ("succeeded", 1)
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert item == ("MATERIAL_SHORTAGE", str(shortages(db)[target].id), "defect", "no required date")


# ---------------------------------------------------------------- step A: what is kept
@pytest.mark.parametrize(("columns", "impact", "delay"), [
    ({"material": {"lead_time_days": 5}}, "NONE", 0),
    ({"material": {"lead_time_days": 6}}, "DELAY", 1),
    ({"material": {"lead_time_days": 6}, "status": "STARTED"}, "STOP", 1),
    ({"material": {"lead_time_days": 0}, "key": True}, "STOP", 0),
    ({"material": {"lead_time_days": 6}, "plan_end_date": date(2026, 6, 29)}, "DELAY", 1),
    ({"material": {"lead_time_days": 7}, "plan_end_date": date(2026, 6, 29)}, "DELIVERY", 2),
    ({"material": {"lead_time_days": 6}, "plan_end_date": date(2026, 7, 9)}, "DELIVERY", 1),
    ({"material": {"lead_time_days": 5}, "plan_end_date": date(2026, 7, 9)}, "NONE", 0),
    ({"material": {"lead_time_days": 6}, "project_id": None}, "DELAY", 1),
])
def test_impact(columns: dict[str, Any], impact: str, delay: int, erp: Erp, db: Connection, perform: Perform) -> None:
    """The order starts in 5 days; its project ends on 2026-06-30."""
    target = short_order(erp, 5, **columns)
    perform(JOB, SEVEN)
    kept = shortages(db)[target]
    assert (kept.impact_type, kept.est_delay_days) == (impact, delay)


def test_a_late_purchase_is_a_shortage_until_the_day_it_comes(erp: Erp, db: Connection, perform: Perform) -> None:
    target = short_order(erp, 5, required=10, stock=4)
    erp.purchase_order([{"material_id": material_of(db, target), "quantity": 2, "promised_date": day(5)},
                        {"material_id": material_of(db, target), "quantity": 20, "promised_date": day(9)}])
    perform(JOB, SEVEN)
    kept = shortages(db)[target]
    assert (kept.required_qty, kept.available_qty, kept.in_transit_qty, kept.shortage_qty) == (10, 4, 2, 4)
    assert (kept.required_date, kept.eta_date, kept.est_delay_days, kept.impact_type) == (day(5), day(9), 4, "DELAY")


def test_the_days_kit_check_is_believed_and_later_orders_are_calculated(erp: Erp, db: Connection, perform: Perform) -> None:
    near, far = short_order(erp, 5), short_order(erp, 12)
    perform("daily_kit_check", "2026-03-02T06:00+08:00")
    erp.stock(material_of(db, near), 10)
    erp.stock(material_of(db, far), 9)
    answer = perform(JOB, SEVEN)
    assert (answer["counters"]["checked"], answer["counters"]["calculated"]) == (2, 1)
    assert {order: s.shortage_qty for order, s in shortages(db).items()} == {near: 10, far: 1}


def test_without_a_kit_check_today_everything_is_calculated(erp: Erp, db: Connection, perform: Perform) -> None:
    near = short_order(erp, 5)
    perform("daily_kit_check", "2026-03-01T06:00+08:00")
    erp.stock(material_of(db, near), 8)
    answer = perform(JOB, SEVEN)
    assert (answer["counters"]["checked"], answer["counters"]["calculated"]) == (1, 1)
    assert shortages(db)[near].shortage_qty == 2
    assert count(db, "kit_checks") == 1  # yesterday's


def test_one_material_on_two_lines_is_one_shortage_on_the_first(erp: Erp, db: Connection, perform: Perform) -> None:
    material = erp.material()
    bom = erp.bom([{"material_id": material, "quantity": 3}, {"material_id": material, "quantity": 4, "is_key_item": True}])
    target = erp.work_order(bom_id=bom, plan_start_date=day(5))
    perform(JOB, SEVEN)
    kept = shortages(db)[target]
    assert (kept.required_qty, kept.impact_type) == (7, "STOP")
    assert kept.bom_item_id == db.execute(text("select min(id) from erp.bom_items")).scalar_one()


def test_somebody_works_on_a_shortage_and_a_refresh_leaves_that(erp: Erp, db: Connection, perform: Perform) -> None:
    target, handler = short_order(erp, 5), erp.user()
    perform(JOB, SEVEN)
    db.execute(text("update belfry.material_shortages set status = 'HANDLING', handler_id = :u"), {"u": handler})
    erp.stock(material_of(db, target), 1)
    answer = perform(JOB, NEXT_SEVEN)
    kept = shortages(db)[target]
    assert (kept.status, kept.handler_id, kept.shortage_qty) == ("HANDLING", handler, 9)
    assert (answer["counters"]["shortages_opened"], answer["counters"]["shortages_refreshed"]) == (0, 1)
    assert count(db, "material_shortages") == 1


@pytest.mark.parametrize(("change", "status", "alert"), [
    ("update erp.work_orders set status = 'CANCELLED'", "CANCELLED", "EXPIRED"),
    ("delete from erp.work_orders", "CANCELLED", "EXPIRED"),
    ("update erp.projects set is_archived = true", "CANCELLED", "EXPIRED"),
    ("update erp.projects set status = 'ST99'", "CANCELLED", "EXPIRED"),
    ("update erp.work_orders set status = 'COMPLETED'", "RESOLVED", "RESOLVED"),
    ("update erp.work_orders set plan_start_date = '2026-06-01'", "RESOLVED", "RESOLVED"),
    ("update erp.work_orders set plan_qty = 0.0001", "OPEN", "PENDING"),
    ("update erp.work_orders set status = 'PAUSED'", "OPEN", "PENDING"),
    ("update erp.work_orders set plan_start_date = '2025-06-01'", "OPEN", "PENDING"),
    ("update erp.work_orders set plan_qty = -1", "OPEN", "PENDING"),
    ("insert into erp.inventories (material_id, warehouse_id, quantity) select id, (select min(id) from erp.warehouses), 10 from erp.materials",
     "RESOLVED", "RESOLVED"),
    ("update erp.purchase_orders set status = 'APPROVED'", "RESOLVED", "RESOLVED"),
])
def test_a_shortage_ends_with_its_order_or_with_the_material(change: str, status: str, alert: str, erp: Erp, db: Connection, perform: Perform) -> None:
    target = short_order(erp, 5)
    erp.warehouse()
    erp.purchase_order([{"material_id": material_of(db, target), "quantity": 10}], status="DRAFT", required_date=day(5))
    perform(JOB, SEVEN)
    told = count(db, "notifications")
    db.execute(text(change))
    perform(JOB, NEXT_SEVEN)
    assert shortages(db)[target].status == status
    assert (shortages(db)[target].resolved_at is None) is (status == "OPEN")
    assert alerts(db)[target].status == alert
    assert count(db, "notifications") == told or status == "OPEN"


def test_negative_stock_counts_as_none_and_is_reported(erp: Erp, db: Connection, perform: Perform) -> None:
    target = short_order(erp, 5, required=10, stock=-3, material={"material_code": "LG-20"})
    answer = perform(JOB, SEVEN)
    assert shortages(db)[target].shortage_qty == 10
    assert answer["counters"]["data_defects"] == 1
    item = db.execute(text("select item_key, status, error from belfry.execution_items")).one()
    assert item == ("LG-20", "defect", "stock is -3, counted as 0")


# ---------------------------------------------------------------- step B: who is told what
def test_buyer_and_project_manager_are_told_and_workshop_and_procurement_when_it_is_urgent(erp: Erp, db: Connection, perform: Perform) -> None:
    buyer, manager, foreman = erp.user("孙磊"), erp.user("李强"), erp.user("吴刚")
    about: dict[str, Any] = {
        "material": {"buyer_id": buyer, "material_code": "LG-20", "material_name": "直线导轨"}, "work_order_no": "WO-1", "task_name": "机架装配",
        "project_id": erp.project(pm_id=manager, project_code="PJ-1", project_name="上料线"),
        "workshop_id": erp.workshop(manager_id=foreman, workshop_name="总装车间"),
    }
    target = short_order(erp, 4, required=10, stock=4, **about)
    perform(JOB, SEVEN)
    alert = alerts(db)[target]
    assert set(alert.recipients) == {f"USER:{buyer}", f"USER:{manager}"}
    assert (alert.target_no, alert.target_name, alert.trigger_value, alert.threshold_value) == ("LG-20", "直线导轨 · WO-1", 6, 7)
    assert alert.facts == {
        "material_code": "LG-20", "material_name": "直线导轨", "unit": "件", "work_order_no": "WO-1", "task_name": "机架装配",
        "plan_start": "2026-03-06", "project_code": "PJ-1", "project_name": "上料线", "workshop_name": "总装车间",
        "required_date": "2026-03-06", "days_left": 4, "required": 10, "available": 4, "in_transit": 0, "short": 6, "eta": None,
        "impact": "DELAY", "delay_days": 26,
    }
    perform(JOB, "2026-03-06T07:00+08:00")
    assert set(alerts(db)[target].recipients) == {f"USER:{buyer}", f"USER:{manager}", f"USER:{foreman}", "ROLE:PROC"}


def test_an_acknowledged_alert_is_not_raised_again_and_rises_with_the_day(erp: Erp, db: Connection, perform: Perform) -> None:
    target = short_order(erp, 4)
    perform(JOB, SEVEN)
    db.execute(text("update belfry.alert_records set status = 'ACKNOWLEDGED'"))
    answer = perform(JOB, NEXT_SEVEN)
    assert (answer["counters"]["created"], answer["counters"]["upgraded"]) == (0, 1)
    assert (count(db, "alert_records"), alerts(db)[target].alert_level) == (1, "CRITICAL")
    assert db.execute(text("select reason from belfry.notifications order by id")).scalars().all() == ["NEW", "UPGRADED"]


def test_a_rule_that_is_off_raises_nothing_and_the_list_is_still_kept(erp: Erp, db: Connection, perform: Perform) -> None:
    target = short_order(erp, 4)
    perform(JOB, SEVEN)
    db.execute(text("update belfry.alert_rules set is_enabled = false where rule_code = 'MATERIAL_SHORTAGE'"))
    before = db.execute(text("select * from belfry.alert_records")).all()
    second = short_order(erp, 4)
    assert perform(JOB, NEXT_SEVEN)["state"] == "succeeded"
    assert db.execute(text("select * from belfry.alert_records")).all() == before
    assert set(shortages(db)) == {target, second}


# ---------------------------------------------------------------- again, and what cannot be judged
def test_a_second_run_of_the_day_changes_no_row(erp: Erp, db: Connection, perform: Perform) -> None:
    short_order(erp, 4)
    perform(JOB, SEVEN)
    before = rows(db)
    answer = perform(JOB, "2026-03-02T09:30+08:00", kind="manual")
    assert (answer["counters"]["shortages_opened"], answer["counters"]["shortages_refreshed"], answer["counters"]["updated"]) == (0, 0, 0)
    assert rows(db) == before


def test_what_cannot_be_judged_is_listed_and_the_others_are_told(erp: Erp, db: Connection, perform: Perform) -> None:
    broken, sound = short_order(erp, 4, plan_qty=-2, work_order_no="WO-BROKEN"), short_order(erp, 4)
    nothing = db.execute(text("""insert into belfry.material_shortages (material_id, required_qty, available_qty, shortage_qty)
        values (1, 0, 0, 0) returning id""")).scalar_one()
    answer = perform(JOB, SEVEN)
    assert (answer["state"], answer["counters"]["failed"]) == ("partial", 2)
    items = db.execute(text("select item_type, item_key, error from belfry.execution_items where status = 'failed' order by 1")).all()
    assert items == [("MATERIAL_SHORTAGE", str(nothing), "required quantity is 0"), ("WORK_ORDER", "WO-BROKEN", "plan quantity is -2")]
    assert set(alerts(db)) == {sound}
    assert broken not in shortages(db)


def test_five_past_midnight_belongs_to_the_new_day(erp: Erp, db: Connection, perform: Perform) -> None:
    """00:05 in Shanghai is 16:05 of the day before in UTC."""
    target = short_order(erp, 0)
    perform(JOB, "2026-03-02T00:05+08:00", kind="manual")
    assert (alerts(db)[target].alert_level, alerts(db)[target].facts["days_left"]) == ("URGENT", 0)
