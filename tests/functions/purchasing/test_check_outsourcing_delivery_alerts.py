"""Job 21 by the rulebook: its levels on both sides of each limit, who is told, and how an alert ends."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import TODAY, Erp

JOB = "check_outsourcing_delivery_alerts"
THREE = "2026-03-02T15:00+08:00"
NEXT_THREE = "2026-03-03T15:00+08:00"


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def due(erp: Erp, days: int, *, on: date = TODAY, **columns: Any) -> int:
    """An order so many days past its required day; before it they are negative."""
    return erp.outsourcing_order(required_date=on - timedelta(days=days), **columns)


def levels(db: Connection) -> dict[int, str]:
    return {a["target_id"]: a["alert_level"] for a in alerts(db) if a["status"] == "PENDING"}


def change(db: Connection, assignments: str, order: int) -> None:
    db.execute(text(f"update erp.outsourcing_orders set {assignments} where id = :id"), {"id": order})


def only(db: Connection) -> Mapping[str, Any]:
    (alert,) = alerts(db)
    return alert


def _spoil(erp: Erp, first: date) -> str:
    due(erp, 9, on=first, actual_date=first + timedelta(days=9))
    return "OUTSOURCING_ORDER"


CASES = [
    AlertJob(
        JOB, "OUTSOURCING_DELIVERY", clock="15:00",
        violate=lambda erp, first: due(erp, -3, on=first),
        clear=lambda db, order: change(db, "status = 'DELIVERED'", order),
        worsen=lambda db, order: change(db, "required_date = required_date - 4", order),
        spoil=_spoil, multiply=copies_of(tables.outsourcing_orders, "order_no"),
    ),
]  # fmt: skip


# ---------------------------------------------------------------- levels
@pytest.mark.parametrize(("days", "level"), [
    (-4, None), (-3, "WARNING"), (0, "WARNING"), (1, "CRITICAL"), (7, "CRITICAL"), (8, "URGENT"), (60, "URGENT"),
])
def test_due_in_three_days_warns_in_four_does_not_and_overdue_is_worse(
    days: int, level: str | None, erp: Erp, db: Connection, perform: Perform
) -> None:
    order = due(erp, days)
    perform(JOB, THREE)
    assert levels(db) == ({order: level} if level else {})


@pytest.mark.parametrize(("days", "estimated", "level"), [
    (-30, 31, "WARNING"), (-30, 30, None), (-30, 2, None), (-2, 9, "WARNING"), (1, 9, "CRITICAL"), (8, 9, "URGENT"),
])
def test_a_vendor_that_expects_to_be_late_warns_before_the_day_is_near(
    days: int, estimated: int, level: str | None, erp: Erp, db: Connection, perform: Perform
) -> None:
    order = due(erp, days, estimated_date=day(estimated))
    perform(JOB, THREE)
    assert levels(db) == ({order: level} if level else {})


def test_an_order_due_today_warns_of_zero_days(erp: Erp, db: Connection, perform: Perform) -> None:
    due(erp, 0)
    perform(JOB, THREE)
    assert (only(db)["base_level"], only(db)["trigger_value"], only(db)["threshold_value"]) == ("WARNING", 0, -3)


@pytest.mark.parametrize(("status", "runs"), [
    ("DRAFT", False), ("CONFIRMED", True), ("IN_PROGRESS", True), ("DELIVERED", False), ("INSPECTED", False),
    ("COMPLETED", False), ("CANCELLED", False),
])
def test_only_orders_that_run_are_late(status: str, runs: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    order = due(erp, 2, status=status)
    assert perform(JOB, THREE)["counters"]["checked"] == int(runs)
    assert levels(db) == ({order: "CRITICAL"} if runs else {})


@pytest.mark.parametrize("columns", [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}])
def test_orders_of_projects_that_are_over_are_left_out(
    columns: dict[str, Any], erp: Erp, db: Connection, perform: Perform
) -> None:
    due(erp, 2, project_id=erp.project(**columns))
    free = due(erp, 2, project_id=None)
    perform(JOB, THREE)
    assert levels(db) == {free: "CRITICAL"}


def test_the_limits_are_the_operators(erp: Erp, db: Connection, perform: Perform) -> None:
    near, late = due(erp, -5), due(erp, 3)
    perform(JOB, THREE, params={"before_days": 5, "urgent_after_days": 2})
    assert levels(db) == {near: "WARNING", late: "URGENT"}


# ---------------------------------------------------------------- facts and people
def test_the_alert_says_what_is_due_from_whom(erp: Erp, db: Connection, perform: Perform) -> None:
    buyer, manager = erp.user("孙磊"), erp.user("李强")
    due(
        erp, -2, order_no="OS-1", order_title="机架喷涂", buyer_id=buyer, status="CONFIRMED", estimated_date=day(5),
        vendor_id=erp.supplier(supplier_name="常州天和钣金有限公司"),
        project_id=erp.project(pm_id=manager, project_code="PJ-1", project_name="上料线"),
    )  # fmt: skip
    perform(JOB, THREE)
    alert = only(db)
    assert (alert["target_no"], set(alert["recipients"])) == ("OS-1", {f"USER:{buyer}", f"USER:{manager}"})
    assert alert["facts"] == {
        "order_title": "机架喷涂", "vendor_name": "常州天和钣金有限公司", "project_code": "PJ-1", "project_name": "上料线",
        "status": "CONFIRMED", "required_date": "2026-03-04", "estimated_date": "2026-03-07", "days_late": -2,
        "estimated_late": True,
    }  # fmt: skip


@pytest.mark.parametrize(("days", "procurement"), [(-3, False), (0, False), (1, True), (8, True)])
def test_procurement_is_told_once_the_day_is_past(
    days: int, procurement: bool, erp: Erp, db: Connection, perform: Perform
) -> None:
    due(erp, days)
    perform(JOB, THREE)
    assert ("ROLE:PROC" in only(db)["recipients"]) is procurement


# ---------------------------------------------------------------- life of the alert, data defects, counts
def test_the_level_moves_with_the_days_in_one_alert(erp: Erp, db: Connection, perform: Perform) -> None:
    due(erp, -3)
    for offset in range(12):
        perform(JOB, f"{day(offset)}T15:00+08:00")
    assert only(db)["alert_level"] == "URGENT"
    assert [m["severity"] for m in messages(db)] == ["WARNING", "CRITICAL", "URGENT"]


@pytest.mark.parametrize(("assignments", "status"), [
    ("status = 'DELIVERED'", "RESOLVED"), ("status = 'DELIVERED', actual_date = '2026-03-02'", "RESOLVED"),
    ("status = 'COMPLETED'", "RESOLVED"), ("required_date = '2026-06-01'", "RESOLVED"), ("required_date = null", "RESOLVED"),
    ("status = 'CANCELLED'", "EXPIRED"),
])
def test_delivered_though_not_inspected_closed_or_moved_resolves_and_withdrawn_expires(
    assignments: str, status: str, erp: Erp, db: Connection, perform: Perform
) -> None:
    order = due(erp, 10)
    perform(JOB, THREE)
    change(db, assignments, order)
    perform(JOB, NEXT_THREE)
    assert only(db)["status"] == status


def test_delivered_while_the_order_still_runs_resolves_and_is_a_data_defect(
    erp: Erp, db: Connection, perform: Perform
) -> None:
    order = due(erp, 10, order_no="OS-1")
    perform(JOB, THREE)
    change(db, "actual_date = '2026-03-03'", order)
    answer = perform(JOB, NEXT_THREE)
    assert (answer["state"], answer["counters"]["resolved"], answer["counters"]["data_defects"]) == ("succeeded", 1, 1)
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert item == (
        "OUTSOURCING_ORDER", "OS-1", "defect", "delivered on 2026-03-03, and the order is still IN_PROGRESS",
    )  # fmt: skip


def test_an_order_delivered_on_a_day_to_come_is_listed_and_its_alert_left_alone(
    erp: Erp, db: Connection, perform: Perform
) -> None:
    order = due(erp, 10, order_no="OS-1")
    perform(JOB, THREE)
    change(db, "actual_date = '2026-04-01'", order)
    answer = perform(JOB, NEXT_THREE)
    assert (answer["state"], answer["counters"]["failed"], answer["counters"]["resolved"]) == ("partial", 1, 0)
    assert only(db)["status"] == "PENDING"


def test_orders_without_a_required_day_are_counted(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.outsourcing_order(estimated_date=day(-9))
    due(erp, -20)
    counters = perform(JOB, THREE)["counters"]
    assert (counters["no_required_date"], counters["checked"], counters["violations"]) == (1, 2, 0)
