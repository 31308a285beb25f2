"""T2 by the rulebook: a task in work that lags behind its time alerts its assignee, louder as the time goes."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp.tables import work_tasks
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import TODAY, Erp
from tests.shared.rules.task_cases import PROGRESS

JOB = "check_task_warnings"
NINE = datetime.fromisoformat("2026-03-02T09:00+08:00")
LATER = "2026-03-02T10:00+08:00"


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def gone(percent: float, at: datetime = NINE) -> dict[str, datetime]:
    """Times of a hundred days, of which so much has gone by at an instant."""
    start = at - timedelta(days=percent)
    return {"expected_start": start, "expected_end": start + timedelta(days=100)}


def change(db: Connection, task: int, **columns: Any) -> None:
    db.execute(work_tasks.update().values(**columns).where(work_tasks.c.id == task))


def levels(db: Connection) -> dict[int, str]:
    return {alert["target_id"]: alert["base_level"] for alert in alerts(db) if alert["status"] == "PENDING"}


# ---------------------------------------------------------------- what every job promises
def _violate(erp: Erp, day: date) -> int:
    midnight = datetime.combine(day, datetime.min.time(), NINE.tzinfo)
    return erp.work_task(progress=79, **gone(80, midnight))


def _spoil(erp: Erp, day: date) -> str:
    erp.work_task(expected_start=NINE, expected_end=NINE - timedelta(minutes=1))
    return "WORK_TASK"


CASES = [AlertJob(
    JOB, "TASK_PROGRESS_WARNING", clock="09:00", violate=_violate,
    clear=lambda db, task: change(db, task, progress=100),
    worsen=lambda db, task: change(db, task, expected_start=NINE - timedelta(days=93), expected_end=NINE + timedelta(days=7)),
    spoil=_spoil, multiply=copies_of(work_tasks, "task_code"),
)]  # fmt: skip


# ---------------------------------------------------------------- levels
def test_the_level_is_the_worst_limit_that_the_time_has_passed_and_the_progress_has_not(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2: (95, 94) -> 5, (95, 95) -> none, (90, 89) -> 10, (80, 79) -> 20, and both sides of every other limit."""
    assert {(95, 94, "CRITICAL"), (95, 95, None), (90, 89, "WARNING"), (80, 79, "INFO")} <= set(PROGRESS)
    one = {"assignee_id": erp.user()}
    tasks = {erp.work_task(progress=progress, **gone(percent), **one): level for percent, progress, level in PROGRESS}
    perform(JOB)
    assert levels(db) == {task: level for task, level in tasks.items() if level}


def test_the_time_counts_at_the_tick_and_not_as_the_task_remembers_it(erp: Erp, db: Connection, perform: Perform) -> None:
    task = erp.work_task(progress=50, time_progress=10, **gone(91))
    erp.work_task(progress=50, time_progress=99, **gone(10))
    perform(JOB)
    assert levels(db) == {task: "WARNING"}


def test_only_tasks_in_work_with_both_times_are_judged(erp: Erp, db: Connection, perform: Perform) -> None:
    for status in ("NEW", "PENDING", "SUSPENDED", "COMPLETED", "CLOSED", "CANCELLED"):
        erp.work_task(status=status, progress=10, **gone(99))
    for missing in ("expected_start", "expected_end"):
        erp.work_task(**{**gone(99), missing: None})
    task = erp.work_task(progress=10, **gone(99))
    answer = perform(JOB)
    assert (answer["state"], answer["counters"]["checked"]) == ("succeeded", 1)
    assert levels(db) == {task: "CRITICAL"}


def test_tasks_of_projects_that_are_over_are_left_out(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-29"""
    over: list[dict[str, Any]] = [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}]
    for columns in over:
        erp.work_task(project_id=erp.project(**columns), **gone(99))
    live = erp.work_task(project_id=erp.project(), **gone(99))
    perform(JOB)
    assert levels(db) == {live: "CRITICAL"}


# ---------------------------------------------------------------- people, facts, life
def test_the_creator_is_told_from_critical_on(erp: Erp, db: Connection, perform: Perform) -> None:
    assignee, creator = erp.user("陈伟"), erp.user("苏慧")
    tasks = {erp.work_task(assignee_id=assignee, creator_id=creator, **gone(percent)): percent for percent in (80, 90, 95, 101)}
    perform(JOB)
    told = {tasks[alert["target_id"]]: alert["recipients"] for alert in alerts(db)}
    one, both = [f"USER:{assignee}"], [f"USER:{assignee}", f"USER:{creator}"]
    assert told == {80: one, 90: one, 95: both, 101: both}


def test_an_alert_that_only_grew_an_hour_older_is_not_written_again(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.work_task(progress=50, **gone(91))
    perform(JOB)
    before = alerts(db)
    assert before[0]["facts"]["needed"] == 90
    answer = perform(JOB, LATER)
    assert (answer["counters"]["updated"], alerts(db)) == (0, before)


def test_progress_that_is_reported_later_resolves_the_alert(erp: Erp, db: Connection, perform: Perform) -> None:
    task = erp.work_task(progress=85, **gone(92))
    perform(JOB)
    change(db, task, progress=91)
    assert perform(JOB, LATER)["counters"]["resolved"] == 1


def test_each_level_of_a_cycle_is_told_once(erp: Erp, db: Connection, perform: Perform) -> None:
    task = erp.work_task(progress=0, **gone(80))
    for hour, percent in enumerate((80, 85, 90, 93, 95, 99, 100, 130)):
        change(db, task, **gone(percent))
        perform(JOB, f"2026-03-02T{hour + 1:02}:00+08:00", kind="manual")
    assert len(alerts(db)) == 1
    assert [m["severity"] for m in messages(db)] == ["INFO", "WARNING", "CRITICAL", "URGENT"]


def test_a_new_cycle_has_an_alert_of_its_own(erp: Erp, db: Connection, perform: Perform) -> None:
    task = erp.work_task(progress=50, **gone(91))
    perform(JOB)
    erp.cycle(task, 1)
    perform(JOB, LATER)
    assert [(alert["status"], alert["facts"]["cycle_no"]) for alert in alerts(db)] == [("RESOLVED", 1), ("PENDING", 2)]


def test_an_alert_never_escalates_by_itself(db: Connection) -> None:
    rule = db.execute(text("select escalates from belfry.alert_rules where rule_code = 'TASK_PROGRESS_WARNING'"))
    assert rule.scalar_one() is False


def test_alerts_of_deleted_tasks_expire(erp: Erp, db: Connection, perform: Perform) -> None:
    task = erp.work_task(**gone(99))
    perform(JOB)
    db.execute(text("delete from erp.work_tasks where id = :id"), {"id": task})
    assert perform(JOB, LATER)["counters"]["expired"] == 1


def test_what_is_today_does_not_hang_on_the_server_s_zone(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-57: instants are compared with instants, whatever zone they were written in."""
    end = datetime.fromisoformat("2026-03-02T02:00+01:00")  # nine in Shanghai
    task = erp.work_task(expected_start=end - timedelta(days=1), expected_end=end)
    perform(JOB, "2026-03-02T08:59+08:00", kind="manual")
    assert levels(db) == {task: "CRITICAL"}
    perform(JOB, "2026-03-02T09:00+08:00", kind="manual")
    assert levels(db) == {task: "URGENT"}
    assert date.fromisoformat("2026-03-02") == TODAY
