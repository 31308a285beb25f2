"""T1 by the rulebook: periodic tasks begin again by their plan, keep what was, and miss what they did not do in time."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp.tables import work_tasks
from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.evidence import messages
from tests.factories import TODAY, Erp
from tests.shared.rules.recurrence_cases import LATEST

JOB = "reset_periodic_tasks"
TWO = datetime.fromisoformat("2026-03-02T02:00+08:00")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def periodic(erp: Erp, start: datetime | None, **columns: Any) -> int:
    """A finished periodic task of three planned days."""
    end = start and start + 3 * DAY
    return erp.work_task(**{
        "category": "PERIODIC", "status": "COMPLETED", "progress": 100, "time_progress": 100, "expected_start": start,
        "expected_end": end, "actual_start": start, "actual_end": end, **columns})


def row(db: Connection, task: int) -> Any:
    return db.execute(text("select * from erp.work_tasks where id = :id"), {"id": task}).one()


def started(db: Connection) -> dict[int, datetime]:
    """The planned start of every task that has begun again."""
    rows = db.execute(text("select id, expected_start from erp.work_tasks where status = 'NEW'"))
    return {one.id: one.expected_start for one in rows}


def recurrence(db: Connection, task: int) -> Any:
    return db.execute(text("select * from belfry.task_recurrence where task_id = :id"), {"id": task}).one_or_none()


# ---------------------------------------------------------------- what every job promises
def _arrange(erp: Erp, day: date) -> int:
    return periodic(erp, datetime.combine(day - timedelta(days=7), time(), TWO.tzinfo))


def _spoil(erp: Erp, day: date) -> str:
    erp.recurrence(periodic(erp, TWO - 9 * DAY), day=31)
    return "WORK_TASK"


def _multiply(db: Connection, target: int, n: int) -> None:
    """Finished like the first, which has begun again meanwhile: a week before it."""
    db.execute(text("""
        insert into erp.work_tasks (task_code, title, category, status, progress, assignee_id, expected_start, expected_end, updated_at)
        select task_code || '-' || c || '-' || g, title, category, 'COMPLETED', 100, assignee_id, expected_start - interval '7 days',
               expected_end - interval '7 days', updated_at
        from erp.work_tasks, (select count(*) as c from erp.work_tasks) x, generate_series(1, :n) g where id = :id"""),
        {"n": n, "id": target})


def _made(db: Connection) -> Sequence[Any]:
    return [tuple(one) for one in db.execute(text(
        "select id, status, expected_start, (select count(*) from belfry.task_cycles c where c.task_id = t.id) from erp.work_tasks t order by id"))]


CASES = [RowsJob(JOB, clock="02:00", arrange=_arrange, spoil=_spoil, multiply=_multiply, made=_made)]


# ---------------------------------------------------------------- when
def test_6_days_23_hours_are_not_a_week(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2"""
    early, due = periodic(erp, TWO - 7 * DAY + HOUR), periodic(erp, TWO - 7 * DAY)
    perform(JOB, TWO.isoformat())
    assert started(db) == {due: TWO}
    assert row(db, early).status == "COMPLETED"


