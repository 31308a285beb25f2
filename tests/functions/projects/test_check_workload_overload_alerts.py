"""Job 12 by the rulebook: boundaries of 9.2, tasks, bookings, leave and the calendar, and the defects it must not have."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance.cases import AlertJob
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import TODAY, Erp
from tests.shared.rules import workload_cases

ID = "check_workload_overload_alerts"
AT = "2026-03-02T11:00+08:00"
LAST = TODAY + timedelta(days=29)  # 22 workdays from 2 to 31 March 2026: 176 hours
WHOLE = {"plan_start": TODAY, "plan_end": LAST}
BOOKED = {"start_date": TODAY, "end_date": LAST}


def loaded(erp: Erp, *progress: int, user: int | None = None, **columns: Any) -> int:
    """Somebody with a task over the whole window for each progress."""
    user = user or erp.user()
    for share in progress:
        erp.task(**{"owner_id": user, "progress_percent": share, **WHOLE, **columns})
    return user


def _violate(erp: Erp, day: date) -> int:
    """Three weeks' work in the last three weeks of the window: the day before, a part of it was beyond."""
    user = erp.user()
    first, last = day, day + timedelta(days=29)
    erp.task(owner_id=user, plan_start=first, plan_end=last)
    erp.task(owner_id=user, plan_start=last, plan_end=last, progress_percent=0)
    for _ in range(3):
        erp.task(owner_id=user, plan_start=last, plan_end=last)
    return user


def _clear(db: Connection, user: int) -> None:
    db.execute(text("update erp.project_tasks set status = 'DONE' where owner_id = :u"), {"u": user})


def _worsen(db: Connection, user: int) -> None:
    db.execute(text("update erp.project_tasks set plan_start = plan_start - 60, plan_end = plan_end + 60 where owner_id = :u"), {"u": user})


def _spoil(erp: Erp, day: date) -> str:
    loaded(erp, 0, plan_end=day - timedelta(days=1))
    return "PROJECT_TASK"


def _multiply(db: Connection, user: int, n: int) -> None:
    db.execute(text("""with made as (
          insert into erp.users (username, real_name) select 'm-' || c || '-' || g, '王芳'
          from (select count(*) as c from erp.users) o, generate_series(1, :n) g returning id)
        insert into erp.project_tasks (project_id, task_name, status, owner_id, plan_start, plan_end)
        select t.project_id, t.task_name, t.status, made.id, t.plan_start, t.plan_end from made, erp.project_tasks t where t.owner_id = :u"""),
        {"n": n, "u": user})  # fmt: skip


CASES = [
    AlertJob(
        ID, "WORKLOAD_OVERLOAD", clock="11:00", violate=_violate, clear=_clear, worsen=_worsen, spoil=_spoil, multiply=_multiply,
    )
]  # fmt: skip


def levels(db: Connection) -> dict[int, str]:
    return {alert["target_id"]: alert["base_level"] for alert in alerts(db) if alert["status"] == "PENDING"}


def facts(db: Connection, user: int) -> Mapping[str, Any]:
    (alert,) = (alert for alert in alerts(db) if alert["target_id"] == user)
    found: Mapping[str, Any] = alert["facts"]
    return found


