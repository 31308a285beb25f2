"""Over random rows and several days, the jobs of sales and receivables say what the rulebook says, and nothing else."""

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.oracles import sales as oracle

SEEDS = [1, 2]
DAYS = [TODAY + timedelta(days=n) for n in (0, 1, 2, 5)]


@pytest.fixture(params=SEEDS)
def books(request: pytest.FixtureRequest, db: Connection) -> Connection:
    oracle.generate(Erp(db), random.Random(request.param), TODAY)
    return db


def messages(db: Connection) -> dict[str, Any]:
    return {row.dedupe_key: row for row in db.execute(text("select * from belfry.notifications where type not like 'DIGEST%'"))}


def days_agree(perform: Perform, db: Connection, job: str, clock: str, expected: Callable[[Connection, date], oracle.Told]) -> int:
    """Day by day, what is told anew is what the rulebook says and nobody has been told yet; how many in all."""
    done: set[Any] = set()
    for day in DAYS:
        before = messages(db)
        perform(job, f"{day}T{clock}+08:00")
        told = {
            (row.type, key.split("|")[1], int(key.split("|")[2])): (row.severity, set(row.recipients))
            for key, row in messages(db).items() if key not in before
        }
        due = {what: said for what, said in expected(db, day).items() if (what, said[0]) not in done}
        assert told == {what: (severity, people) for what, (_, severity, people) in due.items()}
        done |= {(what, said[0]) for what, said in due.items()}
    return len(done)


def test_overdue_receivables(books: Connection, perform: Perform) -> None:
    query = text("""select a.target_id, a.base_level, a.recipients, a.facts from belfry.alert_records a
        join belfry.alert_rules r on r.id = a.rule_id where r.rule_code = 'OVERDUE_RECEIVABLE' and a.status = 'PENDING'""")
    for day in DAYS:
        perform("check_overdue_receivable_alerts", f"{day}T10:30+08:00")
        expected = oracle.receivables(books, day)
        found = {row.target_id: (row.base_level, set(row.recipients), row.facts["unpaid"]) for row in books.execute(query)}
        assert found == {invoice: (level, people, float(owed)) for invoice, (level, people, owed) in expected.items()}
        assert {level for level, *_ in expected.values()} == set(oracle.LEVELS)
    items = set(books.execute(text("select item_key from belfry.execution_items where status = 'failed'")).scalars())
    assert items == oracle.unjudgeable_invoices(books, TODAY)


def test_payments_near(books: Connection, perform: Perform) -> None:
    assert days_agree(perform, books, "check_payment_reminder", "09:30", oracle.payments_near) > 40


def test_sales_reminders(books: Connection, perform: Perform) -> None:
    def expected(db: Connection, day: date) -> oracle.Told:
        return oracle.reminders(db, datetime.fromisoformat(f"{day}T09:00+08:00"))

    assert days_agree(perform, books, "sales_reminder_scan", "09:00", expected) > 300
    types = set(books.execute(text("select distinct type from belfry.notifications")).scalars())
    assert len(types) == 8


def test_opportunity_stages(books: Connection, perform: Perform) -> None:
    assert days_agree(perform, books, "check_opportunity_stage_timeout", "15:30", oracle.opportunities) > 60


def test_presale_tickets(books: Connection, perform: Perform) -> None:
    assert days_agree(perform, books, "check_presale_workorder_timeout", "16:00", oracle.tickets) > 200