def test_two_missed_cycles_are_one_reset_to_the_latest(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2"""
    task = periodic(erp, TWO - 17 * DAY)
    perform(JOB, TWO.isoformat())
    assert started(db) == {task: TWO - 3 * DAY}
    assert db.execute(text("select count(*) from belfry.task_cycles")).scalar_one() == 1


def test_every_case_begins_at_the_occurrence_of_the_rule(erp: Erp, db: Connection, perform: Perform) -> None:
    one = {"assignee_id": erp.user()}
    by_time: dict[datetime, dict[int, datetime | None]] = {}
    for recurrence_, start, now, latest in LATEST:
        task = periodic(erp, start.replace(tzinfo=TWO.tzinfo), **one)
        erp.recurrence(task, frequency=recurrence_.frequency, every=recurrence_.every, day=recurrence_.day,
                       month=recurrence_.month, at_time=recurrence_.at)
        by_time.setdefault(now, {})[task] = latest and latest.replace(tzinfo=TWO.tzinfo)
    for now, expected in by_time.items():
        db.execute(text("update belfry.task_recurrence set is_active = task_id = any(:ids)"), {"ids": list(expected)})
        perform(JOB, now.replace(tzinfo=TWO.tzinfo).isoformat(), kind="manual")
        assert {task: started(db).get(task) for task in expected} == expected, now


def test_the_rhythm_does_not_drift_with_the_day_of_completion(erp: Erp, db: Connection, perform: Perform) -> None:
    task = periodic(erp, TWO - 7 * DAY, actual_end=TWO - HOUR)
    perform(JOB, TWO.isoformat())
    assert started(db) == {task: TWO}


def test_a_monthly_task_of_the_31st_comes_back_to_the_31st_after_february(erp: Erp, db: Connection, perform: Perform) -> None:
    task = periodic(erp, datetime.fromisoformat("2026-01-31T01:00+08:00"))
    erp.recurrence(task, frequency="MONTHLY")
    for day, expected in (("2026-02-28", "2026-02-28"), ("2026-03-28", None), ("2026-03-31", "2026-03-31")):
        db.execute(work_tasks.update().values(status="COMPLETED"))
        perform(JOB, f"{day}T02:00+08:00")
        assert started(db) == ({task: datetime.fromisoformat(f"{expected}T01:00+08:00")} if expected else {})


def test_without_a_planned_start_the_end_counts_and_without_an_end_the_last_change(erp: Erp, db: Connection, perform: Perform) -> None:
    """Upstream never reset a task without actual_end."""
    ended = periodic(erp, None, actual_end=TWO - 7 * DAY, updated_at=TWO)
    changed = periodic(erp, None, updated_at=TWO - 8 * DAY)
    periodic(erp, None, actual_end=TWO - 7 * DAY + HOUR, updated_at=TWO - 9 * DAY)
    answer = perform(JOB, TWO.isoformat())
    assert started(db) == {ended: TWO, changed: TWO - DAY}
    assert (answer["state"], answer["counters"]["data_defects"]) == ("succeeded", 3)


# ---------------------------------------------------------------- which
def test_only_finished_tasks_that_come_back_begin_again(erp: Erp, db: Connection, perform: Perform) -> None:
    due = TWO - 7 * DAY
    for status in ("SUSPENDED", "CANCELLED"):
        periodic(erp, due, status=status)
    for category in ("NORMAL", "VERSION", "URGENT", "JOB_DUTY", "OTHER"):
        periodic(erp, due, category=category)
    erp.recurrence(periodic(erp, due), is_active=False)
    expected = {periodic(erp, due): TWO}
    for category in ("PERIODIC", "NORMAL"):
        task = periodic(erp, due, category=category)
        erp.recurrence(task)
        expected[task] = TWO
    assert perform(JOB, TWO.isoformat())["counters"]["updated"] == 3
    assert started(db) == expected


def test_a_closed_task_begins_again_only_while_somebody_says_so(erp: Erp, db: Connection, perform: Perform) -> None:
    """Upstream: a closed task could never be stopped."""
    _, goes_on, stopped = (periodic(erp, TWO - 7 * DAY, status="CLOSED") for _ in range(3))
    erp.recurrence(goes_on, is_active=True)
    erp.recurrence(stopped, is_active=False)
    perform(JOB, TWO.isoformat())
    assert started(db) == {goes_on: TWO}


def test_tasks_that_say_nothing_stay_finished_when_the_default_is_none(erp: Erp, db: Connection, perform: Perform) -> None:
    periodic(erp, TWO - 7 * DAY)
    told = periodic(erp, TWO - 7 * DAY)
    erp.recurrence(told)
    perform(JOB, TWO.isoformat(), params={"default_frequency": "NONE"})
    assert started(db) == {told: TWO}


def test_an_unfinished_task_is_marked_and_not_reset(erp: Erp, db: Connection, perform: Perform) -> None:
    tasks = [periodic(erp, TWO - 7 * DAY, status=status, progress=40) for status in ("NEW", "PENDING", "PROCESSING")]
    for _ in range(2):
        answer = perform(JOB, TWO.isoformat(), kind="manual")
    assert (answer["counters"]["updated"], answer["counters"]["missed_occurrences"]) == (0, 0)
    assert [row(db, task).progress for task in tasks] == [40, 40, 40]
    assert [(r.missed_count, r.missed_at, r.is_active) for task in tasks if (r := recurrence(db, task))] == [(1, TWO, None)] * 3
    perform(JOB, (TWO + 7 * DAY).isoformat())
    assert recurrence(db, tasks[0]).missed_count == 2
    assert messages(db) == []


def test_a_missed_task_that_is_finished_begins_again_and_its_cycle_remembers(erp: Erp, db: Connection, perform: Perform) -> None:
    task = periodic(erp, TWO - 7 * DAY, status="PROCESSING", progress=40)
    perform(JOB, TWO.isoformat())
    db.execute(work_tasks.update().values(status="COMPLETED", progress=100))
    perform(JOB, (TWO + DAY).isoformat())
    assert started(db) == {task: TWO}
    assert db.execute(text("select missed_count from belfry.task_cycles")).scalar_one() == 1
    assert (recurrence(db, task).missed_count, recurrence(db, task).missed_at) == (0, None)


# ---------------------------------------------------------------- its end
@pytest.mark.parametrize(("end", "begins", "active"), [
    (TODAY, True, True),
    (TODAY - DAY, False, False),
    (TODAY - 5 * DAY, False, False),
    (TODAY + DAY, True, True),
])
def test_nothing_comes_back_after_the_end_date(end: date, begins: bool, active: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    task = periodic(erp, TWO - 7 * DAY)
    erp.recurrence(task, end_date=end)
    assert perform(JOB, TWO.isoformat())["counters"]["stopped"] == int(not active)
    assert (task in started(db), recurrence(db, task).is_active) == (begins, active)


def test_an_occurrence_of_the_last_day_counts_although_the_job_comes_the_night_after(erp: Erp, db: Connection, perform: Perform) -> None:
    task = periodic(erp, TWO - 7 * DAY - 17 * HOUR)
    erp.recurrence(task, end_date=TODAY - DAY)
    perform(JOB, TWO.isoformat())
    assert started(db) == {task: TWO - 17 * HOUR}
    assert recurrence(db, task).is_active is False


# ---------------------------------------------------------------- what is kept, and told
def test_the_finished_cycle_is_kept_and_the_next_has_its_plan(erp: Erp, db: Connection, perform: Perform) -> None:
    start = TWO - 14 * DAY
    task = periodic(erp, start, task_code="TK-1", title="周例会", deadline=start + 2 * DAY, actual_end=start + DAY,
                    assignee_id=erp.user("陈伟"))
    erp.cycle(task, 1)
    perform(JOB, TWO.isoformat())
    cycle = db.execute(text("select * from belfry.task_cycles where cycle_no = 2")).one()
    assert (cycle.task_id, cycle.status, cycle.progress, cycle.expected_start, cycle.expected_end, cycle.actual_start,
            cycle.actual_end, cycle.closed_at) == (task, "COMPLETED", 100, start, start + 3 * DAY, start, start + DAY, TWO)
    now = row(db, task)
    assert (now.status, now.progress, now.time_progress, now.actual_start, now.actual_end) == ("NEW", 0, 0, None, None)
    assert (now.expected_start, now.expected_end, now.deadline, now.updated_at) == (TWO, TWO + 3 * DAY, TWO + 2 * DAY, TWO)


@pytest.mark.parametrize("end", [None, TWO - 30 * DAY])
def test_a_task_without_a_planned_time_gets_seven_days(end: datetime | None, erp: Erp, db: Connection, perform: Perform) -> None:
    task = periodic(erp, TWO - 7 * DAY, expected_end=end)
    perform(JOB, TWO.isoformat())
    assert row(db, task).expected_end == TWO + 7 * DAY


def test_the_assignee_is_told_in_the_morning_once_a_cycle(erp: Erp, db: Connection, perform: Perform) -> None:
    assignee = erp.user("陈伟")
    task = periodic(erp, TWO - 7 * DAY, task_code="TK-1", title="周例会", assignee_id=assignee)
    for _ in range(2):
        perform(JOB, TWO.isoformat(), kind="manual")
    (told,) = messages(db)
    assert told["dedupe_key"] == f"TASK_RESET|WORK_TASK|{task}|{assignee}|2"
    assert told["told"] == [f"{assignee} system"]
    assert (told["facts"]["target_no"], told["facts"]["cycle_no"], told["facts"]["assignee"]) == ("TK-1", 2, "陈伟")
    due = db.execute(text("select not_before from belfry.notifications")).scalar_one()
    assert due == datetime.fromisoformat("2026-03-02T07:30+08:00")


def test_all_tasks_begin_in_one_statement_and_one_commit(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-43: a commit per row; a task that cannot be written leaves none behind."""
    tasks = [periodic(erp, TWO - 7 * DAY) for _ in range(5)]
    db.execute(text(f"alter table erp.work_tasks add constraint last_stays check (id <> {tasks[-1]} or status <> 'NEW')"))
    assert perform(JOB, TWO.isoformat())["state"] == "retry_wait"
    assert (started(db), db.execute(text("select count(*) from belfry.task_cycles")).scalar_one()) == ({}, 0)