def test_the_job_gives_every_case_the_level_of_the_rule(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project, expected = erp.project(), {}
    for tasks, allocations, level in workload_cases.CASES:
        user = loaded(erp, *tasks, project_id=project)
        for planned, percent in allocations:
            erp.allocation(user_id=user, project_id=None, planned_hours=planned and Decimal(planned), allocation_percent=Decimal(percent), **BOOKED)
        expected[user] = level
    db.execute(text("alter table erp.resource_allocations alter planned_hours type numeric(14,4)"))
    perform(ID, AT)
    found = levels(db)
    rounded = {user: found.get(user) for user in expected}
    assert {user for user in expected if rounded[user] != expected[user]} == set()


def test_a_booking_counts_the_hours_of_the_rule_in_every_case(db: Connection, perform: Perform) -> None:
    """On top of a load that is told in any case."""
    erp, expected = Erp(db), {}
    project = erp.project()
    for first, last, _, _, planned, percent, hours in workload_cases.SHARED:
        user = loaded(erp, 0, 0, project_id=project)
        erp.allocation(
            user_id=user, project_id=None, start_date=date.fromisoformat(f"2026-{first}"), end_date=date.fromisoformat(f"2026-{last}"),
            planned_hours=planned and Decimal(planned), allocation_percent=Decimal(percent),
        )  # fmt: skip
        expected[user] = 2 * 176 + float(hours)
    perform(ID, AT)
    assert {user: facts(db, user)["demand_hours"] for user in expected} == expected


# ---------------------------------------------------------------- 9.2
@pytest.mark.parametrize(("percent", "level"), [("110", None), ("110.1", "WARNING"), ("150.1", "CRITICAL")])
def test_exactly_at_the_limit_nobody_is_overloaded(percent: str, level: str | None, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user = erp.user()
    erp.allocation(user_id=user, allocation_percent=Decimal(percent), **BOOKED)
    perform(ID, AT)
    assert levels(db).get(user) == level


def test_a_task_half_outside_the_window_counts_half(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user = loaded(erp, 0, 50)
    erp.task(owner_id=user, plan_start=date(2026, 3, 25), plan_end=date(2026, 4, 7))  # 10 workdays but for a holiday, 5 of them within
    perform(ID, AT)
    assert facts(db, user)["demand_hours"] == 176 + 88 + 40


# ---------------------------------------------------------------- working time
def test_weekends_and_holidays_are_no_working_time(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user = erp.user()
    for _ in range(3):
        erp.task(owner_id=user, plan_start=date(2026, 3, 7), plan_end=date(2026, 3, 8))
        erp.task(owner_id=user, plan_start=date(2026, 2, 16), plan_end=date(2026, 2, 23))
    assert perform(ID, AT)["counters"]["violations"] == 0
    db.execute(text("insert into belfry.biz_calendar values ('2026-03-09', false, '停产')"))
    loaded(erp, 0, 50, user=user)
    perform(ID, AT, kind="manual")
    assert facts(db, user)["standard_hours"] == 168
    assert facts(db, user)["demand_hours"] == 168 + 84


def test_leave_takes_hours_off_the_standard(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user = loaded(erp, 0)
    worker = erp.worker(user_id=user)
    for offset in (1, 2, 5, 40, -1):  # Tuesday, Wednesday; a Saturday, one beyond and one before the window change nothing
        erp.worker_leave(worker, TODAY + timedelta(days=offset), hours=8)
    erp.worker_leave(worker, TODAY + timedelta(days=3), hours=4)
    erp.task(owner_id=user, plan_start=TODAY, plan_end=TODAY)
    perform(ID, AT)
    told = facts(db, user)
    assert (told["leave_hours"], told["standard_hours"], told["demand_hours"]) == (20, 156, 184)


def test_nobody_on_leave_for_the_whole_window_is_judged_but_counted(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user = loaded(erp, 0, 0)
    perform(ID, AT)
    worker = erp.worker(user_id=user)
    for offset in range(40):
        erp.worker_leave(worker, TODAY + timedelta(days=offset))
    answer = perform(ID, "2026-03-03T11:00+08:00")
    assert (answer["state"], answer["counters"]["without_hours"]) == ("succeeded", 1)
    assert levels(db) == {user: "CRITICAL"}  # left as it was


def test_the_worst_week_is_told(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user = loaded(erp, 0, 80)
    erp.task(owner_id=user, plan_start=date(2026, 3, 11), plan_end=date(2026, 3, 13))
    perform(ID, AT)
    told = facts(db, user)
    assert told["worst_week"] == {"week": "2026-03-09", "hours": 72, "standard": 40, "percent": 180}
    assert [week["hours"] for week in told["weeks"]] == [48, 72, 48, 48, 19.2]


@pytest.mark.parametrize(("first", "last", "days"), [
    ("2026-03-02", "2026-03-31", 22), ("2026-03-07", "2026-03-08", 0), ("2026-02-28", "2026-02-28", 1), ("2026-03-05", "2026-03-02", 0),
    ("2026-10-01", "2026-10-10", 3), ("1969-12-29", "1970-01-11", 10), ("2030-01-01", "2030-12-31", 261), ("2026-03-02", "2026-03-02", 1),
])  # fmt: skip
def test_workdays_are_counted_over_the_calendar(first: str, last: str, days: int, db: Connection) -> None:
    assert db.execute(text("select belfry.workdays(:a, :b)"), {"a": date.fromisoformat(first), "b": date.fromisoformat(last)}).scalar() == days
    slow = text("select count(*) from generate_series(cast(:a as date), cast(:b as date), interval '1 day') d where belfry.is_workday(d::date)")
    assert db.execute(slow, {"a": date.fromisoformat(first), "b": date.fromisoformat(last)}).scalar() == days


# ---------------------------------------------------------------- a task or its allocation, never both
def test_a_task_with_an_allocation_counts_by_the_allocation(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    owner, helper = erp.user(), erp.user()
    loaded(erp, 0, 50, user=owner)
    loaded(erp, 0, 50, user=helper)
    task = erp.task(owner_id=owner, **WHOLE)
    erp.allocation(user_id=helper, task_id=task, project_id=None, planned_hours=40, start_date=TODAY, end_date=LAST + timedelta(days=31))
    perform(ID, AT)
    assert facts(db, owner)["demand_hours"] == 264  # somebody else does it
    assert facts(db, helper)["demand_hours"] == 264 + 20.47  # 40 hours, 22 of its 43 workdays


def test_a_booking_for_the_project_covers_its_tasks_of_the_same_days(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user, project = erp.user(), erp.project()
    loaded(erp, 0, 0, user=user, project_id=project)
    erp.task(owner_id=user, project_id=project, plan_start=date(2026, 3, 16), plan_end=date(2026, 3, 20))
    erp.allocation(user_id=user, project_id=project, start_date=date(2026, 2, 2), end_date=date(2026, 3, 13), allocation_percent=50)
    perform(ID, AT)
    assert alerts(db) == []  # 40 hours booked, 40 of the one task after the booking
    loaded(erp, 0, 40, user=user)
    perform(ID, AT, kind="manual")
    assert facts(db, user)["demand_hours"] == 361.6  # 40, 40, 176 and 105.6


@pytest.mark.parametrize("columns", [{"status": "COMPLETED"}, {"status": "CANCELLED"}])
def test_an_allocation_that_is_over_books_nobody(columns: dict[str, Any], db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user = erp.user()
    erp.allocation(user_id=user, allocation_percent=300, **BOOKED, **columns)
    done = erp.task(status="DONE")
    erp.allocation(user_id=user, task_id=done, allocation_percent=300, **BOOKED)
    perform(ID, AT)
    assert alerts(db) == []


# ---------------------------------------------------------------- whose work counts
@pytest.mark.parametrize("columns", [{"status": "DONE"}, {"status": "CANCELLED"}, {"plan_start": None}, {"plan_end": None}, {"owner_id": None}], ids=str)
def test_finished_undated_and_unowned_tasks_are_nobodys_work(columns: dict[str, Any], db: Connection, perform: Perform) -> None:
    answer_before = perform(ID, AT, kind="manual")
    loaded(Erp(db), 0, 0, 0, **columns)
    answer = perform(ID, AT, kind="manual")
    assert (answer["state"], alerts(db)) == (answer_before["state"], [])
    assert answer["counters"]["undated_tasks"] == (3 if None in (columns.get("plan_start", 1), columns.get("plan_end", 1)) else 0)


@pytest.mark.parametrize("gone", [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}], ids=str)
def test_work_of_projects_that_are_over_does_not_count(gone: dict[str, Any], db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(**gone)
    erp.allocation(user_id=loaded(erp, 0, 0, project_id=project), project_id=project, **BOOKED)
    perform(ID, AT)
    assert alerts(db) == []


def test_the_alert_of_somebody_who_left_expires(db: Connection, perform: Perform) -> None:
    user = loaded(Erp(db), 0, 0)
    perform(ID, AT)
    db.execute(tables.users.update().values(is_active=False).where(tables.users.c.id == user))
    perform(ID, "2026-03-03T11:00+08:00")
    assert [alert["status"] for alert in alerts(db)] == ["EXPIRED"]


# ---------------------------------------------------------------- people
@pytest.mark.parametrize("loud", [False, True])
def test_the_managers_are_told_and_not_the_person_alone(loud: bool, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    boss, manager, pmo = erp.user("高翔"), erp.user("李强"), erp.user("何静", roles=["PMO"])
    user = loaded(erp, 0, 0 if loud else 60, user=erp.user(manager_id=boss), project_id=erp.project(pm_id=manager))
    perform(ID, AT)
    (message,) = messages(db)
    assert {int(told.split()[0]) for told in message["told"]} == {boss, manager} | ({pmo} if loud else set())
    assert user not in {int(told.split()[0]) for told in message["told"]}
    (alert,) = alerts(db)
    assert (alert["project_id"], alert["target_id"]) == (None, user)


def test_without_a_manager_the_pmo_is_told(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    head, pmo = erp.user(), erp.user("何静", roles=["PMO"])
    orphan = loaded(erp, 0, 60, user=erp.user(manager_id=None), project_id=erp.project(pm_id=None))
    member = loaded(erp, 0, 60, user=erp.user(manager_id=None, department_id=erp.department(manager_user_id=head)), project_id=erp.project(pm_id=None))
    perform(ID, AT)
    told = {m["facts"]["target_no"]: {int(one.split()[0]) for one in m["told"]} for m in messages(db)}
    names = {row.id: row.username for row in db.execute(text("select id, username from erp.users"))}
    assert told == {names[orphan]: {pmo}, names[member]: {head}}


def test_the_alert_names_what_makes_most_of_it(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(project_code="PJ-1")
    user = loaded(erp, 0, project_id=project, task_name="电气接线")
    for number in range(6):
        erp.task(owner_id=user, project_id=project, task_name=f"调试{number}", plan_start=TODAY, plan_end=TODAY + timedelta(days=number))
    perform(ID, AT)
    told = facts(db, user)
    assert [one["name"] for one in told["contributors"]] == ["电气接线", "调试4", "调试5", "调试3", "调试2"]
    assert told["items"] == 7
    assert told["contributors"][0] == {"name": "电气接线", "project_code": "PJ-1", "kind": "task", "hours": 176, "from": "2026-03-02", "to": "2026-03-31"}


def test_contradictory_work_is_listed_and_the_rest_of_the_person_is_judged(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(project_code="PJ-1")
    user = loaded(erp, 0, 50, project_id=project)
    turned = erp.task(owner_id=user, project_id=project, plan_start=LAST, plan_end=TODAY)
    over = erp.task(owner_id=user, project_id=project, progress_percent=140, **WHOLE)
    booking = erp.allocation(user_id=user, project_id=None, planned_hours=-5, **BOOKED)
    answer = perform(ID, AT)
    assert (answer["state"], answer["counters"]["failed"], levels(db)) == ("partial", 3, {user: "WARNING"})
    items = db.execute(text("select item_type, item_key, error from belfry.execution_items order by 1, 2")).all()
    assert [tuple(item) for item in items] == [
        ("PROJECT_TASK", f"PJ-1-T{turned}", "planned from 2026-03-31 to 2026-03-02, progress 0 percent"),
        ("PROJECT_TASK", f"PJ-1-T{over}", "planned from 2026-03-02 to 2026-03-31, progress 140 percent"),
        ("RESOURCE_ALLOCATION", str(booking), "from 2026-03-02 to 2026-03-31, -5.00 hours, 100.00 percent"),
    ]  # fmt: skip
    db.execute(text("update erp.project_tasks set status = 'DONE' where progress_percent in (0, 50) and plan_end > plan_start"))
    perform(ID, "2026-03-03T11:00+08:00")
    assert levels(db) == {user: "WARNING"}  # nobody can say that it is over
