"""What do both jobs promise that remind of what waits too long: opportunities in a stage, presale tickets?"""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import Erp
from tests.functions.sales.waiting import STAGES, TICKETS, Waiting, ago, opportunity, ticket

LIMITS = [
    *((STAGES, stage, days) for stage, days in {"DISCOVERY": 14, "QUALIFIED": 7, "PROPOSAL": 10, "NEGOTIATION": 14}.items()),
    *((TICKETS, kind, days) for kind, days in {
        "CONSULT": 3, "QUOTATION": 5, "SOLUTION": 7, "TENDER": 10, "SURVEY": 5, "MEETING": 3, "SITE_VISIT": 5, "OTHER": 5,
    }.items()),
]  # fmt: skip


@pytest.mark.parametrize(("waiting", "kind", "limit"), LIMITS)
def test_exactly_the_limit_is_silent_and_the_next_day_is_not(waiting: Waiting, kind: str, limit: int, db: Connection, perform: Perform) -> None:
    waiting.make(Erp(db), limit, kind)
    perform(waiting.job, waiting.at())
    assert waiting.told(db) == []
    perform(waiting.job, waiting.at(1))
    assert [(m["facts"]["days"], m["facts"]["limit"]) for m in waiting.told(db)] == [(limit + 1, limit)]
    assert kind in waiting.told(db)[0]["facts"].values()


@pytest.mark.parametrize(("waiting", "days", "kind", "severity"), [
    (STAGES, 11, "PROPOSAL", "INFO"), (STAGES, 15, "PROPOSAL", "INFO"), (STAGES, 16, "PROPOSAL", "WARNING"),
    (STAGES, 10, "QUALIFIED", "INFO"), (STAGES, 11, "QUALIFIED", "WARNING"), (STAGES, 90, "PROPOSAL", "WARNING"),
    (TICKETS, 11, "TENDER", "INFO"), (TICKETS, 15, "TENDER", "INFO"), (TICKETS, 16, "TENDER", "WARNING"), (TICKETS, 40, "TENDER", "WARNING"),
])  # fmt: skip
def test_exactly_one_and_a_half_times_the_limit_is_normal_and_more_is_high(
    waiting: Waiting, days: int, kind: str, severity: str, db: Connection, perform: Perform
) -> None:
    waiting.make(Erp(db), days, kind)
    perform(waiting.job, waiting.at())
    assert [m["severity"] for m in waiting.told(db)] == [severity]


@pytest.mark.parametrize(("waiting", "over"), [
    *((STAGES, {"stage": stage}) for stage in ("WON", "LOST", "ON_HOLD")),
    *((TICKETS, {"status": status}) for status in ("REVIEW", "COMPLETED", "CLOSED", "CANCELLED")),
])  # fmt: skip
def test_what_is_over_on_hold_or_in_review_is_not_counted(waiting: Waiting, over: dict[str, str], db: Connection, perform: Perform) -> None:
    waiting.make(Erp(db), 90, **over)
    assert perform(waiting.job, waiting.at())["counters"]["checked"] == 0
    assert waiting.told(db) == []


@pytest.mark.parametrize(("waiting", "limit"), [(STAGES, 7), (TICKETS, 3)])
def test_days_are_business_days_of_the_jobs_zone(waiting: Waiting, limit: int, db: Connection, perform: Perform) -> None:
    """23:50 in Shanghai and 00:10 the next day are two days, though both are one day in UTC."""
    waiting.make(Erp(db), limit + 1, clock="23:50", **{waiting.number: "NO-1"})
    waiting.make(Erp(db), limit, clock="00:10", **{waiting.number: "NO-2"})
    perform(waiting.job, waiting.at())
    assert [(m["facts"][waiting.number], m["facts"]["days"]) for m in waiting.told(db)] == [("NO-1", limit + 1)]


@pytest.mark.parametrize(("waiting", "make", "why"), [
    (STAGES, lambda erp: (opportunity(erp, -3, opp_code="NO-1"), opportunity(erp, -3, "WON")), "which has not come yet"),
    (TICKETS, lambda erp: ticket(erp, 8, ticket_no="NO-1", deadline=ago(9)), "to be done by 2026-02-21"),
])  # fmt: skip
def test_a_stage_of_the_future_and_a_deadline_before_the_ticket_cannot_be_judged(
    waiting: Waiting, make: Callable[[Erp], object], why: str, db: Connection, perform: Perform
) -> None:
    make(Erp(db))
    assert perform(waiting.job, waiting.at())["state"] == "partial"
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert item[:3] == (waiting.item, "NO-1", "failed")
    assert why in item.error
    assert waiting.told(db) == []
