"""Job 16 by the rulebook: boundaries of 9.2, and what its alerts say."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from shared.erp import production_plans, tables
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.shared.rules.production_cases import ELAPSED, PLANS

JOB = "check_production_plan_alerts"
ELEVEN = "2026-03-02T11:00+08:00"
NEXT_ELEVEN = "2026-03-03T11:00+08:00"


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def levels(db: Connection) -> dict[int, str]:
    rows = db.execute(text("select target_id, alert_level from belfry.alert_records where status = 'PENDING'"))
    return {row.target_id: row.alert_level for row in rows}


# ---------------------------------------------------------------- what every job promises
def _violate(erp: Erp, first: date) -> int:
    """Near its end from that day on: seven days left, 79 %."""
    return erp.production_plan(plan_start_date=first - timedelta(20), plan_end_date=first + timedelta(7), progress=70)


def _clear(db: Connection, target: int) -> None:
    db.execute(text("update erp.production_plans set progress = 95 where id = :p"), {"p": target})


def _worsen(db: Connection, target: int) -> None:
    db.execute(text("update erp.production_plans set progress = 10 where id = :p"), {"p": target})


def _spoil(erp: Erp, first: date) -> str:
    erp.production_plan(plan_start_date=first, plan_end_date=first - timedelta(1))
    return "PRODUCTION_PLAN"


CASES = [AlertJob(
    JOB, "PRODUCTION_PLAN", clock="11:00", violate=_violate, clear=_clear, worsen=_worsen, spoil=_spoil,
    multiply=copies_of(tables.production_plans, "plan_no"),
)]


# ---------------------------------------------------------------- levels
@pytest.mark.parametrize(("status", "progress", "start", "end", "level"), PLANS)
def test_levels_by_the_end_and_by_the_line(status: str, progress: int, start: int, end: int, level: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    target = erp.production_plan(status=status, progress=progress, plan_start_date=day(start), plan_end_date=day(end))
    perform(JOB, ELEVEN)
    assert levels(db) == ({target: level} if level else {})


def test_the_time_that_has_passed_is_the_rules_in_every_case(erp: Erp, db: Connection) -> None:
    plans = {
        erp.production_plan(plan_start_date=day(start), plan_end_date=day(end)): Decimal(percent) for start, end, percent in ELAPSED
    }
    assert dict(db.execute(select(tables.production_plans.c.id, production_plans.elapsed(TODAY))).all()) == plans


def test_79_percent_with_7_days_left_warns_and_80_does_not(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2, job 16"""
    near, enough = (erp.production_plan(plan_start_date=day(-30), plan_end_date=day(7), progress=p) for p in (79, 80))
    perform(JOB, ELEVEN)
    assert levels(db) == {near: "WARNING"}
    assert enough not in levels(db)


def test_a_plan_that_ended_yesterday_is_critical(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2, job 16"""
    target = erp.production_plan(plan_start_date=day(-30), plan_end_date=day(-1), progress=79)
    perform(JOB, ELEVEN)
    assert levels(db) == {target: "CRITICAL"}


def test_a_plan_without_progress_has_none(erp: Erp, db: Connection, perform: Perform) -> None:
    target = erp.production_plan(plan_start_date=day(-30), plan_end_date=day(0), progress=None)
    perform(JOB, ELEVEN)
    assert levels(db) == {target: "CRITICAL"}
    assert db.execute(text("select trigger_value from belfry.alert_records")).scalar_one() == 0


@pytest.mark.parametrize("status", ["DRAFT", "SUBMITTED", "APPROVED", "COMPLETED", "CANCELLED"])
def test_only_running_plans_are_judged(status: str, erp: Erp, db: Connection, perform: Perform) -> None:
    erp.production_plan(status=status, plan_start_date=day(-60), plan_end_date=day(-30))
    assert perform(JOB, ELEVEN)["counters"]["checked"] == 0
    assert levels(db) == {}


@pytest.mark.parametrize("columns", [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}])
def test_plans_of_projects_that_are_over_concern_nobody(columns: dict[str, Any], erp: Erp, db: Connection, perform: Perform) -> None:
    erp.production_plan(plan_end_date=day(-30), project_id=erp.project(**columns), plan_start_date=day(-60))
    own = erp.production_plan(plan_end_date=day(-30), project_id=None, plan_start_date=day(-60))
    perform(JOB, ELEVEN)
    assert levels(db) == {own: "URGENT"}


@pytest.mark.parametrize(("columns", "reason"), [
    ({"plan_start_date": day(3), "plan_end_date": day(2)}, "planned from 2026-03-05 to 2026-03-04"),
    ({"progress": -5, "plan_end_date": day(2)}, "progress is -5"),
])
def test_a_plan_that_contradicts_itself_is_listed(columns: dict[str, Any], reason: str, erp: Erp, db: Connection, perform: Perform) -> None:
    erp.production_plan(plan_no="PP-BAD", **columns)
    assert perform(JOB, ELEVEN)["state"] == "partial"
    item = db.execute(text("select item_type, item_key, error from belfry.execution_items")).one()
    assert item == ("PRODUCTION_PLAN", "PP-BAD", reason)


def test_the_alert_names_who_can_help_and_how_far_behind(erp: Erp, db: Connection, perform: Perform) -> None:
    owner, foreman, manager = erp.user("何静"), erp.user("吴刚"), erp.user("李强")
    target = erp.production_plan(
        plan_no="PP-1", plan_name="三月总装", owner_id=owner, workshop_id=erp.workshop(manager_id=foreman, workshop_name="总装车间"),
        project_id=erp.project(pm_id=manager, project_code="PJ-1", project_name="上料线"), plan_start_date=day(-20),
        plan_end_date=day(5), progress="62.5",
    )
    milder = erp.production_plan(plan_start_date=day(-50), plan_end_date=day(50), progress=35)
    worse = erp.production_plan(plan_start_date=day(-50), plan_end_date=day(50), progress=0)
    perform(JOB, ELEVEN)
    rows = {row.target_id: row for row in db.execute(text("select * from belfry.alert_records"))}
    assert rows[target].recipients == [f"USER:{owner}", f"USER:{foreman}", f"USER:{manager}"]
    assert rows[target].facts == {
        "project_code": "PJ-1", "project_name": "上料线", "workshop_name": "总装车间", "owner": "何静", "status": "EXECUTING",
        "plan_start": "2026-02-10", "plan_end": "2026-03-07", "days_late": -5, "days_since_start": 20, "progress": 62.5, "expected": 80,
        "behind": 17.5, "near_end": True, "off_line": True,
    }
    assert (rows[target].trigger_value, rows[target].threshold_value) == (62.5, 80)
    assert "ROLE:PROD" not in rows[milder].recipients
    assert "ROLE:PROD" in rows[worse].recipients


def test_a_finished_plan_ends_its_alert_and_a_cancelled_one_expires_it(erp: Erp, db: Connection, perform: Perform) -> None:
    finished, cancelled = (erp.production_plan(plan_start_date=day(-30), plan_end_date=day(-1)) for _ in range(2))
    perform(JOB, ELEVEN)
    for target, status in ((finished, "COMPLETED"), (cancelled, "CANCELLED")):
        db.execute(text("update erp.production_plans set status = :s where id = :p"), {"s": status, "p": target})
    perform(JOB, NEXT_ELEVEN)
    ends = db.execute(text("select target_id, status from belfry.alert_records"))
    assert {row.target_id: row.status for row in ends} == {finished: "RESOLVED", cancelled: "EXPIRED"}
