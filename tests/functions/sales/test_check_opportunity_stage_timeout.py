"""Job 32 by the rulebook: boundaries of 9.2, and the defects it must not have."""

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

JOB = "check_opportunity_stage_timeout"
TYPE = "OPPORTUNITY_STAGE_TIMEOUT"


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def at(offset: int = 0) -> str:
    return f"{TODAY + timedelta(days=offset)}T15:30+08:00"


def entered(days: int, clock: str = "10:00", *, on: date = TODAY) -> datetime:
    return datetime.combine(on - timedelta(days=days), time.fromisoformat(clock), ZoneInfo("Asia/Shanghai"))


def opportunity(erp: Erp, days: int, stage: str = "QUALIFIED", *, on: date = TODAY, **columns: Any) -> int:
    return erp.opportunity(stage=stage, stage_entered_at=entered(days, on=on), **columns)


def told(db: Connection) -> list[Any]:
    return [m for m in messages(db) if m["type"] == TYPE]


def recipients(db: Connection) -> set[str]:
    return set(db.execute(text("select unnest(recipients) from belfry.notifications where type = :t"), {"t": TYPE}).scalars())


def _spoil(erp: Erp, day: date) -> str:
    opportunity(erp, -300, on=day)
    return "OPPORTUNITY"


CASES = [RowsJob(
    JOB, clock="15:30",
    arrange=lambda erp, day: opportunity(erp, 8, on=day),
    multiply=copies_of(tables.opportunities, "opp_code"),
    made=lambda db: [m["dedupe_key"] for m in told(db)],
    spoil=_spoil,
)]  # fmt: skip


@pytest.mark.parametrize(("stage", "limit"), [("DISCOVERY", 14), ("QUALIFIED", 7), ("PROPOSAL", 10), ("NEGOTIATION", 14)])
def test_exactly_the_limit_of_a_stage_is_silent_and_the_next_day_is_not(stage: str, limit: int, erp: Erp, db: Connection, perform: Perform) -> None:
    opportunity(erp, limit, stage)
    perform(JOB, at())
    assert told(db) == []
    perform(JOB, at(1))
    assert [(m["facts"]["days"], m["facts"]["limit"], m["facts"]["stage"]) for m in told(db)] == [(limit + 1, limit, stage)]


@pytest.mark.parametrize("stage", ["WON", "LOST", "ON_HOLD"])
def test_opportunities_that_are_over_or_on_hold_are_silent(stage: str, erp: Erp, db: Connection, perform: Perform) -> None:
    opportunity(erp, 90, stage)
    assert perform(JOB, at())["counters"]["checked"] == 0
    assert told(db) == []


@pytest.mark.parametrize(("days", "stage", "severity"), [
    (11, "PROPOSAL", "INFO"), (15, "PROPOSAL", "INFO"), (16, "PROPOSAL", "WARNING"), (10, "QUALIFIED", "INFO"), (11, "QUALIFIED", "WARNING"), (90, "PROPOSAL", "WARNING"),
])
def test_exactly_one_and_a_half_times_the_limit_is_normal_and_more_is_high(days: int, stage: str, severity: str, erp: Erp, db: Connection, perform: Perform) -> None:
    opportunity(erp, days, stage)
    perform(JOB, at())
    assert [m["severity"] for m in told(db)] == [severity]


def test_it_is_told_on_the_day_after_the_limit_and_then_every_third_day(erp: Erp, db: Connection, perform: Perform) -> None:
    opportunity(erp, 7)
    counts = {}
    for offset in range(9):
        perform(JOB, at(offset))
        counts[7 + offset] = len(told(db))
    assert counts == {7: 0, 8: 1, 9: 1, 10: 1, 11: 2, 12: 2, 13: 2, 14: 3, 15: 3}


def test_the_clock_is_the_stages_own(erp: Erp, db: Connection, perform: Perform) -> None:
    """An edit does not reset it; a return to the stage does."""
    target = opportunity(erp, 9)
    perform(JOB, at())
    table = tables.opportunities
    db.execute(table.update().values(est_amount=1, opp_name="改名").where(table.c.id == target))
    perform(JOB, at(2))
    assert [m["facts"]["days"] for m in told(db)] == [9, 11]
    db.execute(table.update().values(stage="DISCOVERY", stage_entered_at=entered(-3)).where(table.c.id == target))
    perform(JOB, at(14))
    assert len(told(db)) == 2
    db.execute(table.update().values(stage="QUALIFIED", stage_entered_at=entered(-14)).where(table.c.id == target))
    perform(JOB, at(21))
    assert len(told(db)) == 2
    perform(JOB, at(22))
    assert [m["facts"]["days"] for m in told(db)] == [9, 11, 8]


def test_days_are_business_days_of_the_jobs_zone(erp: Erp, db: Connection, perform: Perform) -> None:
    """23:50 in Shanghai and 00:10 the next day are two days, though both are one day in UTC."""
    erp.opportunity(opp_code="OP-1", stage="QUALIFIED", stage_entered_at=entered(8, "23:50"))
    erp.opportunity(opp_code="OP-2", stage="QUALIFIED", stage_entered_at=entered(7, "00:10"))
    perform(JOB, at())
    assert [(m["facts"]["opp_code"], m["facts"]["days"]) for m in told(db)] == [("OP-1", 8)]


@pytest.mark.parametrize(("days", "more"), [(8, set()), (14, set()), (15, {"ROLE:SALES_MGR"})])
def test_the_owner_is_told_and_the_sales_managers_beyond_twice_the_limit(days: int, more: set[str], erp: Erp, db: Connection, perform: Perform) -> None:
    owner = erp.user("贾磊")
    opportunity(erp, days, owner_id=owner)
    perform(JOB, at())
    assert recipients(db) == {f"USER:{owner}"} | more


def test_without_an_owner_the_sales_managers_are_told(erp: Erp, db: Connection, perform: Perform) -> None:
    opportunity(erp, 8, owner_id=None)
    perform(JOB, at())
    assert recipients(db) == {"ROLE:SALES_MGR"}


def test_an_operators_limits_are_the_ones_that_count(erp: Erp, db: Connection, perform: Perform) -> None:
    opportunity(erp, 5)
    limits = {"DISCOVERY": 1, "QUALIFIED": 4, "PROPOSAL": 1, "NEGOTIATION": 1}
    perform(JOB, at(), params={"limits": limits}, kind="manual")
    assert [m["facts"]["limit"] for m in told(db)] == [4]


def test_a_stage_that_begins_in_the_future_cannot_be_judged(erp: Erp, db: Connection, perform: Perform) -> None:
    opportunity(erp, -3, opp_code="OP-1")
    opportunity(erp, -3, "WON")
    assert perform(JOB, at())["state"] == "partial"
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert item[:3] == ("OPPORTUNITY", "OP-1", "failed")
    assert "which has not come yet" in item.error
