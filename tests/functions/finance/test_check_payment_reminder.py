"""Job 29 by the rulebook: boundaries of 9.2, and the defects it must not have."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.evidence import messages
from tests.factories import TODAY, Erp

JOB = "check_payment_reminder"
TYPE = "PAYMENT_PLAN_UPCOMING"


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def at(offset: int = 0) -> str:
    return f"{TODAY + timedelta(days=offset)}T09:30+08:00"


def due(erp: Erp, days: int | None = 0, *, on: date = TODAY, **columns: Any) -> int:
    return erp.payment_plan(planned_date=None if days is None else on + timedelta(days=days), **columns)


def told(db: Connection) -> list[Any]:
    return [m for m in messages(db) if m["type"] == TYPE]


def change(db: Connection, plan: int, **columns: Any) -> None:
    db.execute(tables.project_payment_plans.update().values(**columns).where(tables.project_payment_plans.c.id == plan))


def recipients(db: Connection) -> set[str]:
    return set(db.execute(text("select unnest(recipients) from belfry.notifications where type = :t"), {"t": TYPE}).scalars())


def copies(db: Connection, plan: int, n: int) -> None:
    db.execute(text("""insert into erp.project_payment_plans (contract_id, payment_name, planned_amount, planned_date)
        select contract_id, payment_name, planned_amount, planned_date from erp.project_payment_plans, generate_series(1, :n) where id = :id"""),
        {"n": n, "id": plan})  # fmt: skip


def _spoil(erp: Erp, day: date) -> str:
    due(erp, on=day, actual_amount=-1)
    return "PAYMENT_PLAN"


CASES = [RowsJob(
    JOB, clock="09:30",
    arrange=lambda erp, day: due(erp, 7, on=day),
    multiply=copies,
    made=lambda db: [m["dedupe_key"] for m in told(db)],
    spoil=_spoil,
)]  # fmt: skip


# ---------------------------------------------------------------- when
def test_a_payment_is_told_on_days_7_3_1_and_0_only(erp: Erp, db: Connection, perform: Perform) -> None:
    due(erp, 9)
    days = {}
    for offset in range(12):
        perform(JOB, at(offset))
        days[9 - offset] = len(told(db))
    assert days == {9: 0, 8: 0, 7: 1, 6: 1, 5: 1, 4: 1, 3: 2, 2: 2, 1: 3, 0: 4, -1: 4, -2: 4}


@pytest.mark.parametrize(("days", "severity"), [(8, None), (7, "INFO"), (4, "INFO"), (3, "WARNING"), (2, "WARNING"), (1, "WARNING"), (0, "URGENT"), (-1, None)])
def test_it_is_louder_the_nearer_by_the_days_that_are_really_left(days: int, severity: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    due(erp, days)
    perform(JOB, at())
    assert [(m["severity"], m["facts"]["days_left"]) for m in told(db)] == ([(severity, days)] if severity else [])


def test_a_day_without_a_run_loses_no_reminder(erp: Erp, db: Connection, perform: Perform) -> None:
    due(erp, 7)
    perform(JOB, at(5))  # two days left
    assert [m["dedupe_key"].split("|")[-1] for m in told(db)] == ["T3"]


def test_a_date_that_moves_arms_the_reminders_again(erp: Erp, db: Connection, perform: Perform) -> None:
    plan = due(erp, 0)
    perform(JOB, at())
    change(db, plan, planned_date=TODAY + timedelta(days=7))
    perform(JOB, at(1))
    change(db, plan, planned_date=TODAY + timedelta(days=8))
    perform(JOB, at(2))
    assert [m["facts"]["days_left"] for m in told(db)] == [0, 6, 6]


@pytest.mark.parametrize(("status", "open_"), [("PENDING", 1), ("INVOICED", 1), ("PARTIAL", 1), ("COMPLETED", 0), ("CANCELLED", 0)])
def test_only_open_plans_are_told(status: str, open_: int, erp: Erp, db: Connection, perform: Perform) -> None:
    due(erp, status=status)
    assert perform(JOB, at())["counters"]["checked"] == open_
    assert len(told(db)) == open_


@pytest.mark.parametrize("columns", [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}])
def test_plans_of_projects_that_are_over_are_left_out(columns: dict[str, Any], erp: Erp, db: Connection, perform: Perform) -> None:
    due(erp, contract_id=erp.contract(project_id=erp.project(**columns)))
    due(erp, contract_id=None, project_id=erp.project(**columns))
    due(erp, contract_id=erp.contract(project_id=None))
    perform(JOB, at())
    assert len(told(db)) == 1


def test_plans_without_a_day_are_counted(erp: Erp, db: Connection, perform: Perform) -> None:
    due(erp, None)
    due(erp, 60)
    counters = perform(JOB, at())["counters"]
    assert (counters["checked"], counters["no_planned_date"]) == (2, 1)


# ---------------------------------------------------------------- what
def test_a_plan_paid_in_full_is_silent_and_its_open_status_a_data_defect(erp: Erp, db: Connection, perform: Perform) -> None:
    due(erp, 3, actual_amount=100000)
    answer = perform(JOB, at())
    assert (answer["state"], answer["counters"]["data_defects"], told(db)) == ("succeeded", 1, [])


def test_a_plan_that_contradicts_itself_is_listed(erp: Erp, db: Connection, perform: Perform) -> None:
    plan = due(erp, 3, contract_id=erp.contract(contract_code="HT-1"), actual_amount=-5)
    due(erp, 30, actual_amount=-5)  # nothing is to be said of it yet
    assert perform(JOB, at())["state"] == "partial"
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert item == ("PAYMENT_PLAN", f"HT-1/到货款#{plan}", "failed", "planned amount is 100000, received -5")


@pytest.mark.parametrize(("status", "reached"), [("PENDING", False), ("DELAYED", False), ("COMPLETED", True)])
def test_the_text_has_what_is_still_to_come_and_the_state_of_the_milestone(status: str, reached: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    from shared import i18n

    contract = erp.contract(contract_code="HT-1", customer_id=erp.customer(customer_name="甲公司"), owner_id=erp.user("贾磊"),
                            project_id=erp.project(project_code="PJ-1", project_name="装配线"))
    due(erp, 3, contract_id=contract, planned_amount=1000, actual_amount="250.5", status="PARTIAL",
        milestone_id=erp.milestone(milestone_name="终验收", status=status))
    perform(JOB, at())
    (message,) = told(db)
    assert message["facts"] == {
        "payment_name": "到货款", "contract_code": "HT-1", "customer_name": "甲公司", "owner": "贾磊", "project_code": "PJ-1",
        "project_name": "装配线", "planned_date": "2026-03-05", "planned": 1000, "received": 250.5, "remaining": 749.5,
        "milestone_name": "终验收", "milestone_reached": reached, "days_left": 3,
    }
    words = i18n.render(TYPE, "en", {"level": "WARNING", **message["facts"]}, reason="REMINDER").body
    assert ("not reached" in words) is not reached
    assert "749.5" in words


# ---------------------------------------------------------------- whom
@pytest.mark.parametrize(("days", "finance"), [(7, False), (4, False), (3, True), (0, True)])
def test_owner_and_project_manager_are_told_and_finance_from_three_days_on(days: int, finance: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    owner, manager = erp.user("贾磊"), erp.user("李强")
    due(erp, days, contract_id=erp.contract(owner_id=owner, project_id=erp.project(pm_id=manager)))
    perform(JOB, at())
    assert recipients(db) == {f"USER:{owner}", f"USER:{manager}"} | ({"ROLE:FIN"} if finance else set())


def test_a_plan_with_a_project_of_its_own_tells_that_projects_manager(erp: Erp, db: Connection, perform: Perform) -> None:
    manager = erp.user("李强")
    due(erp, 7, contract_id=erp.contract(owner_id=None), project_id=erp.project(pm_id=manager))
    perform(JOB, at())
    assert recipients(db) == {f"USER:{manager}"}


def test_without_owner_and_project_manager_the_sales_managers_are_told(erp: Erp, db: Connection, perform: Perform) -> None:
    due(erp, 7, contract_id=None)
    perform(JOB, at())
    assert recipients(db) == {"ROLE:SALES_MGR"}
