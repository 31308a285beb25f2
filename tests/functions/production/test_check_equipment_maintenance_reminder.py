"""Job 35 by the rulebook: boundaries of 9.2, and the defect D-56 that it must not have."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from shared.erp import equipment, tables
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.shared.rules.production_cases import DUE_DATES, MAINTENANCE, REMINDED

JOB = "check_equipment_maintenance_reminder"
MORNING = "2026-03-02T08:30+08:00"


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def levels(db: Connection) -> dict[int, str]:
    rows = db.execute(text("select target_id, alert_level from belfry.alert_records where status = 'PENDING'"))
    return {row.target_id: row.alert_level for row in rows}


def reminders(db: Connection) -> list[tuple[str, str]]:
    rows = db.execute(text("select dedupe_key, severity from belfry.notifications where alert_id is null order by id"))
    return [(row.dedupe_key, row.severity) for row in rows]


# ---------------------------------------------------------------- what every job promises
def _violate(erp: Erp, first: date) -> int:
    return erp.equipment(next_maintenance_date=first - timedelta(1))


def _clear(db: Connection, target: int) -> None:
    db.execute(text("update erp.equipment set next_maintenance_date = next_maintenance_date + 90 where id = :e"), {"e": target})


def _worsen(db: Connection, target: int) -> None:
    db.execute(text("update erp.equipment set next_maintenance_date = next_maintenance_date - 6 where id = :e"), {"e": target})


def _spoil(erp: Erp, first: date) -> str:
    erp.equipment(next_maintenance_date=first - timedelta(9), maintenance_cycle_days=0)
    return "EQUIPMENT"


CASES = [AlertJob(
    JOB, "EQUIPMENT_MAINTENANCE", clock="08:30", violate=_violate, clear=_clear, worsen=_worsen, spoil=_spoil,
    multiply=copies_of(tables.equipment, "equipment_code"),
)]


# ---------------------------------------------------------------- reminders
@pytest.mark.parametrize(("left", "severity"), [
    (8, None), (7, "INFO"), (6, None), (4, None), (3, "WARNING"), (2, None), (1, "WARNING"), (0, "WARNING"), (-1, None),
])
def test_reminders_7_3_1_and_0_days_before(left: int, severity: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2, job 35"""
    target = erp.equipment(next_maintenance_date=day(left))
    perform(JOB, MORNING)
    expected = [(f"EQUIPMENT_MAINTENANCE_REMINDER|EQUIPMENT|{target}|{day(left)}|T{left}", severity)] if severity else []
    assert reminders(db) == expected


def test_a_machine_is_due_and_told_of_in_every_case_as_the_rule_says(erp: Erp, db: Connection, perform: Perform) -> None:
    due = {
        erp.equipment(next_maintenance_date=planned, last_maintenance_date=last, maintenance_cycle_days=cycle, is_active=False): when
        for planned, last, cycle, when in DUE_DATES
    }
    assert dict(db.execute(select(tables.equipment.c.id, equipment.due)).all()) == due
    told = {str(erp.equipment(next_maintenance_date=day(left))): reminded for left, reminded in REMINDED}
    perform(JOB, MORNING)
    assert {key.split("|")[2] for key, _ in reminders(db)} == {machine for machine, reminded in told.items() if reminded}


