"""Job 11 by the rulebook: boundaries of 9.2, spent and ordered money, and the defects it must not have."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared import i18n
from tests.acceptance.cases import AlertJob
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import TODAY, Erp
from tests.shared.rules import budget_cases

ID = "check_cost_overrun_alerts"
TEN = "2026-03-02T10:00+08:00"
NEXT_TEN = "2026-03-03T10:00+08:00"


def spending(erp: Erp, budget: Any, spent: Any, committed: Any = 0, **columns: Any) -> int:
    """A project with a budget, one cost row and, if wanted, one open purchase."""
    project = erp.project(budget_amount=budget, **columns)
    if Decimal(spent):
        erp.cost(project_id=project, amount=spent)
    if Decimal(committed):
        erp.purchase_order([{"quantity": 1, "unit_price": committed}], project_id=project)
    return project


def _violate(erp: Erp, day: date) -> int:
    """What is spent has no day: it is over from now on."""
    project = erp.project(budget_amount=1000)
    erp.cost(project_id=project, amount=950, cost_date=day)
    return project


def _multiply(db: Connection, project: int, n: int) -> None:
    db.execute(text("""with made as (
          insert into erp.projects (project_code, project_name, status, budget_amount, pm_id)
          select project_code || '-' || c || '-' || g, project_name, status, budget_amount, pm_id
          from erp.projects, (select count(*) as c from erp.projects) o, generate_series(1, :n) g where id = :id returning id)
        insert into erp.project_costs (project_id, cost_type, amount, cost_date)
        select made.id, x.cost_type, x.amount, x.cost_date from made, erp.project_costs x where x.project_id = :id"""), {"n": n, "id": project})  # fmt: skip


def _spoil(erp: Erp, day: date) -> str:
    spending(erp, -1, 900)
    return "PROJECT"


def spend(db: Connection, project: int, amount: Any) -> None:
    db.execute(text("update erp.project_costs set amount = :a where project_id = :p"), {"a": amount, "p": project})


CASES = [
    AlertJob(
        ID, "COST_OVERRUN", clock="10:00", day=TODAY + timedelta(days=1),  # on Mondays there is the list beside it
        violate=_violate,
        clear=lambda db, project: spend(db, project, 100), worsen=lambda db, project: spend(db, project, 1100),
        spoil=_spoil, multiply=_multiply,
        reasons={"the_business_day_begins_at_local_midnight": "no day: what is spent is spent"},
    )
]  # fmt: skip


def levels(db: Connection) -> dict[int, str]:
    return {alert["target_id"]: alert["base_level"] for alert in alerts(db) if alert["status"] == "PENDING"}


def test_the_job_gives_every_case_the_level_of_the_rule(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    expected = {
        spending(erp, budget, spent, committed): level for budget, spent, committed, level in budget_cases.CASES
    }
    perform(ID, TEN)
    found = levels(db)
    assert {project: found.get(project) for project in expected} == expected


# ---------------------------------------------------------------- 9.2
@pytest.mark.parametrize(("percent", "level"), [
    ("79.99", None), ("80", "INFO"), ("90", "WARNING"), ("103", "WARNING"), ("110", "CRITICAL"), ("120", "URGENT"),
])  # fmt: skip
def test_the_level_is_by_the_share_of_the_budget(percent: str, level: str | None, db: Connection, perform: Perform) -> None:
    project = spending(Erp(db), 1_000_000, Decimal(percent) * 10_000)
    perform(ID, TEN)
    assert levels(db).get(project) == level


@pytest.mark.parametrize("budget", [0, None])
def test_a_project_without_a_budget_is_skipped_and_counted(budget: int | None, db: Connection, perform: Perform) -> None:
    spending(Erp(db), budget, 9000)
    answer = perform(ID, TEN)
    assert (alerts(db), answer["counters"]["no_budget"], answer["state"]) == ([], 1, "succeeded")


# ---------------------------------------------------------------- what counts as spent and ordered
def test_costs_are_added_up_and_credit_notes_subtracted(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = spending(erp, 1000, 700)
    for amount in (600, -250, 10):
        erp.cost(project_id=project, amount=amount)
    perform(ID, TEN)
    (alert,) = alerts(db)
    assert (alert["facts"]["actual"], alert["base_level"], alert["trigger_value"], alert["threshold_value"]) == (1060, "WARNING", 106, 90)


def test_the_rows_are_believed_and_not_the_stored_figure(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    spending(erp, 1000, 500, actual_cost=5000, project_code="PJ-A")
    spending(erp, 1000, 500, actual_cost=505, project_code="PJ-B")
    spending(erp, 1000, 500, actual_cost=None, project_code="PJ-C")
    spending(erp, 1000, 0, actual_cost=1, project_code="PJ-D")
    spending(erp, 1000, 500, actual_cost="494.99", project_code="PJ-E")
    answer = perform(ID, TEN)
    assert (answer["state"], alerts(db)) == ("succeeded", [])
    items = db.execute(text("select item_key, error from belfry.execution_items where status = 'defect' order by 1")).all()
    assert [tuple(item) for item in items] == [
        ("PJ-A", "actual_cost is 5000.00, its cost rows add up to 500.00"), ("PJ-D", "actual_cost is 1.00, its cost rows add up to 0"),
        ("PJ-E", "actual_cost is 494.99, its cost rows add up to 500.00"),
    ]  # fmt: skip


def test_only_what_is_still_to_come_of_open_orders_is_committed(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = spending(erp, 1000, 500)
    erp.purchase_order([
        {"quantity": 10, "received_qty": 4, "unit_price": 50}, {"quantity": 3, "received_qty": 3, "unit_price": 900},
        {"quantity": 4, "received_qty": -1, "unit_price": 900}, {"quantity": 5, "unit_price": None},
    ], project_id=project, status="PARTIAL_RECEIVED")  # fmt: skip
    for status in ("APPROVED", "ORDERED"):
        erp.purchase_order([{"quantity": 1, "unit_price": 100}], project_id=project, status=status)
    for status in ("DRAFT", "PENDING_APPROVAL", "REJECTED", "RECEIVED", "COMPLETED", "CANCELLED"):
        erp.purchase_order([{"quantity": 1, "unit_price": 900}], project_id=project, status=status)
    answer = perform(ID, TEN)
    (alert,) = alerts(db)
    facts = alert["facts"]
    assert (facts["committed"], facts["forecast"], facts["by_forecast"], facts["forecast_percent"]) == (500, 1000, True, 100)
    assert (alert["base_level"], alert["trigger_value"], alert["threshold_value"]) == ("WARNING", 50, 100)
    assert answer["counters"]["unpriced_lines"] == 1


# ---------------------------------------------------------------- which projects, whom
@pytest.mark.parametrize(("columns", "raised"), [
    ({}, True), ({"status": "ST30"}, True), ({"status": "ST99"}, True), ({"is_archived": True}, False), ({"is_active": False}, False),
])  # fmt: skip
def test_closed_projects_are_checked_until_they_are_archived(columns: dict[str, Any], raised: bool, db: Connection, perform: Perform) -> None:
    project = spending(Erp(db), 1000, 1000)
    db.execute(text("update erp.projects set status = 'ST08'"))
    perform(ID, TEN)
    for name, value in columns.items():
        db.execute(text(f"update erp.projects set {name} = :v where id = :p"), {"v": value, "p": project})
    perform(ID, NEXT_TEN)
    assert [alert["status"] for alert in alerts(db)] == ["PENDING" if raised else "EXPIRED"]


@pytest.mark.parametrize(("spent", "more"), [(1000, False), (1100, True), (1200, True)])
def test_manager_and_finance_are_told_and_from_critical_on_pmo_and_the_managers_boss(
    spent: int, more: bool, db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    boss, finance, pmo = erp.user("苏慧"), erp.user("彭丽", roles=["FIN"]), erp.user("何静", roles=["PMO"])
    manager = erp.user("李强", manager_id=boss)
    spending(erp, 1000, spent, pm_id=manager)
    perform(ID, TEN)
    (message,) = messages(db)
    assert {int(told.split()[0]) for told in message["told"]} == {manager, finance} | ({boss, pmo} if more else set())


def test_a_budget_below_nothing_cannot_be_judged_and_keeps_its_alert(db: Connection, perform: Perform) -> None:
    project = spending(Erp(db), 1000, 1000, project_code="PJ-1")
    perform(ID, TEN)
    db.execute(text("update erp.projects set budget_amount = -1000"))
    answer = perform(ID, NEXT_TEN)
    assert (answer["state"], levels(db)) == ("partial", {project: "WARNING"})
    item = db.execute(text("select item_type, item_key, error from belfry.execution_items where status = 'failed'")).one()
    assert tuple(item) == ("PROJECT", "PJ-1", "budget is -1000.00")


def test_a_budget_that_is_raised_or_taken_away_ends_the_alert(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    spending(erp, 1000, 1000, project_code="PJ-1")
    spending(erp, 1000, 1000, project_code="PJ-2")
    perform(ID, TEN)
    db.execute(text("update erp.projects set budget_amount = case project_code when 'PJ-1' then 5000 end"))
    perform(ID, NEXT_TEN)
    assert [alert["status"] for alert in alerts(db)] == ["RESOLVED", "RESOLVED"]


# ---------------------------------------------------------------- the list for the PMO
def test_on_mondays_the_pmo_gets_the_running_projects_without_a_budget_once(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    pmo = erp.user("何静", roles=["PMO"])
    spending(erp, None, 500, project_code="PJ-1", project_name="甲", pm_id=erp.user("李强"))
    spending(erp, 0, 700, project_code="PJ-2", project_name="乙", pm_id=None)
    for columns in ({"status": "ST30"}, {"is_archived": True}, {"is_active": False}, {"budget_amount": 100000}):
        spending(erp, columns.pop("budget_amount", None), 900, **columns)
    for day in ("2026-03-02", "2026-03-02", "2026-03-03", "2026-03-08"):
        perform(ID, f"{day}T10:00+08:00", kind="manual")
    (digest,) = messages(db)
    assert set(digest["told"]) == {f"{pmo} system", f"{pmo} email"}
    assert digest["facts"] == {"day": "2026-03-02", "count": 2, "items": [
        {"project_code": "PJ-2", "project_name": "乙", "manager": None, "actual": 700},
        {"project_code": "PJ-1", "project_name": "甲", "manager": "李强", "actual": 500},
    ]}  # fmt: skip
    text_ = i18n.render("DIGEST_NO_BUDGET", "en", {"level": "INFO", **digest["facts"]})
    page = i18n.render_html("en", text_, level="INFO", link=None, reference=None)
    assert page.count("<tr>") == 3
    assert page.count('<tr class="bar">') == 2


def test_nobody_hears_of_missing_budgets_when_none_is_missing(db: Connection, perform: Perform) -> None:
    spending(Erp(db), 1000, 10)
    perform(ID, f"{TODAY}T10:00+08:00")
    assert messages(db) == []
