"""Job 20 by the rulebook: reminders before a deadline, shortly before it and every day after it, each said once."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp.tables import work_tasks
from tests.acceptance.cases import RowsJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import TODAY, Erp
from tests.shared.rules.task_cases import REMINDERS

JOB = "check_task_deadline_reminder"
NINE = datetime.fromisoformat("2026-03-02T09:00+08:00")
HOUR = timedelta(hours=1)


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def keys(db: Connection) -> list[str]:
    """Task and tier of every reminder, in the order they were made."""
    return [f"{key[2]} {key[5]}" for m in messages(db) if (key := str(m["dedupe_key"]).split("|"))]


def move(db: Connection, task: int, **columns: Any) -> None:
    db.execute(work_tasks.update().values(**columns).where(work_tasks.c.id == task))


# ---------------------------------------------------------------- what every job promises
def _arrange(erp: Erp, day: date) -> int:
    return erp.work_task(deadline=datetime.combine(day + timedelta(days=1), time(), NINE.tzinfo))


def _spoil(erp: Erp, day: date) -> str:
    erp.work_task(deadline=NINE, reminder_before_hours=-1)
    return "WORK_TASK"


def _made(db: Connection) -> Sequence[Any]:
    return [m["dedupe_key"] for m in messages(db)]


CASES = [RowsJob(
    JOB, clock="09:00", every=HOUR, arrange=_arrange, spoil=_spoil, made=_made, multiply=copies_of(work_tasks, "task_code"),
)]  # fmt: skip


# ---------------------------------------------------------------- when
def test_every_case_gets_the_reminder_of_the_rule(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2: 24 h exactly -> sent, and both sides of every other limit."""
    assert (24 * 60, 24, "H24") in REMINDERS
    one = {"assignee_id": erp.user()}
    expected = {
        erp.work_task(deadline=NINE + timedelta(minutes=minutes), reminder_before_hours=hours, **one): tier
        for minutes, hours, tier in REMINDERS
    }
    perform(JOB)
    assert set(keys(db)) == {f"{task} {tier.format(day=TODAY)}" for task, tier in expected.items() if tier}


def test_24_hours_exactly_is_sent_and_a_minute_more_is_not(erp: Erp, db: Connection, perform: Perform) -> None:
    exactly, _ = erp.work_task(deadline=NINE + 24 * HOUR), erp.work_task(deadline=NINE + 24 * HOUR + timedelta(minutes=1))
    perform(JOB)
    assert keys(db) == [f"{exactly} H24"]


def test_a_deadline_moved_twice_is_told_again_twice(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2"""
    task = erp.work_task(deadline=NINE + 10 * HOUR)
    perform(JOB)
    for hour in (1, 2):
        move(db, task, deadline=NINE + (10 + hour) * HOUR)
        for repeated in range(2):
            perform(JOB, f"2026-03-02T{9 + hour:02}:{10 * repeated:02}+08:00", kind="manual")
    assert keys(db) == [f"{task} H24"] * 3


def test_a_task_is_reminded_of_twice_before_and_every_day_after_its_deadline(erp: Erp, db: Connection, perform: Perform) -> None:
    task = erp.work_task(deadline=NINE + 24 * HOUR)
    for hour in range(24 * 4 + 1):
        if hour % 3 == 0 or 20 < hour < 30:
            perform(JOB, (NINE + hour * HOUR).isoformat(), kind="manual")
    assert keys(db) == [f"{task} H24", f"{task} H2"] + [f"{task} OVER-2026-03-{day:02}" for day in (3, 4, 5, 6)]


def test_days_after_the_deadline_are_told_in_the_morning_and_not_at_midnight(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.work_task(deadline=NINE - 20 * HOUR)
    for clock in ("00:00", "07:00"):
        perform(JOB, f"2026-03-02T{clock}+08:00")
    assert keys(db) == []
    perform(JOB, "2026-03-02T08:00+08:00")
    assert len(keys(db)) == 1


def test_another_assignee_is_reminded_as_well(erp: Erp, db: Connection, perform: Perform) -> None:
    task = erp.work_task(deadline=NINE + HOUR)
    perform(JOB)
    move(db, task, assignee_id=erp.user("孙悦"))
    perform(JOB, kind="manual")
    assert keys(db) == [f"{task} H2"] * 2


# ---------------------------------------------------------------- whose
def test_only_unfinished_tasks_with_reminders_are_told_of(erp: Erp, db: Connection, perform: Perform) -> None:
    for status in ("SUSPENDED", "COMPLETED", "CLOSED", "CANCELLED"):
        erp.work_task(status=status, deadline=NINE)
    erp.work_task(deadline=NINE, reminder_enabled=False)
    erp.work_task()
    open_ = [erp.work_task(status=status, deadline=NINE) for status in ("NEW", "PENDING", "PROCESSING")]
    assert perform(JOB)["counters"]["checked"] == 3
    assert keys(db) == [f"{task} OVER-{TODAY}" for task in open_]


def test_tasks_of_projects_that_are_over_are_left_out(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-29"""
    over: list[dict[str, Any]] = [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}]
    for columns in over:
        erp.work_task(project_id=erp.project(**columns), deadline=NINE)
    live = erp.work_task(project_id=erp.project(), deadline=NINE)
    perform(JOB)
    assert keys(db) == [f"{live} OVER-{TODAY}"]


def test_the_creator_is_told_too_once_a_task_is_overdue_for_more_than_three_days(erp: Erp, db: Connection, perform: Perform) -> None:
    assignee, creator = erp.user("陈伟"), erp.user("苏慧")
    people = {"assignee_id": assignee, "creator_id": creator}
    erp.work_task(deadline=NINE - 72 * HOUR, **people)
    erp.work_task(deadline=NINE - 72 * HOUR - timedelta(minutes=1), **people)
    erp.work_task(deadline=NINE - 96 * HOUR, assignee_id=assignee, creator_id=None)
    perform(JOB)
    told = [sorted({int(who.split()[0]) for who in m["told"]}) for m in messages(db)]
    assert told == [[assignee], sorted([assignee, creator]), [assignee]]


def test_the_message_says_when_and_how_far(erp: Erp, db: Connection, perform: Perform) -> None:
    project = erp.project(project_code="PJ-1", project_name="上料线")
    erp.work_task(task_code="TK-1", title="方案评审", deadline=NINE + timedelta(minutes=90), progress=40, project_id=project,
             priority="HIGH", assignee_id=erp.user("陈伟"))
    erp.work_task(task_code="TK-2", deadline=NINE - 50 * HOUR)
    erp.work_task(task_code="TK-3", deadline=NINE + 20 * HOUR)
    perform(JOB)
    first, second, third = messages(db)
    assert [m["severity"] for m in (first, second, third)] == ["WARNING", "WARNING", "INFO"]
    assert first["facts"] | {"deadline": None} == {
        "target_no": "TK-1", "target_name": "方案评审", "deadline": None, "overdue": False, "hours_left": 2, "days_late": -1,
        "priority": "HIGH", "progress": 40, "assignee": "陈伟", "project_code": "PJ-1", "project_name": "上料线",
    }
    assert datetime.fromisoformat(first["facts"]["deadline"]) == NINE + timedelta(minutes=90)
    assert (second["facts"]["overdue"], second["facts"]["days_late"]) == (True, 2)


def test_a_reminder_is_no_alert(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.work_task(deadline=NINE - HOUR)
    perform(JOB)
    assert alerts(db) == []
    assert db.execute(text("select reason from belfry.notifications")).scalars().all() == ["REMINDER"]