def test_a_tier_is_told_once_and_a_moved_date_arms_it_anew(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.equipment(next_maintenance_date=day(7))
    for _ in range(2):
        perform(JOB, MORNING, kind="manual")
    assert len(reminders(db)) == 1
    db.execute(text("update erp.equipment set next_maintenance_date = next_maintenance_date - 4"))
    perform(JOB, MORNING, kind="manual")
    assert len(reminders(db)) == 2


def test_without_a_next_date_the_cycle_says_it(erp: Erp, db: Connection, perform: Perform) -> None:
    soon = erp.equipment(last_maintenance_date=day(-27), maintenance_cycle_days=30)
    late = erp.equipment(last_maintenance_date=day(-37), maintenance_cycle_days=30)
    erp.equipment(last_maintenance_date=day(-37))
    erp.equipment()
    assert perform(JOB, MORNING)["state"] == "succeeded"
    assert [key for key, _ in reminders(db)] == [f"EQUIPMENT_MAINTENANCE_REMINDER|EQUIPMENT|{soon}|{day(3)}|T3"]
    assert levels(db) == {late: "CRITICAL"}


def test_keeper_workshop_and_equipment_department_are_told_and_nobody_else(erp: Erp, db: Connection, perform: Perform) -> None:
    keeper, foreman, clerk = erp.user("周杰"), erp.user("吴刚"), erp.user("曹阳")
    erp.role("EQUIP", users=[clerk])
    erp.user("随便谁")
    shop = erp.workshop(manager_id=foreman)
    erp.equipment(next_maintenance_date=day(7), keeper_id=keeper, workshop_id=shop)
    erp.equipment(next_maintenance_date=day(-1), keeper_id=keeper, workshop_id=shop)
    perform(JOB, MORNING)
    told = db.execute(text("""select n.alert_id is not null as alert, array_agg(distinct d.user_id) as users
        from belfry.notifications n join belfry.notification_deliveries d on d.notification_id = n.id group by 1""")).all()
    assert {row.alert: set(row.users) for row in told} == {True: {keeper, foreman, clerk}, False: {keeper, foreman, clerk}}


# ---------------------------------------------------------------- overdue
@pytest.mark.parametrize(("days", "is_key", "level"), MAINTENANCE)
def test_overdue_maintenance_is_an_alert(days: int, is_key: bool, level: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    """D-56: upstream forgot what is overdue. 9.2, job 35: overdue one day alerts."""
    target = erp.equipment(next_maintenance_date=day(-days), is_key=is_key)
    perform(JOB, MORNING)
    assert levels(db) == ({target: level} if level else {})


@pytest.mark.parametrize("columns", [{"is_active": False}, {"status": "SCRAPPED"}])
def test_machines_out_of_use_are_nobodys_work(columns: dict[str, Any], erp: Erp, db: Connection, perform: Perform) -> None:
    target = erp.equipment(next_maintenance_date=day(-3))
    erp.equipment(next_maintenance_date=day(-3), **columns)
    erp.equipment(next_maintenance_date=day(3), **columns)
    assert perform(JOB, MORNING)["counters"]["checked"] == 1
    assert (levels(db), reminders(db)) == ({target: "WARNING"}, [])
    (name, value), = columns.items()
    db.execute(text(f"update erp.equipment set {name} = :v where id = :e"), {"v": value, "e": target})
    perform(JOB, "2026-03-03T08:30+08:00")
    assert db.execute(text("select status from belfry.alert_records")).scalar_one() == "EXPIRED"


def test_open_orders_on_the_machine_in_the_window_are_listed(erp: Erp, db: Connection, perform: Perform) -> None:
    machine, other = erp.equipment(next_maintenance_date=day(-3)), erp.equipment()
    erp.work_order(equipment_id=machine, work_order_no="WO-2", plan_start_date=day(7))
    erp.work_order(equipment_id=machine, work_order_no="WO-1", plan_start_date=day(-4), status="STARTED")
    erp.work_order(equipment_id=machine, plan_start_date=day(8))
    erp.work_order(equipment_id=machine, plan_start_date=day(1), status="COMPLETED")
    erp.work_order(equipment_id=other)
    perform(JOB, MORNING)
    facts = db.execute(text("select facts from belfry.alert_records")).scalar_one()
    assert [order["work_order_no"] for order in facts["orders"]] == ["WO-1", "WO-2"]
    assert (facts["due_date"], facts["days_late"]) == ("2026-02-27", 3)


@pytest.mark.parametrize(("columns", "error"), [
    ({"maintenance_cycle_days": -5, "last_maintenance_date": day(-9)}, "maintenance cycle is -5 days"),
    ({"maintenance_cycle_days": 30}, "a maintenance cycle, but neither a last nor a next date"),
])
def test_a_cycle_that_leads_to_no_date_is_listed(columns: dict[str, Any], error: str, erp: Erp, db: Connection, perform: Perform) -> None:
    erp.equipment(equipment_code="EQ-X", **columns)
    assert perform(JOB, MORNING)["state"] == "partial"
    assert db.execute(text("select item_key, error from belfry.execution_items")).one() == ("EQ-X", error)


def test_a_machine_maintained_after_its_due_date_is_a_data_defect(erp: Erp, db: Connection, perform: Perform) -> None:
    target = erp.equipment(next_maintenance_date=day(-3), last_maintenance_date=day(-2))
    assert perform(JOB, MORNING)["counters"]["data_defects"] == 1
    assert levels(db) == {target: "WARNING"}
