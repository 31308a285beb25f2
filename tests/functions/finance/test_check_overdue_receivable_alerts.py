"""Job 30 by the rulebook: boundaries of 9.2, and the defects it must not have."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import alerts as all_alerts
from tests.evidence import messages
from tests.factories import TODAY, Erp
from tests.shared.rules.receivable_cases import CASES as LEVELS

JOB = "check_overdue_receivable_alerts"
TODAY_AT = "2026-03-02T10:30+08:00"
TOMORROW_AT = "2026-03-03T10:30+08:00"


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def overdue(erp: Erp, days: int = 1, *, on: date = TODAY, **columns: Any) -> int:
    return erp.invoice(due_date=on - timedelta(days=days), **columns)


def alerts(db: Connection) -> dict[int, Any]:
    return {alert["target_id"]: alert for alert in all_alerts(db)}


def levels(db: Connection) -> dict[int, str]:
    return {target: alert["base_level"] for target, alert in alerts(db).items() if alert["status"] == "PENDING"}


def change(db: Connection, invoice: int, **columns: Any) -> None:
    db.execute(tables.invoices.update().values(**columns).where(tables.invoices.c.id == invoice))


def _spoil(erp: Erp, day: date) -> str:
    overdue(erp, on=day, total_amount=None)
    return "INVOICE"


CASES = [AlertJob(
    JOB, "OVERDUE_RECEIVABLE", clock="10:30",
    violate=lambda erp, day: overdue(erp, on=day),
    clear=lambda db, target: change(db, target, payment_status="PAID", paid_amount=100000),
    worsen=lambda db, target: change(db, target, due_date=TODAY - timedelta(days=30)),
    spoil=_spoil,
    multiply=copies_of(tables.invoices, "invoice_code"),
)]  # fmt: skip


# ---------------------------------------------------------------- levels
def test_29_30_59_60_89_90_days_and_every_other_case_get_the_level_of_the_rule(erp: Erp, db: Connection, perform: Perform) -> None:
    contract = erp.contract()
    expected = {
        erp.invoice(
            contract_id=contract, total_amount=Decimal(amount), dispute_status=dispute,
            due_date=None if days is None else TODAY - timedelta(days=days),
        ): level
        for days, amount, dispute, level in LEVELS
    }
    counters = perform(JOB, TODAY_AT)["counters"]
    assert levels(db) == {invoice: level for invoice, level in expected.items() if level}
    assert (counters["checked"], counters["no_due_date"]) == (len(LEVELS), 1)


def test_a_partial_payment_lowers_the_amount_and_not_the_level(erp: Erp, db: Connection, perform: Perform) -> None:
    invoice = overdue(erp, 30, total_amount=500000)
    perform(JOB, TODAY_AT)
    change(db, invoice, payment_status="PARTIAL", paid_amount=499000)
    perform(JOB, TOMORROW_AT)
    alert = alerts(db)[invoice]
    assert (alert["base_level"], alert["alert_level"]) == ("CRITICAL", "CRITICAL")
    assert (alert["facts"]["unpaid"], alert["facts"]["paid"], alert["facts"]["amount"]) == (1000, 499000, 500000)


def test_the_level_moves_with_the_days_and_is_not_frozen_when_the_alert_is_made(erp: Erp, db: Connection, perform: Perform) -> None:
    invoice = overdue(erp, 29)
    perform(JOB, TODAY_AT)
    assert levels(db) == {invoice: "INFO"}
    perform(JOB, TOMORROW_AT)
    assert levels(db) == {invoice: "WARNING"}
    assert [m["reason"] for m in messages(db)] == ["NEW", "UPGRADED"]


def test_an_operators_thresholds_are_the_ones_that_count(erp: Erp, db: Connection, perform: Perform) -> None:
    invoice = overdue(erp, 5, total_amount=2000)
    perform(JOB, TODAY_AT, params={"warning_days": 5, "large_amount": 2000}, kind="manual")
    assert levels(db) == {invoice: "CRITICAL"}


# ---------------------------------------------------------------- what is owed
@pytest.mark.parametrize("status", ["DRAFT", "APPLIED", "APPROVED", "VOID"])
def test_only_issued_invoices_are_overdue(status: str, erp: Erp, db: Connection, perform: Perform) -> None:
    overdue(erp, 40, status=status)
    issued = overdue(erp, 40)
    assert perform(JOB, TODAY_AT)["counters"]["checked"] == 1
    assert levels(db) == {issued: "WARNING"}


@pytest.mark.parametrize(("columns", "unpaid"), [
    ({"total_amount": 113, "amount": 100}, 113), ({"total_amount": None, "amount": 100}, 100),
    ({"total_amount": 113, "paid_amount": 13, "payment_status": "PARTIAL"}, 100), ({"total_amount": 100, "paid_amount": "99.99"}, 0.01),
])
def test_what_is_owed_is_the_total_or_else_the_amount_less_what_came(columns: dict[str, Any], unpaid: float, erp: Erp, db: Connection, perform: Perform) -> None:
    invoice = overdue(erp, **columns)
    perform(JOB, TODAY_AT)
    assert alerts(db)[invoice]["facts"]["unpaid"] == unpaid


def test_an_invoice_paid_in_full_is_silent_and_its_open_status_a_data_defect(erp: Erp, db: Connection, perform: Perform) -> None:
    overdue(erp, 40, paid_amount=100000, invoice_code="INV-1")
    overdue(erp, 40, paid_amount=100000, payment_status="PAID")
    answer = perform(JOB, TODAY_AT)
    assert (answer["state"], answer["counters"]["violations"], answer["counters"]["data_defects"]) == ("succeeded", 0, 1)
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert item == ("INVOICE", "INV-1", "defect", "everything is paid, and the payment status is still PENDING")


@pytest.mark.parametrize(("columns", "error"), [
    ({"total_amount": None, "amount": None}, "amount is unknown, paid 0.00, payment status PENDING"),
    ({"paid_amount": -5}, "amount is 100000.00, paid -5.00, payment status PENDING"),
    ({"payment_status": None}, "amount is 100000.00, paid 0.00, payment status unknown"),
])
def test_an_invoice_of_which_nobody_can_say_what_is_owed_is_listed_and_its_alert_stays(
    columns: dict[str, Any], error: str, erp: Erp, db: Connection, perform: Perform
) -> None:
    invoice = overdue(erp, 40, invoice_code="INV-1")
    perform(JOB, TODAY_AT)
    change(db, invoice, **columns)
    answer = perform(JOB, TOMORROW_AT)
    assert (answer["state"], answer["counters"]["failed"], answer["counters"]["resolved"]) == ("partial", 1, 0)
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert item == ("INVOICE", "INV-1", "failed", error)
    assert levels(db) == {invoice: "WARNING"}


@pytest.mark.parametrize("columns", [{"is_active": False}, {"status": "ST30"}])
def test_money_is_owed_though_its_project_is_over(columns: dict[str, Any], erp: Erp, db: Connection, perform: Perform) -> None:
    project = erp.project(**columns)
    invoice = overdue(erp, contract_id=erp.contract(project_id=project))
    perform(JOB, TODAY_AT)
    assert alerts(db)[invoice]["project_id"] == project


# ---------------------------------------------------------------- facts and people
def test_the_alert_says_who_owes_how_much_since_when(erp: Erp, db: Connection, perform: Perform) -> None:
    customer = erp.customer(customer_name="宁波海曙新能源有限公司")
    project = erp.project(project_code="PJ-1", project_name="电池模组装配线")
    contract = erp.contract(contract_code="HT-1", customer_id=customer, project_id=project, owner_id=erp.user("贾磊"))
    invoice = overdue(erp, 31, contract_id=contract, invoice_code="INV-1", total_amount="600000.50", paid_amount=100000, payment_status="PARTIAL", dispute_status="OPEN")
    perform(JOB, TODAY_AT)
    alert = alerts(db)[invoice]
    assert (alert["target_no"], alert["project_id"], alert["trigger_value"], alert["threshold_value"]) == ("INV-1", project, 31, 30)
    assert alert["facts"] == {
        "customer_id": customer, "customer_name": "宁波海曙新能源有限公司", "contract_code": "HT-1", "owner": "贾磊",
        "project_code": "PJ-1", "project_name": "电池模组装配线", "due_date": "2026-01-30", "days_overdue": 31,
        "amount": 600000.5, "paid": 100000, "unpaid": 500000.5, "is_large": True, "disputed": True,
    }


@pytest.mark.parametrize(("days", "more"), [
    (1, set()), (30, set()), (60, {"ROLE:SALES_MGR"}), (90, {"ROLE:SALES_MGR", "ROLE:GM"}),
])
def test_owner_and_finance_are_told_and_management_as_it_grows(days: int, more: set[str], erp: Erp, db: Connection, perform: Perform) -> None:
    owner = erp.user("贾磊")
    invoice = overdue(erp, days, contract_id=erp.contract(owner_id=owner))
    perform(JOB, TODAY_AT)
    assert set(alerts(db)[invoice]["recipients"]) == {f"USER:{owner}", "ROLE:FIN"} | more


def test_an_invoice_without_contract_tells_finance_and_knows_its_projects_customer(erp: Erp, db: Connection, perform: Perform) -> None:
    customer = erp.customer(customer_name="无锡太湖压缩机有限公司")
    invoice = overdue(erp, contract_id=None, project_id=erp.project(customer_id=customer))
    alone = overdue(erp, contract_id=None)
    perform(JOB, TODAY_AT)
    found = alerts(db)
    assert (found[invoice]["recipients"], found[invoice]["facts"]["customer_id"]) == (["ROLE:FIN"], customer)
    assert found[alone]["facts"]["customer_name"] is None


# ---------------------------------------------------------------- life of the alert
def test_a_paid_invoice_resolves_the_same_day(erp: Erp, db: Connection, perform: Perform) -> None:
    invoice = overdue(erp, 40)
    perform(JOB, TODAY_AT)
    change(db, invoice, payment_status="PAID", paid_amount=100000)
    assert perform(JOB, TODAY_AT, kind="manual")["counters"]["resolved"] == 1
    assert alerts(db)[invoice]["status"] == "RESOLVED"


def test_a_void_invoice_ends_its_alert_as_expired(erp: Erp, db: Connection, perform: Perform) -> None:
    invoice = overdue(erp, 40)
    perform(JOB, TODAY_AT)
    change(db, invoice, status="VOID")
    perform(JOB, TOMORROW_AT)
    assert alerts(db)[invoice]["status"] == "EXPIRED"


# ---------------------------------------------------------------- one list a customer
def digests(db: Connection) -> list[Any]:
    return [m for m in messages(db) if m["type"] == "DIGEST_RECEIVABLE"]


def test_several_invoices_of_one_customer_are_told_once_more_as_one_list(erp: Erp, db: Connection, perform: Perform) -> None:
    customer = erp.customer(customer_name="东莞松湖电子有限公司")
    one, two, fin = erp.user("贾磊"), erp.user("丁宁"), erp.user("彭丽", roles=["FIN"])
    first, second = (erp.contract(customer_id=customer, owner_id=owner) for owner in (one, two))
    overdue(erp, 3, contract_id=first, invoice_code="INV-1", total_amount=1000)
    overdue(erp, 45, contract_id=second, invoice_code="INV-2", total_amount="2000.5")
    overdue(erp, 45)
    perform(JOB, TODAY_AT)
    (digest,) = digests(db)
    assert (digest["facts"]["customer_name"], digest["facts"]["count"], digest["facts"]["unpaid"], digest["facts"]["largest"]) == ("东莞松湖电子有限公司", 2, 3000.5, 2000.5)
    assert [(i["invoice_code"], i["days_overdue"], i["level"]) for i in digest["facts"]["items"]] == [("INV-2", 45, "WARNING"), ("INV-1", 3, "INFO")]
    assert set(digest["told"]) == {f"{person} {channel}" for person in (one, two, fin) for channel in ("system", "email")}


def test_the_list_comes_again_only_when_an_invoice_joins_or_rises(erp: Erp, db: Connection, perform: Perform) -> None:
    contract = erp.contract()
    for days in (3, 29):
        overdue(erp, days, contract_id=contract)
    perform(JOB, TODAY_AT)
    assert len(digests(db)) == 1
    perform(JOB, TOMORROW_AT)  # 30 days: WARNING
    assert len(digests(db)) == 2
    perform(JOB, "2026-03-04T10:30+08:00")
    assert len(digests(db)) == 2
    overdue(erp, 1, on=date(2026, 3, 5), contract_id=contract)
    perform(JOB, "2026-03-05T10:30+08:00")
    assert [len(d["facts"]["items"]) for d in digests(db)] == [2, 2, 3]


def test_the_list_has_a_table_and_a_picture(erp: Erp, db: Connection, perform: Perform) -> None:
    from shared import i18n

    contract = erp.contract(customer_id=erp.customer(customer_name="<b>甲&乙</b>"))
    for days in (3, 95):
        overdue(erp, days, contract_id=contract)
    perform(JOB, TODAY_AT)
    (digest,) = digests(db)
    for language in i18n.LANGUAGES:
        words = i18n.render("DIGEST_RECEIVABLE", language, {"level": "INFO", **digest["facts"]}, reason="REMINDER")
        page = i18n.render_html(language, words, level="INFO", link=None, reference=None)
        assert page.count('<tr class="bar">') == 2
        assert page.count("<tr>") == 3
        assert "<b>" not in page
