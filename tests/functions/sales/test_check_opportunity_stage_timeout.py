"""Job 32 by the rulebook: boundaries of 9.2, and the defects it must not have."""

import pytest
from sqlalchemy import Connection

from shared.erp import tables
from tests.conftest import Perform
from tests.factories import Erp
from tests.functions.sales.waiting import STAGES, ago, opportunity

JOB = STAGES.job


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


CASES = [STAGES.case(8, lambda erp, day: opportunity(erp, -300, on=day))]


def test_it_is_told_on_the_day_after_the_limit_and_then_every_third_day(erp: Erp, db: Connection, perform: Perform) -> None:
    opportunity(erp, 7)
    counts = {}
    for offset in range(9):
        perform(JOB, STAGES.at(offset))
        counts[7 + offset] = len(STAGES.told(db))
    assert counts == {7: 0, 8: 1, 9: 1, 10: 1, 11: 2, 12: 2, 13: 2, 14: 3, 15: 3}


def test_the_clock_is_the_stages_own(erp: Erp, db: Connection, perform: Perform) -> None:
    """An edit does not reset it; a return to the stage does."""
    target = opportunity(erp, 9)
    perform(JOB, STAGES.at())
    table = tables.opportunities
    db.execute(table.update().values(est_amount=1, opp_name="改名").where(table.c.id == target))
    perform(JOB, STAGES.at(2))
    assert [m["facts"]["days"] for m in STAGES.told(db)] == [9, 11]
    db.execute(table.update().values(stage="DISCOVERY", stage_entered_at=ago(-3)).where(table.c.id == target))
    perform(JOB, STAGES.at(14))
    assert len(STAGES.told(db)) == 2
    db.execute(table.update().values(stage="QUALIFIED", stage_entered_at=ago(-14)).where(table.c.id == target))
    perform(JOB, STAGES.at(21))
    assert len(STAGES.told(db)) == 2
    perform(JOB, STAGES.at(22))
    assert [m["facts"]["days"] for m in STAGES.told(db)] == [9, 11, 8]


@pytest.mark.parametrize(("days", "more"), [(8, set()), (14, set()), (15, {"ROLE:SALES_MGR"})])
def test_the_owner_is_told_and_the_sales_managers_beyond_twice_the_limit(days: int, more: set[str], erp: Erp, db: Connection, perform: Perform) -> None:
    owner = erp.user("贾磊")
    opportunity(erp, days, owner_id=owner)
    perform(JOB, STAGES.at())
    assert STAGES.recipients(db) == {f"USER:{owner}"} | more


def test_without_an_owner_the_sales_managers_are_told(erp: Erp, db: Connection, perform: Perform) -> None:
    opportunity(erp, 8, owner_id=None)
    perform(JOB, STAGES.at())
    assert STAGES.recipients(db) == {"ROLE:SALES_MGR"}


def test_an_operators_limits_are_the_ones_that_count(erp: Erp, db: Connection, perform: Perform) -> None:
    opportunity(erp, 5)
    limits = {"DISCOVERY": 1, "QUALIFIED": 4, "PROPOSAL": 1, "NEGOTIATION": 1}
    perform(JOB, STAGES.at(), params={"limits": limits}, kind="manual")
    assert [m["facts"]["limit"] for m in STAGES.told(db)] == [4]
