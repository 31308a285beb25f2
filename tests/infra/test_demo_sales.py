"""The jobs of sales and receivables, over the demo factory, tell exactly what its titles promise."""

import re
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, text

from infra.local.demo import populate, sales

DAYS = [date(2026, 3, 2), date(2026, 11, 22)]
PROMISE = re.compile(r"（.*：(.+)）$")
NOTHING = ("不预警", "不提醒")


@pytest.fixture(params=DAYS, ids=str)
def morning(request: pytest.FixtureRequest, db: Connection, perform: Any) -> Any:
    """The factory on the morning of a day; `morning(job, "07:00")` runs one tick of a job on it."""
    populate(db, request.param)

    def run(job_id: str, clock: str) -> dict[str, Any]:
        answer: dict[str, Any] = perform(job_id, at=f"{request.param}T{clock}+08:00")
        assert answer["state"] == "succeeded", answer
        return answer

    return run


def told(db: Connection, *types: str) -> dict[int, str]:
    """How loudly each thing was told of, by its id, which stands third in the message's key."""
    query = "select split_part(dedupe_key, '|', 3)::bigint as id, severity from belfry.notifications where type = any(:types)"
    return {row.id: row.severity for row in db.execute(text(query), {"types": list(types)})}


def promises(db: Connection, table: str, title: str, where: str = "true") -> dict[int, str]:
    """What the titles of a table promise, without those that promise nothing."""
    rows = db.execute(text(f"select id, {title} as title from erp.{table} where {where}"))
    found = {row.id: PROMISE.search(row.title) for row in rows}
    return {row: said[1] for row, said in found.items() if said and said[1] not in NOTHING}


def test_overdue_receivables(morning: Any, db: Connection) -> None:
    answer = morning("check_overdue_receivable_alerts", "10:30")
    query = "select target_id, base_level from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id where rule_code = 'OVERDUE_RECEIVABLE'"
    found = {row.target_id: row.base_level for row in db.execute(text(query))}
    assert found == promises(db, "invoices", "invoice_code")
    assert set(found.values()) == {"INFO", "WARNING", "CRITICAL", "URGENT"}
    assert (answer["counters"]["no_due_date"], answer["counters"]["data_defects"]) == (1, 1)
    assert db.execute(text("select count(*) from belfry.notifications where type = 'DIGEST_RECEIVABLE'")).scalar_one() >= 3


def test_payments_near(morning: Any, db: Connection) -> None:
    answer = morning("check_payment_reminder", "09:30")
    assert told(db, "PAYMENT_PLAN_UPCOMING") == promises(db, "project_payment_plans", "payment_name", "payment_name !~ '逾期'")
    assert (answer["counters"]["no_planned_date"], answer["counters"]["data_defects"]) == (1, 1)


def test_opportunities(morning: Any, db: Connection) -> None:
    morning("check_opportunity_stage_timeout", "15:30")
    assert told(db, "OPPORTUNITY_STAGE_TIMEOUT") == promises(db, "opportunities", "opp_name")


def test_presale_tickets(morning: Any, db: Connection) -> None:
    morning("check_presale_workorder_timeout", "16:00")
    assert told(db, "PRESALE_TICKET_TIMEOUT") == promises(db, "presale_tickets", "title")


def test_sales_reminders(morning: Any, db: Connection) -> None:
    morning("sales_reminder_scan", "09:00")
    assert told(db, "PAYMENT_OVERDUE") == promises(db, "project_payment_plans", "payment_name", "payment_name ~ '逾期'")
    assert told(db, "QUOTE_EXPIRING", "QUOTE_EXPIRED") == promises(db, "quotes", "quote_code")
    assert told(db, "CONTRACT_EXPIRING") == promises(db, "contracts", "contract_code")
    assert told(db, "APPROVAL_PENDING") == promises(db, "approval_records", "step_name")
    gates = db.execute(text("select split_part(dedupe_key, '|', 2) as kind, split_part(dedupe_key, '|', 3)::bigint as id, severity from belfry.notifications where type = 'GATE_TIMEOUT'")).all()
    assert {g.id: g.severity for g in gates if g.kind == "LEAD"} == promises(db, "leads", "lead_code")
    assert {g.id: g.severity for g in gates if g.kind == "OPPORTUNITY"} == sales.GATE_CASES
    assert told(db, "MILESTONE_UPCOMING")
    assert set(told(db, "MILESTONE_OVERDUE").values()) == {"URGENT"}


@pytest.mark.parametrize("table", ["contracts", "project_payment_plans", "invoices", "leads", "opportunities", "quotes", "approval_records", "presale_tickets"])
def test_every_table_has_cases_that_say_something_and_cases_that_do_not(table: str, db: Connection) -> None:
    populate(db, DAYS[0])
    titles = {
        "contracts": "contract_code", "project_payment_plans": "payment_name", "invoices": "invoice_code", "leads": "lead_code",
        "opportunities": "opp_name", "quotes": "quote_code", "approval_records": "step_name", "presale_tickets": "title",
    }
    said = [PROMISE.search(title) for title in db.execute(text(f"select {titles[table]} from erp.{table}")).scalars()]
    kinds = {found[1] in NOTHING for found in said if found}
    assert kinds == {True, False}
