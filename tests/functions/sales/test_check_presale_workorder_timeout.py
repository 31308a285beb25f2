"""Job 33 by the rulebook: boundaries of 9.2, and the defects it must not have."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance import RowsJob, copies_of
from tests.conftest import Perform
from tests.evidence import messages
from tests.factories import TODAY, Erp

JOB = "check_presale_workorder_timeout"
TYPE = "PRESALE_TICKET_TIMEOUT"


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def at(offset: int = 0) -> str:
    return f"{TODAY + timedelta(days=offset)}T16:00+08:00"


def made(days: int, clock: str = "10:00", *, on: date = TODAY) -> datetime:
    return datetime.combine(on - timedelta(days=days), time.fromisoformat(clock), ZoneInfo("Asia/Shanghai"))


def ticket(erp: Erp, days: int, kind: str = "CONSULT", *, on: date = TODAY, **columns: Any) -> int:
    return erp.presale_ticket(**{"ticket_type": kind, "status": "PROCESSING", "created_at": made(days, on=on)} | columns)


def told(db: Connection) -> list[Any]:
    return [m for m in messages(db) if m["type"] == TYPE]


def recipients(db: Connection) -> set[str]:
    return set(db.execute(text("select unnest(recipients) from belfry.notifications where type = :t"), {"t": TYPE}).scalars())


def _spoil(erp: Erp, day: date) -> str:
    ticket(erp, 8, on=day, deadline=made(9, on=day))
    return "PRESALE_TICKET"


CASES = [RowsJob(
    JOB, clock="16:00",
    arrange=lambda erp, day: ticket(erp, 4, on=day),
    multiply=copies_of(tables.presale_tickets, "ticket_no"),
    made=lambda db: [m["dedupe_key"] for m in told(db)],
    spoil=_spoil,
)]  # fmt: skip


@pytest.mark.parametrize(("kind", "limit"), [
    ("CONSULT", 3), ("QUOTATION", 5), ("SOLUTION", 7), ("TENDER", 10), ("SURVEY", 5), ("MEETING", 3), ("SITE_VISIT", 5), ("OTHER", 5),
])
def test_exactly_the_limit_of_a_kind_is_silent_and_the_next_day_is_not(kind: str, limit: int, erp: Erp, db: Connection, perform: Perform) -> None:
    """A tender: 10 days, none; 11 days, told."""
    ticket(erp, limit, kind)
    perform(JOB, at())
    assert told(db) == []
    perform(JOB, at(1))
    assert [(m["facts"]["days"], m["facts"]["limit"]) for m in told(db)] == [(limit + 1, limit)]


@pytest.mark.parametrize(("days", "severity"), [(11, "INFO"), (15, "INFO"), (16, "WARNING"), (40, "WARNING")])
def test_exactly_one_and_a_half_times_the_limit_is_normal_and_more_is_high(days: int, severity: str, erp: Erp, db: Connection, perform: Perform) -> None:
    ticket(erp, days, "TENDER")
    perform(JOB, at())
    assert [m["severity"] for m in told(db)] == [severity]


@pytest.mark.parametrize(("kind", "urgency", "limit"), [("TENDER", "URGENT", 5), ("TENDER", "VERY_URGENT", 2.5), ("CONSULT", "URGENT", 1.5), ("CONSULT", "VERY_URGENT", 1)])
def test_urgent_tickets_have_a_half_or_a_quarter_of_the_time_and_never_less_than_a_day(
    kind: str, urgency: str, limit: float, erp: Erp, db: Connection, perform: Perform
) -> None:
    ticket(erp, int(limit), kind, urgency=urgency)
    perform(JOB, at())
    assert told(db) == []
    perform(JOB, at(1))
    assert [m["facts"]["limit"] for m in told(db)] == [limit]


@pytest.mark.parametrize(("age", "deadline", "late"), [(2, 1, True), (2, 0, False), (30, 0, False), (30, 1, True), (30, -5, False), (0, 0, False)])
def test_a_deadline_of_its_own_wins_over_the_limit(age: int, deadline: int, late: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    """`deadline` is how many days ago it was."""
    ticket(erp, age, urgency="VERY_URGENT", deadline=made(deadline, "18:00"))
    perform(JOB, at())
    assert [m["facts"]["late"] for m in told(db)] == ([True] if late else [])


@pytest.mark.parametrize("status", ["REVIEW", "COMPLETED", "CLOSED", "CANCELLED"])
def test_review_and_what_is_over_are_not_counted(status: str, erp: Erp, db: Connection, perform: Perform) -> None:
    ticket(erp, 40, status=status)
    assert perform(JOB, at())["counters"]["checked"] == 0
    assert told(db) == []


def test_a_late_ticket_is_told_every_day_and_once_a_day(erp: Erp, db: Connection, perform: Perform) -> None:
    ticket(erp, 4)
    for offset in range(3):
        perform(JOB, at(offset))
        perform(JOB, at(offset), kind="manual")
    assert [m["facts"]["days"] for m in told(db)] == [4, 5, 6]


def test_days_are_calendar_days_of_the_jobs_zone(erp: Erp, db: Connection, perform: Perform) -> None:
    ticket(erp, 0, ticket_no="PS-1", created_at=made(4, "23:50"))
    ticket(erp, 0, ticket_no="PS-2", created_at=made(3, "00:10"))
    perform(JOB, at())
    assert [(m["facts"]["ticket_no"], m["facts"]["days"]) for m in told(db)] == [("PS-1", 4)]


# ---------------------------------------------------------------- whom
@pytest.mark.parametrize(("days", "manager"), [(4, False), (6, False), (7, True)])
def test_the_assignee_is_told_and_the_assignees_manager_beyond_twice_the_limit(days: int, manager: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    assignee = erp.user("丁宁")
    ticket(erp, days, assignee_id=assignee)
    perform(JOB, at())
    assert recipients(db) == {f"USER:{assignee}"} | ({f"MGR:{assignee}"} if manager else set())


def test_without_an_assignee_the_applicant_is_told_and_without_both_presales(erp: Erp, db: Connection, perform: Perform) -> None:
    applicant = erp.user("贾磊")
    ticket(erp, 20, assignee_id=None, applicant_id=applicant)
    perform(JOB, at())
    assert recipients(db) == {f"USER:{applicant}"}
    ticket(erp, 20, assignee_id=None, applicant_id=None)
    perform(JOB, at(1))
    assert recipients(db) == {f"USER:{applicant}", "ROLE:PRESALE"}


def test_a_ticket_that_nobody_took_is_told_to_presales_after_a_day(erp: Erp, db: Connection, perform: Perform) -> None:
    applicant = erp.user("贾磊")
    ticket(erp, 0, "TENDER", status="PENDING", assignee_id=None, applicant_id=applicant)
    perform(JOB, at())
    assert told(db) == []
    perform(JOB, at(1))
    assert [(m["severity"], m["facts"]["late"], m["facts"]["untaken"]) for m in told(db)] == [("INFO", False, True)]
    assert recipients(db) == {"ROLE:PRESALE"}
    perform(JOB, at(11))
    assert recipients(db) == {"ROLE:PRESALE", f"USER:{applicant}"}


def test_a_ticket_that_is_due_before_it_was_made_cannot_be_judged(erp: Erp, db: Connection, perform: Perform) -> None:
    ticket(erp, 8, ticket_no="PS-1", deadline=made(9))
    assert perform(JOB, at())["state"] == "partial"
    item = db.execute(text("select item_type, item_key, status from belfry.execution_items")).one()
    assert item == ("PRESALE_TICKET", "PS-1", "failed")
    assert told(db) == []
