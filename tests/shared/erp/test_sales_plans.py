"""Do the reminders of sales find the few rows that concern them by an index, among very many that are over and done with?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, Select, text
from sqlalchemy.dialects import postgresql

from shared.cronfile.loading import load
from shared.erp import milestone_reminders, opportunities, payments, presales, receivables, sales_reminders
from tests.conftest import ROOT
from tests.factories import TODAY, Erp

ROWS = 50_000
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
ZONE = "Asia/Shanghai"
# Tables that grow without end, and how most of their rows look.
FULL = {
    "project_milestones": """(project_id, milestone_code, milestone_name, planned_date, actual_date, status)
        select :project, 'MS-' || g, '验收', cast('2020-01-01' as date) + mod(g, 2000), cast('2020-01-01' as date), 'COMPLETED'""",
    "contracts": """(contract_code, status, delivery_deadline) select 'HT-' || g, 'CLOSED', cast('2020-01-01' as date) + mod(g, 2500)""",
    "project_payment_plans": """(contract_id, payment_name, planned_amount, actual_amount, planned_date, status)
        select g, '到货款', 10, 10, cast('2020-01-01' as date) + mod(g, 2500), 'COMPLETED'""",
    "invoices": """(invoice_code, contract_id, total_amount, paid_amount, status, payment_status, due_date)
        select 'INV-' || g, g, 10, 10, 'ISSUED', 'PAID', cast('2020-01-01' as date) + mod(g, 2500)""",
    "leads": "(lead_code, status, gate_submitted_at, updated_at) select 'LD-' || g, 'CONVERTED', now(), now()",
    "opportunities": "(opp_code, opp_name, stage, stage_entered_at, gate_status, gate_submitted_at) select 'OP-' || g, '线', 'WON', now(), 'PASS', now()",
    "quotes": "(quote_code, opportunity_id, status, valid_until) select 'QT-' || g, g, 'EXPIRED', cast('2020-01-01' as date) + mod(g, 2500)",
    "approval_records": "(entity_type, entity_id, status, step_started_at) select 'QUOTE', g, 'APPROVED', now()",
    "presale_tickets": "(ticket_no, title, ticket_type, status, created_at) select 'PS-' || g, '咨询', 'CONSULT', 'CLOSED', now()",
}


@pytest.fixture
def grown(db: Connection) -> Connection:
    erp = Erp(db)
    project = erp.project()
    db.exec_driver_sql("set session_replication_role = replica")  # no foreign keys: only the plans matter
    for table, rows in FULL.items():
        db.execute(text(f"insert into erp.{table} {rows} from generate_series(1, {ROWS}) g"), {"project": project} if ":project" in rows else {})
    for _ in range(3):
        erp.milestone(project_id=project)
        erp.payment_plan(project_id=project, contract_id=None)
        erp.invoice(contract_id=None)
        erp.lead(status="QUALIFYING", gate_submitted_at=NOW)
        erp.opportunity(stage="PROPOSAL", gate_status="PENDING", gate_submitted_at=NOW)
        erp.quote(opportunity_id=None)
        erp.contract(project_id=project)
        erp.approval(status="PENDING", entity_id=1)
        erp.presale_ticket(status="PENDING")
    db.exec_driver_sql("vacuum analyze")
    return db


def queries() -> Iterator[tuple[str, Select[Any]]]:
    jobs = load(ROOT / "cron.yaml").jobs
    scan, payment = jobs["sales_reminder_scan"].params, jobs["check_payment_reminder"].params
    p = scan["payment"]
    yield "milestones near", milestone_reminders.upcoming(TODAY, scan["milestone"]["tiers"], 3)
    yield "milestones overdue", milestone_reminders.overdue(TODAY, 7, 7)
    yield "payments near", payments.upcoming(TODAY, **payment)
    yield "payments overdue", payments.overdue(TODAY, p["tiers"], p["every_days"], high_days=15, urgent_days=60)
    yield "payments counted", payments.counted()
    yield "payments unjudgeable", payments.unjudgeable(payments.past(TODAY))
    yield "invoices counted", receivables.counted()
    yield "invoices unjudgeable", receivables.unjudgeable()
    yield "invoices contradictory", receivables.contradictions()
    yield "gates", sales_reminders.waiting_gates(TODAY, ZONE, 3, 7)
    yield "gates unknown", sales_reminders.unknown_gates()
    yield "quotes near", sales_reminders.expiring_quotes(TODAY, **scan["quote"])
    yield "quotes over", sales_reminders.expired_quotes(TODAY, 7, 30)
    yield "contracts", sales_reminders.expiring_contracts(TODAY, **scan["contract"])
    yield "approvals", sales_reminders.pending_approvals(TODAY, NOW, 24, 48)
    yield "approvals unjudgeable", sales_reminders.unjudgeable_approvals()
    yield "opportunities", opportunities.overstayed(TODAY, ZONE, **jobs["check_opportunity_stage_timeout"].params)
    yield "opportunities unjudgeable", opportunities.unjudgeable(NOW)
    yield "tickets", presales.overdue(TODAY, ZONE, **jobs["check_presale_workorder_timeout"].params)
    yield "tickets unjudgeable", presales.unjudgeable()


def test_no_reminder_reads_a_grown_table_from_end_to_end(grown: Connection) -> None:
    read = {}
    for name, query in queries():
        said = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
        plan = "\n".join(grown.exec_driver_sql(f"explain {str(said).replace('%', '%%')}").scalars())
        if found := set(re.findall(r"Seq Scan on (\w+)", plan)) & set(FULL):
            read[name] = found
    assert read == {}
