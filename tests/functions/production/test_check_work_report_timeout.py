"""Job 17 by the rulebook: boundaries of 9.2, and the defects D-21, D-41 and D-42 that it must not have."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.factories import Erp

JOB = "check_work_report_timeout"
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def at(words: str) -> datetime:
    return datetime.fromisoformat(words).replace(tzinfo=SHANGHAI)


def levels(db: Connection) -> dict[int, str]:
    rows = db.execute(text("select target_id, alert_level from belfry.alert_records where status = 'PENDING'"))
    return {row.target_id: row.alert_level for row in rows}


def started(erp: Erp, since: str, **columns: Any) -> int:
    return erp.work_order(status="STARTED", actual_start_time=at(since), **columns)


# ---------------------------------------------------------------- what every job promises
def _violate(erp: Erp, first: date) -> int:
    """Assigned, and planned for two workdays before: 28 February 2026 is a make-up workday, 1 March a Sunday."""
    return erp.work_order(status="ASSIGNED", plan_start_date=first - timedelta(3))


def _clear(db: Connection, target: int) -> None:
    db.execute(text("update erp.work_orders set status = 'COMPLETED' where id = :o"), {"o": target})


def _worsen(db: Connection, target: int) -> None:
    db.execute(text("update erp.work_orders set status = 'STARTED', actual_start_time = '2026-02-25' where id = :o"), {"o": target})


def _spoil(erp: Erp, first: date) -> str:
    erp.work_order(status="STARTED", actual_start_time=None)
    return "WORK_ORDER"


CASES = [AlertJob(
    JOB, "WORK_REPORT_TIMEOUT", clock="09:00", violate=_violate, clear=_clear, worsen=_worsen, spoil=_spoil,
    multiply=copies_of(tables.work_orders, "work_order_no"),
)]


# ---------------------------------------------------------------- started orders
@pytest.mark.parametrize(("now", "level"), [
    ("2026-03-09T10:00", None), ("2026-03-09T18:00", None), ("2026-03-09T18:01", "WARNING"), ("2026-03-10T18:01", "WARNING"),
    ("2026-03-11T18:00", "WARNING"), ("2026-03-11T18:01", "CRITICAL"),
])
def test_a_report_on_friday_evening_is_old_on_monday_evening(now: str, level: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2, job 17: only the hours of workdays count."""
    target = started(erp, "2026-03-01T08:00")
    erp.work_report(target, at("2026-03-06T18:00"))
    perform(JOB, f"{now}+08:00", kind="manual")
    assert levels(db) == ({target: level} if level else {})


