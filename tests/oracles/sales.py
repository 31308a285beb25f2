"""What should the jobs of sales and receivables say? The rulebook row by row, over random rows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from infra.local.demo.rows import Factory
from tests.factories import Erp

SHANGHAI = ZoneInfo("Asia/Shanghai")
LEVELS = ["INFO", "WARNING", "CRITICAL", "URGENT"]
NORMAL, HIGH, URGENT = "INFO", "WARNING", "URGENT"
Row = Any
# type, what, id -> which of its messages this is, how loud, to whom
Told = dict[tuple[str, str, int], tuple[object, str, set[str]]]


# ---------------------------------------------------------------- rows
def generate(erp: Erp, rng: random.Random, day: date) -> None:
    """A few hundred rows a table: every status, nothing where nothing may be, days on both sides of every threshold."""
    factory = Factory(erp.conn, day)
    people: list[int | None] = [*(erp.user() for _ in range(5)), None]
    customers = [erp.customer() for _ in range(4)]
    projects: list[int | None] = [erp.project(pm_id=person, customer_id=rng.choice([*customers, None])) for person in people[2:]]
    projects += [erp.project(**over) for over in ({"status": "ST30"}, {"status": "ST99"}, {"is_active": False}, {"is_archived": True})]
    projects.append(None)

    def near(*days: int) -> date | None:
        """A day within one of the thresholds (days from today), or none."""
        return rng.choice([None, *(day + timedelta(days=n + rng.choice((-1, 0, 1))) for n in days for _ in range(3))])

    def since(*days: int) -> datetime:
        at = rng.choice((time(0, 5), time(7, 59), time(9, 0), time(23, 55)))
        return datetime.combine(day - timedelta(days=rng.choice(days) + rng.choice((0, 1))), at, SHANGHAI)

    milestones = [
        (n, rng.choice(projects[:-1]), f"MS-{n}", "厂内验收", near(-22, -14, -8, -1, 1, 3, 7) or day,
         rng.choice([None, None, None, day - timedelta(days=2), day + timedelta(days=2)]),
         rng.choice(("PENDING", "PENDING", "PENDING", "IN_PROGRESS", "DELAYED", "COMPLETED", "CANCELLED")), rng.choice(people))
        for n in range(1, 301)
    ]
    factory.insert("erp.project_milestones", "id project_id milestone_code milestone_name planned_date actual_date status owner_id", milestones)
    contracts = [
        (n, f"HT-{n}", rng.choice([*customers, None]), rng.choice(projects), rng.choice((None, 1000000)),
         rng.choice(("DRAFT", "IN_REVIEW", "SIGNED", "ACTIVE", "ACTIVE", "CLOSED", "CANCELLED")), near(0, 7, 15, 30), rng.choice(people))
        for n in range(1, 201)
    ]
    factory.insert("erp.contracts", "id contract_code customer_id project_id contract_amount status delivery_deadline owner_id", contracts)
    some = [*range(1, 201), *[None] * 20]
    factory.insert(
        "erp.project_payment_plans", "id project_id contract_id payment_name planned_amount actual_amount planned_date status milestone_id",
        [(n, rng.choice([None, *projects]), rng.choice(some), "到货款", 1000, rng.choice((0, 0, 0, "0.01", 999, 1000, 1200, -1)),
          near(-121, -90, -60, -30, -15, -7, 0, 1, 3, 7), rng.choice(("PENDING", "INVOICED", "PARTIAL", "COMPLETED", "CANCELLED")),
          rng.choice([None, n % 300 + 1])) for n in range(1, 601)],
    )
    factory.insert(
        "erp.invoices", "id invoice_code contract_id project_id amount total_amount paid_amount status payment_status due_date dispute_status",
        [(n, f"INV-{n}", rng.choice(some), rng.choice(projects), rng.choice((None, 900, 500000)), rng.choice((None, 1000, 499999, 500000)),
          rng.choice((0, 0, 0, 500, 1000, 500000, -1)), rng.choice(("DRAFT", "APPLIED", "APPROVED", "ISSUED", "ISSUED", "ISSUED", "VOID")),
          rng.choice((None, "PENDING", "PENDING", "PARTIAL", "PARTIAL", "PAID")), near(0, -29, -30, -59, -60, -90),
          rng.choice((None, None, None, "", "NONE", "OPEN", "RESOLVED"))) for n in range(1, 501)],
    )
    factory.insert(
        "erp.leads", "id lead_code status owner_id gate_submitted_at updated_at",
        [(n, f"LD-{n}", rng.choice(("NEW", "QUALIFYING", "QUALIFYING", "CONVERTED")), rng.choice(people),
          rng.choice([None, since(2, 3, 6, 7)]), since(1, 9)) for n in range(1, 101)],
    )
    factory.insert(
        "erp.opportunities", "id opp_code opp_name customer_id stage stage_entered_at gate_code gate_status gate_submitted_at owner_id",
        [(n, f"OP-{n}", "检测线", rng.choice([*customers, None]),
          rng.choice(("DISCOVERY", "QUALIFIED", "PROPOSAL", "NEGOTIATION", "WON", "LOST", "ON_HOLD")), since(3, 7, 9, 10, 13, 14, 15, 20, 21, 28, 40, -3),
          rng.choice((None, "G2", "G3")), rng.choice((None, "PENDING", "PASS", "REJECT")), rng.choice([None, since(2, 3, 6, 7)]), rng.choice(people))
         for n in range(1, 301)],
    )
    factory.insert(
        "erp.quotes", "id quote_code opportunity_id status valid_until owner_id",
        [(n, f"QT-{n}", rng.choice([None, n]), rng.choice(("DRAFT", "IN_REVIEW", "APPROVED", "SENT", "SENT", "EXPIRED", "REJECTED")),
          near(-30, -22, -8, -1, 1, 3, 7), rng.choice(people)) for n in range(1, 301)],
    )
    factory.insert(
        "erp.approval_records", "id entity_type entity_id step_name approver_id approver_role status step_started_at due_hours",
        [(n, rng.choice(("QUOTE", "CONTRACT", "OTHER")), n % 200 + 1, rng.choice((None, "商务审批")), rng.choice([*people, None, None]), rng.choice((None, "FIN", "GM")),
          rng.choice(("PENDING", "PENDING", "APPROVED")), since(0, 1, 2, 3) - timedelta(days=1), rng.choice((None, None, 8, 72, -1))) for n in range(1, 301)],
    )
    factory.insert(
        "erp.presale_tickets", "id ticket_no title ticket_type urgency status applicant_id assignee_id created_at deadline",
        [(n, f"PS-{n}", "咨询", rng.choice(("CONSULT", "SURVEY", "SOLUTION", "QUOTATION", "TENDER", "MEETING", "SITE_VISIT", "OTHER")),
          rng.choice(("NORMAL", "NORMAL", "URGENT", "VERY_URGENT")), rng.choice(("PENDING", "ACCEPTED", "PROCESSING", "PROCESSING", "REVIEW", "COMPLETED", "CANCELLED")),
          rng.choice(people), rng.choice(people), since(0, 1, 2, 3, 4, 5, 7, 9, 10, 15, 20), rng.choice([None, None, since(-3, 0, 1, 3, 30)])) for n in range(1, 501)],
    )


class Books:
    """Every row, read once, and how they hang together."""

    def __init__(self, db: Connection, day: date) -> None:
        self.db, self.day = db, day
        self.projects = {p.id: p for p in self.rows("projects")}
        self.contracts = {c.id: c for c in self.rows("contracts")}

    def rows(self, table: str) -> list[Row]:
        return list(self.db.execute(text(f"select * from erp.{table} order by id")))

    def over(self, project: Row | None) -> bool:
        return project is not None and (project.is_archived or not project.is_active or project.status in ("ST30", "ST99"))

    def age(self, instant: datetime) -> int:
        return (self.day - instant.astimezone(SHANGHAI).date()).days


def user(person: int | None) -> set[str]:
    return {f"USER:{person}"} if person is not None else set()


def at_most(days: int, *tiers: int) -> int | None:
    """Counting down, the tier that these days belong to."""
    return min((tier for tier in tiers if days <= tier), default=None) if days >= 0 else None


# ---------------------------------------------------------------- job 30
def receivables(db: Connection, day: date) -> dict[int, tuple[str, set[str], Decimal]]:
    """Invoice: level, people and what is owed."""
    books, found = Books(db, day), {}
    for invoice in books.rows("invoices"):
        if invoice.status != "ISSUED" or invoice.payment_status not in ("PENDING", "PARTIAL") or invoice.due_date is None:
            continue
        amount = invoice.amount if invoice.total_amount is None else invoice.total_amount
        days = (day - invoice.due_date).days
        if days < 1 or amount is None or invoice.paid_amount < 0 or amount - invoice.paid_amount <= 0:
            continue
        level = 3 if days >= 90 else 2 if days >= 60 else 1 if days >= 30 else 0
        if amount >= 500000:
            level = min(3, level + 1)
        if invoice.dispute_status == "OPEN":
            level = 0
        contract = books.contracts.get(invoice.contract_id)
        people = user(contract.owner_id if contract else None) | {"ROLE:FIN"}
        people |= {"ROLE:SALES_MGR"} if level >= 2 else set()
        people |= {"ROLE:GM"} if level == 3 else set()
        found[invoice.id] = LEVELS[level], people, amount - invoice.paid_amount
    return found


def unjudgeable_invoices(db: Connection, day: date) -> set[str]:
    """Issued, not paid, and nobody can say what is owed."""
    return {
        i.invoice_code for i in Books(db, day).rows("invoices")
        if i.status == "ISSUED" and i.payment_status != "PAID"
        and (i.payment_status is None or i.paid_amount < 0 or (i.amount is None and i.total_amount is None))
    }


# ---------------------------------------------------------------- jobs 29 and 4: payments
def _open_plans(books: Books) -> Iterator[tuple[Row, Row | None, Row | None, int]]:
    """Plan, contract, project, days late (negative: days left)."""
    for plan in books.rows("project_payment_plans"):
        contract = books.contracts.get(plan.contract_id)
        number = plan.project_id if plan.project_id is not None else contract and contract.project_id
        project = books.projects.get(number)
        if plan.status not in ("PENDING", "INVOICED", "PARTIAL") or plan.planned_date is None or books.over(project):
            continue
        if plan.actual_amount < 0 or plan.actual_amount >= plan.planned_amount:
            continue
        yield plan, contract, project, (books.day - plan.planned_date).days


def payments_near(db: Connection, day: date) -> Told:
    found: Told = {}
    for plan, contract, project, late in _open_plans(Books(db, day)):
        tier = at_most(-late, 7, 3, 1, 0)
        if tier is None:
            continue
        people = user(contract.owner_id if contract else None) | user(project.pm_id if project else None)
        people = people or {"ROLE:SALES_MGR"}
        if -late <= 3:
            people |= {"ROLE:FIN"}
        found["PAYMENT_PLAN_UPCOMING", "PAYMENT_PLAN", plan.id] = tier, URGENT if late == 0 else HIGH if -late <= 3 else NORMAL, people
    return found


def _payments_overdue(books: Books) -> Told:
    found: Told = {}
    for plan, contract, project, late in _open_plans(books):
        days = [7, 15, 30, *range(60, 1000, 30)]
        if late < days[0]:
            continue
        people = user(contract.owner_id if contract else None) | user(project.pm_id if project else None) | {"ROLE:FIN", "ROLE:SALES_MGR"}
        found["PAYMENT_OVERDUE", "PAYMENT_PLAN", plan.id] = max(d for d in days if d <= late), URGENT if late >= 60 else HIGH if late >= 15 else NORMAL, people
    return found


# ---------------------------------------------------------------- job 4: the rest
def _milestones(books: Books) -> Told:
    found: Told = {}
    for m in books.rows("project_milestones"):
        project = books.projects[m.project_id]
        if m.status != "PENDING" or books.over(project) or (m.actual_date and m.actual_date <= books.day):
            continue
        left = (m.planned_date - books.day).days
        if 0 <= left <= 7:
            people = user(m.owner_id) or user(project.pm_id) or {"ROLE:SALES_MGR"}
            found["MILESTONE_UPCOMING", "MILESTONE", m.id] = at_most(left, 7, 3, 1, 0), HIGH if left <= 3 else NORMAL, people
        elif left < 0:
            days = [*range(1, 8), *range(14, 1000, 7)]
            people = (user(m.owner_id) | user(project.pm_id)) or {"ROLE:SALES_MGR"}
            found["MILESTONE_OVERDUE", "MILESTONE", m.id] = max(d for d in days if d <= -left), URGENT, people
    return found


def _gates(books: Books) -> Told:
    found: Told = {}
    leads = [("LEAD", x) for x in books.rows("leads") if x.status == "QUALIFYING"]
    opportunities = [("OPPORTUNITY", x) for x in books.rows("opportunities") if x.gate_status == "PENDING" and x.stage not in ("WON", "LOST")]
    for kind, row in [*leads, *opportunities]:
        if row.gate_submitted_at is None or books.age(row.gate_submitted_at) < 3:
            continue
        people = user(row.owner_id) or {"ROLE:SALES_MGR"}
        if books.age(row.gate_submitted_at) >= 7:
            people |= {"ROLE:SALES_MGR"}
        found["GATE_TIMEOUT", kind, row.id] = books.day, HIGH, people
    return found


def _quotes(books: Books) -> Told:
    found: Told = {}
    for quote in books.rows("quotes"):
        if quote.status not in ("SENT", "IN_REVIEW") or quote.valid_until is None:
            continue
        left, people = (quote.valid_until - books.day).days, user(quote.owner_id) or {"ROLE:SALES_MGR"}
        if 0 <= left <= 7:
            found["QUOTE_EXPIRING", "QUOTE", quote.id] = at_most(left, 7, 3, 1), URGENT if left <= 1 else HIGH if left <= 3 else NORMAL, people
        elif -30 <= left < 0:
            found["QUOTE_EXPIRED", "QUOTE", quote.id] = max(d for d in (1, 8, 15, 22, 29) if d <= -left), HIGH, people
    return found


def _contracts(books: Books) -> Told:
    found: Told = {}
    for contract in books.contracts.values():
        project = books.projects.get(contract.project_id)
        if contract.status not in ("SIGNED", "ACTIVE") or contract.delivery_deadline is None or books.over(project):
            continue
        left = (contract.delivery_deadline - books.day).days
        if 0 <= left <= 30:
            people = (user(contract.owner_id) or {"ROLE:SALES_MGR"}) | user(project.pm_id if project else None)
            found["CONTRACT_EXPIRING", "CONTRACT", contract.id] = at_most(left, 30, 15, 7), URGENT if left <= 7 else HIGH if left <= 15 else NORMAL, people
    return found


def _approvals(books: Books, now: datetime) -> Told:
    found: Told = {}
    for step in books.rows("approval_records"):
        hours = (now - step.step_started_at) / timedelta(hours=1)
        if step.status != "PENDING" or (step.due_hours is not None and step.due_hours < 0):
            continue
        if hours >= (24 if step.due_hours is None else step.due_hours):
            people = user(step.approver_id) or {f"ROLE:{step.approver_role or 'SALES_MGR'}"}
            found["APPROVAL_PENDING", "APPROVAL", step.id] = books.day, HIGH if hours >= 48 else NORMAL, people
    return found


def reminders(db: Connection, now: datetime) -> Told:
    """All that job 4 has to say at that time."""
    books = Books(db, now.astimezone(SHANGHAI).date())
    return (
        _milestones(books) | _payments_overdue(books) | _gates(books) | _quotes(books) | _contracts(books) | _approvals(books, now)
    )


# ---------------------------------------------------------------- jobs 32 and 33
def opportunities(db: Connection, day: date) -> Told:
    books, found = Books(db, day), Told()
    limits = {"DISCOVERY": 14, "QUALIFIED": 7, "PROPOSAL": 10, "NEGOTIATION": 14}
    for row in books.rows("opportunities"):
        days, limit = books.age(row.stage_entered_at), limits.get(row.stage, 10**6)
        if days <= limit:
            continue
        people = user(row.owner_id) or {"ROLE:SALES_MGR"}
        if days > 2 * limit:
            people |= {"ROLE:SALES_MGR"}
        told_on = max(range(limit + 1, days + 1, 3))
        found["OPPORTUNITY_STAGE_TIMEOUT", "OPPORTUNITY", row.id] = told_on, HIGH if days > 1.5 * limit else NORMAL, people
    return found


def tickets(db: Connection, day: date) -> Told:
    books, found = Books(db, day), Told()
    limits = {"CONSULT": 3, "SURVEY": 5, "SOLUTION": 7, "QUOTATION": 5, "TENDER": 10, "MEETING": 3, "SITE_VISIT": 5, "OTHER": 5}
    shares = {"NORMAL": 1, "URGENT": 0.5, "VERY_URGENT": 0.25}
    for row in books.rows("presale_tickets"):
        if row.status not in ("PENDING", "ACCEPTED", "PROCESSING") or (row.deadline and row.deadline < row.created_at):
            continue
        age = books.age(row.created_at)
        limit: float = max(1, limits[row.ticket_type] * shares[row.urgency])
        if row.deadline:
            limit = age - books.age(row.deadline)
        people: set[str] = set()
        if age > limit:
            people |= user(row.assignee_id) or user(row.applicant_id) or {"ROLE:PRESALE"}
        if age > 2 * limit and row.assignee_id is not None:
            people.add(f"MGR:{row.assignee_id}")
        if row.status == "PENDING" and age >= 1:
            people.add("ROLE:PRESALE")
        if people:
            found["PRESALE_TICKET_TIMEOUT", "PRESALE_TICKET", row.id] = day, HIGH if age > 1.5 * limit else NORMAL, people
    return found
