"""Job 33 by the rulebook: boundaries of 9.2, and the defects it must not have."""

import pytest
from sqlalchemy import Connection

from tests.conftest import Perform
from tests.factories import Erp
from tests.functions.sales.waiting import TICKETS, ago, ticket

JOB = TICKETS.job


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


CASES = [TICKETS.case(4, lambda erp, day: ticket(erp, 8, on=day, deadline=ago(9, on=day)))]


@pytest.mark.parametrize(("kind", "urgency", "limit"), [("TENDER", "URGENT", 5), ("TENDER", "VERY_URGENT", 2.5), ("CONSULT", "URGENT", 1.5), ("CONSULT", "VERY_URGENT", 1)])
def test_urgent_tickets_have_a_half_or_a_quarter_of_the_time_and_never_less_than_a_day(
    kind: str, urgency: str, limit: float, erp: Erp, db: Connection, perform: Perform
) -> None:
    ticket(erp, int(limit), kind, urgency=urgency)
    perform(JOB, TICKETS.at())
    assert TICKETS.told(db) == []
    perform(JOB, TICKETS.at(1))
    assert [m["facts"]["limit"] for m in TICKETS.told(db)] == [limit]


@pytest.mark.parametrize(("age", "deadline", "late"), [(2, 1, True), (2, 0, False), (30, 0, False), (30, 1, True), (30, -5, False), (0, 0, False)])
def test_a_deadline_of_its_own_wins_over_the_limit(age: int, deadline: int, late: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    """`deadline` is how many days ago it was."""
    ticket(erp, age, urgency="VERY_URGENT", deadline=ago(deadline, "18:00"))
    perform(JOB, TICKETS.at())
    assert [m["facts"]["late"] for m in TICKETS.told(db)] == ([True] if late else [])


def test_a_late_ticket_is_told_every_day_and_once_a_day(erp: Erp, db: Connection, perform: Perform) -> None:
    ticket(erp, 4)
    for offset in range(3):
        perform(JOB, TICKETS.at(offset))
        perform(JOB, TICKETS.at(offset), kind="manual")
    assert [m["facts"]["days"] for m in TICKETS.told(db)] == [4, 5, 6]


# ---------------------------------------------------------------- whom
@pytest.mark.parametrize(("days", "manager"), [(4, False), (6, False), (7, True)])
def test_the_assignee_is_told_and_the_assignees_manager_beyond_twice_the_limit(days: int, manager: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    assignee = erp.user("丁宁")
    ticket(erp, days, assignee_id=assignee)
    perform(JOB, TICKETS.at())
    assert TICKETS.recipients(db) == {f"USER:{assignee}"} | ({f"MGR:{assignee}"} if manager else set())


def test_without_an_assignee_the_applicant_is_told_and_without_both_presales(erp: Erp, db: Connection, perform: Perform) -> None:
    applicant = erp.user("贾磊")
    ticket(erp, 20, assignee_id=None, applicant_id=applicant)
    perform(JOB, TICKETS.at())
    assert TICKETS.recipients(db) == {f"USER:{applicant}"}
    ticket(erp, 20, assignee_id=None, applicant_id=None)
    perform(JOB, TICKETS.at(1))
    assert TICKETS.recipients(db) == {f"USER:{applicant}", "ROLE:PRESALE"}


def test_a_ticket_that_nobody_took_is_told_to_presales_after_a_day(erp: Erp, db: Connection, perform: Perform) -> None:
    applicant = erp.user("贾磊")
    ticket(erp, 0, "TENDER", status="PENDING", assignee_id=None, applicant_id=applicant)
    perform(JOB, TICKETS.at())
    assert TICKETS.told(db) == []
    perform(JOB, TICKETS.at(1))
    assert [(m["severity"], m["facts"]["late"], m["facts"]["untaken"]) for m in TICKETS.told(db)] == [("INFO", False, True)]
    assert TICKETS.recipients(db) == {"ROLE:PRESALE"}
    perform(JOB, TICKETS.at(11))
    assert TICKETS.recipients(db) == {"ROLE:PRESALE", f"USER:{applicant}"}