@pytest.mark.parametrize(("since", "now", "level"), [
    ("2026-02-27T09:00", "2026-02-28T09:01", "WARNING"),    # a Saturday that is worked (make-up day)
    ("2026-02-28T09:00", "2026-03-02T08:59", None),         # and the Sunday after it
    ("2026-02-13T18:00", "2026-02-24T17:00", "WARNING"),    # the Spring Festival rests, its Saturday before is worked
    ("2026-02-14T18:00", "2026-02-24T17:00", None),
    ("2026-03-01T12:00", "2026-03-02T23:59", None),         # begun on a Sunday: counts from Monday
    ("2026-03-01T12:00", "2026-03-03T00:01", "WARNING"),
    ("2026-03-02T22:00", "2026-03-03T06:00", None),         # a night shift is one interval
    ("2016-03-02T22:00", "2026-03-03T06:00", "CRITICAL"),
    ("2026-03-05T22:00", "2026-03-03T06:00", None),         # begins in the future, by its own word
])
def test_holidays_rest_and_make_up_days_count(since: str, now: str, level: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    target = started(erp, since)
    perform(JOB, f"{now}+08:00", kind="manual")
    assert levels(db) == ({target: level} if level else {})


@pytest.mark.parametrize(("status", "level"), [("STARTED", "CRITICAL"), ("PAUSED", None), ("PENDING", None), ("COMPLETED", None), ("APPROVED", None), ("CANCELLED", None)])
def test_started_orders_are_watched_and_paused_ones_are_not(status: str, level: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    """D-41: upstream looked for a status that no order has."""
    target = erp.work_order(status=status, actual_start_time=at("2026-02-20T08:00"))
    perform(JOB)
    assert levels(db) == ({target: level} if level else {})


def test_the_last_report_counts_whatever_became_of_it(erp: Erp, db: Connection, perform: Perform) -> None:
    target = started(erp, "2026-02-20T08:00")
    for status, when in (("APPROVED", "2026-02-24T10:00"), ("REJECTED", "2026-02-28T08:59"), ("PENDING", "2026-03-09T10:00")):
        erp.work_report(target, at(when), status=status)
    perform(JOB)  # Monday 09:00: a day and a minute of workdays since the rejected one; the last one is yet to come
    assert levels(db) == {target: "WARNING"}


def test_a_new_report_ends_the_alert_in_the_next_hour(erp: Erp, db: Connection, perform: Perform) -> None:
    target = started(erp, "2026-02-26T08:00")
    perform(JOB)
    erp.work_report(target, at("2026-03-02T09:30"))
    assert perform(JOB, "2026-03-02T10:00+08:00")["counters"]["resolved"] == 1
    assert levels(db) == {}


def test_an_alert_changes_once_a_day_and_not_every_hour(erp: Erp, db: Connection, perform: Perform) -> None:
    started(erp, "2026-02-27T08:00")
    perform(JOB, "2026-03-02T09:00+08:00")
    assert perform(JOB, "2026-03-02T10:00+08:00")["counters"]["updated"] == 0
    assert perform(JOB, "2026-03-03T09:00+08:00")["counters"]["updated"] == 1


# ---------------------------------------------------------------- assigned orders
@pytest.mark.parametrize(("start", "level"), [
    ("2026-03-06", None), ("2026-03-05", None), ("2026-03-04", "INFO"), ("2026-01-05", "INFO"), (None, None), ("2026-03-20", None),
])
def test_an_assigned_order_that_nobody_begins(start: str | None, level: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    target = erp.work_order(status="ASSIGNED", plan_start_date=start and date.fromisoformat(start))
    perform(JOB, "2026-03-06T09:00+08:00")  # a Friday
    assert levels(db) == ({target: level} if level else {})


def test_a_weekend_does_not_make_a_start_late(erp: Erp, db: Connection, perform: Perform) -> None:
    target = erp.work_order(status="ASSIGNED", plan_start_date=date(2026, 3, 6))
    perform(JOB, "2026-03-09T09:00+08:00")  # Monday: one workday past
    assert levels(db) == {}
    perform(JOB, "2026-03-10T09:00+08:00")
    assert levels(db) == {target: "INFO"}


def test_an_assigned_order_with_a_start_report_is_a_data_defect(erp: Erp, db: Connection, perform: Perform) -> None:
    target = erp.work_order(status="ASSIGNED", plan_start_date=date(2026, 2, 2), work_order_no="WO-X")
    erp.work_report(target, at("2026-02-03T10:00"), report_type="START")
    answer = perform(JOB)
    assert (answer["state"], answer["counters"]["data_defects"], levels(db)) == ("succeeded", 1, {})
    assert db.execute(text("select item_key, error from belfry.execution_items")).one() == ("WO-X", "work has begun, and the order is still ASSIGNED")


# ---------------------------------------------------------------- who is told
def test_the_worker_and_the_workshop_are_told(erp: Erp, db: Connection, perform: Perform) -> None:
    foreman, person = erp.user("吴刚"), erp.user("郑浩")
    shop = erp.workshop(manager_id=foreman, workshop_name="总装车间")
    target = started(erp, "2026-02-27T08:00", workshop_id=shop, assigned_worker_id=erp.worker(user_id=person, worker_name="郑浩"),
                     project_id=erp.project(project_code="PJ-1", project_name="上料线"))
    nobody = started(erp, "2026-02-27T08:00", workshop_id=shop, assigned_worker_id=erp.worker(user_id=None))
    perform(JOB)
    rows = {row.target_id: row for row in db.execute(text("select * from belfry.alert_records"))}
    assert rows[target].recipients == [f"USER:{person}", f"USER:{foreman}"]
    assert rows[nobody].recipients == [f"USER:{foreman}"]
    assert rows[target].facts == {
        "status": "STARTED", "since": "2026-02-27T00:00:00+00:00", "reported": False, "days_silent": 2, "plan_start": "2026-03-02",
        "days_waiting": None, "worker": "郑浩", "workshop_name": "总装车间", "project_code": "PJ-1", "project_name": "上料线",
    }
    assert (rows[target].trigger_value, rows[target].threshold_value) == (48, 24)


def test_it_shares_no_key_with_the_kit_alert(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-21"""
    target = started(erp, "2026-02-20T08:00")
    perform("daily_kit_check", "2026-03-02T06:00+08:00")
    perform(JOB)
    keys = db.execute(text("select dedupe_key from belfry.alert_records order by 1")).scalars().all()
    assert keys == [f"KIT_NO_BOM|WORK_ORDER|{target}", f"WORK_REPORT_TIMEOUT|WORK_ORDER|{target}"]


def test_an_order_without_any_sign_of_life_cannot_be_judged(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.work_order(status="STARTED", actual_start_time=None, work_order_no="WO-X")
    assert perform(JOB)["state"] == "partial"
    error = "started, but without a start time and without any report"
    assert db.execute(text("select item_key, error from belfry.execution_items")).one() == ("WO-X", error)
