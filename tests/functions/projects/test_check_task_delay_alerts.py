"""Job 15 by the rulebook: boundaries of 9.2, tasks and work orders, and the defects it must not have."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Table, text

from shared.erp import tables
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import TODAY, Erp
from tests.shared.rules import delay_cases

ID = "check_task_delay_alerts"
NINE = "2026-03-02T09:00+08:00"
TEN = "2026-03-02T10:00+08:00"


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def late_task(erp: Erp, days: int, **columns: Any) -> int:
    return erp.task(**{"plan_end": day(-days), **columns})


def late_order(erp: Erp, days: int, **columns: Any) -> int:
    return erp.work_order(**{"plan_end_date": day(-days), "plan_start_date": day(-days - 5), **columns})


def change(db: Connection, table: Table, row: int, **columns: Any) -> None:
    db.execute(table.update().values(**columns).where(table.c.id == row))


ALL_JUDGED = {
    "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
        "all can be judged: the planned end alone decides, and without one nothing is late",
}  # fmt: skip
CASES = [
    AlertJob(
        ID, "TASK_DELAY", clock="09:00", violate=lambda erp, first: erp.task(plan_end=first - timedelta(days=1)),
        clear=lambda db, task: change(db, tables.project_tasks, task, status="DONE"),
        worsen=lambda db, task: change(db, tables.project_tasks, task, plan_end=day(-3)),
        multiply=copies_of(tables.project_tasks, "task_name"), reasons=ALL_JUDGED,
    ),
    AlertJob(
        ID, "WORK_ORDER_DELAY", clock="09:00", violate=lambda erp, first: erp.work_order(plan_end_date=first - timedelta(days=1)),
        clear=lambda db, order: change(db, tables.work_orders, order, status="COMPLETED"),
        worsen=lambda db, order: change(db, tables.work_orders, order, plan_end_date=day(-3)),
        multiply=copies_of(tables.work_orders, "work_order_no"), reasons=ALL_JUDGED,
    ),
]  # fmt: skip


def levels(db: Connection, rule: str) -> dict[int, str]:
    return {a["target_id"]: a["base_level"] for a in alerts(db) if a["status"] == "PENDING" and a["rule_code"] == rule}


def test_the_job_gives_every_case_the_level_of_the_rule(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    tasks, orders = {}, {}
    for days, is_critical, level in delay_cases.CASES:
        end = None if days is None else day(-days)
        tasks[erp.task(plan_end=end, is_critical=is_critical, project_id=project)] = level
        if not is_critical:
            orders[erp.work_order(plan_end_date=end, project_id=project)] = level
    perform(ID, NINE)
    assert levels(db, "TASK_DELAY") == {task: level for task, level in tasks.items() if level}
    assert levels(db, "WORK_ORDER_DELAY") == {order: level for order, level in orders.items() if level}


# ---------------------------------------------------------------- 9.2
@pytest.mark.parametrize(("days", "level"), [(1, "WARNING"), (3, "CRITICAL"), (7, "URGENT")])
def test_one_day_warns_three_are_critical_seven_urgent(days: int, level: str, db: Connection, perform: Perform) -> None:
    task = late_task(Erp(db), days)
    perform(ID, NINE)
    assert levels(db, "TASK_DELAY") == {task: level}


def test_a_second_run_of_the_day_that_finds_a_new_task_works(db: Connection, perform: Perform) -> None:
    """D-22: upstream's numbers began at 0001 with every run."""
    erp = Erp(db)
    first = late_task(erp, 1)
    perform(ID, NINE)
    second = late_task(erp, 2)
    answer = perform(ID, TEN)
    assert (answer["state"], answer["counters"]["created"]) == ("succeeded", 1)
    assert levels(db, "TASK_DELAY") == {first: "WARNING", second: "WARNING"}
    numbers = db.execute(text("select alert_no from belfry.alert_records")).scalars().all()
    assert len(set(numbers)) == 2


# ---------------------------------------------------------------- which tasks and orders
@pytest.mark.parametrize(("status", "raised"), [
    ("TODO", True), ("IN_PROGRESS", True), ("BLOCKED", True), ("DONE", False), ("CANCELLED", False),
])  # fmt: skip
def test_only_unfinished_tasks_are_late(status: str, raised: bool, db: Connection, perform: Perform) -> None:
    late_task(Erp(db), 5, status=status)
    perform(ID, NINE)
    assert bool(alerts(db)) is raised


@pytest.mark.parametrize(("status", "raised"), [
    ("PENDING", True), ("ASSIGNED", True), ("STARTED", True), ("PAUSED", True), ("COMPLETED", False), ("APPROVED", False), ("CANCELLED", False),
])  # fmt: skip
def test_only_unfinished_work_orders_are_late(status: str, raised: bool, db: Connection, perform: Perform) -> None:
    late_order(Erp(db), 5, status=status)
    perform(ID, NINE)
    assert bool(alerts(db)) is raised


@pytest.mark.parametrize("gone", [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}], ids=str)
def test_the_alerts_expire_with_their_project(gone: dict[str, Any], db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project, over = erp.project(), erp.project(**gone)
    for one in (project, over):
        late_task(erp, 3, project_id=one)
        late_order(erp, 3, project_id=one)
    free = late_order(erp, 3, project_id=None)
    perform(ID, NINE)
    assert {alert["project_id"] for alert in alerts(db)} == {project, None}
    change(db, tables.projects, project, **gone)
    perform(ID, TEN)
    assert {alert["status"] for alert in alerts(db) if alert["project_id"]} == {"EXPIRED"}
    assert levels(db, "WORK_ORDER_DELAY") == {free: "CRITICAL"}


def test_a_moved_end_resolves_and_an_end_that_is_taken_away_too(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    late_task(erp, 3)
    late_task(erp, 3)
    perform(ID, NINE)
    db.execute(text("update erp.project_tasks set plan_end = case when id = (select min(id) from erp.project_tasks) then date '2026-06-01' end"))
    perform(ID, TEN)
    assert {alert["status"] for alert in alerts(db)} == {"RESOLVED"}


# ---------------------------------------------------------------- people and facts
def test_a_blocked_task_says_which_issues_of_its_own_hold_it_up(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    owner, manager = erp.user("王芳"), erp.user("李强")
    project = erp.project(pm_id=manager, project_code="PJ-1", project_name="上料线")
    task = late_task(erp, 4, status="BLOCKED", owner_id=owner, project_id=project, task_name="电气接线", progress_percent=30, is_critical=True)
    other = late_task(erp, 4, project_id=project)
    for number, columns in enumerate(({"is_blocking": False}, {"is_blocking": True}, {"status": "RESOLVED"})):
        erp.issue(task_id=task, issue_no=f"IS-{number}", title="缺图", project_id=project, **columns)
    erp.issue(task_id=other, project_id=project)
    perform(ID, NINE)
    found = {alert["target_id"]: alert for alert in alerts(db)}
    alert = found[task]
    assert set(alert["recipients"]) == {f"USER:{owner}", f"USER:{manager}"}
    assert (alert["target_no"], alert["trigger_value"], alert["threshold_value"], alert["base_level"]) == (f"PJ-1-T{task}", 4, 3, "URGENT")
    blocking = db.execute(text("select id, issue_no from erp.issues where issue_no in ('IS-0', 'IS-1') order by 2 desc")).all()
    assert alert["facts"] == {
        "project_code": "PJ-1", "project_name": "上料线", "owner": "王芳", "plan_end": "2026-02-26", "days_late": 4, "progress": 30,
        "is_critical": True, "blocked": True, "blocked_by": [{"id": one.id, "name": f"{one.issue_no} 缺图"} for one in blocking],
    }  # fmt: skip
    assert found[other]["facts"]["blocked_by"] is None


@pytest.mark.parametrize("has_manager", [True, False])
def test_a_work_order_tells_the_manager_of_its_workshop_else_the_project_manager(
    has_manager: bool, db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    foreman, manager = erp.user("吴刚"), erp.user("李强")
    late_order(erp, 7, project_id=erp.project(pm_id=manager), workshop_id=erp.workshop(manager_id=foreman if has_manager else None))
    perform(ID, NINE)
    (message,) = messages(db)
    assert {int(told.split()[0]) for told in message["told"]} == {foreman if has_manager else manager}


def test_hours_within_a_day_change_nothing(db: Connection, perform: Perform) -> None:
    late_task(Erp(db), 2)
    perform(ID, NINE)
    before = alerts(db)
    for hour in (10, 11, 23):
        assert perform(ID, f"2026-03-02T{hour}:00+08:00")["counters"]["updated"] == 0
    assert alerts(db) == before


def test_contradictions_are_listed_and_what_has_no_end_is_counted(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(project_code="PJ-1")
    ended = late_task(erp, 2, actual_end=day(-3), project_id=project)
    turned = erp.task(plan_start=day(5), plan_end=day(3), project_id=project)
    late_order(erp, -3, plan_start_date=day(9), work_order_no="WO-1")
    late_task(erp, 2, actual_end=day(-3), status="DONE")
    erp.task(plan_end=None)
    erp.work_order(plan_end_date=None)
    answer = perform(ID, NINE)
    counters = answer["counters"]
    assert (answer["state"], counters["data_defects"], counters["no_planned_end"], counters["checked"]) == ("succeeded", 3, 2, 5)
    items = db.execute(text("select item_type, item_key, error from belfry.execution_items order by 1, 2")).all()
    assert [tuple(item) for item in items] == [
        ("PROJECT_TASK", f"PJ-1-T{ended}", "status is IN_PROGRESS, but it ended on 2026-02-27"),
        ("PROJECT_TASK", f"PJ-1-T{turned}", "planned end 2026-03-05 is before planned start 2026-03-07"),
        ("WORK_ORDER", "WO-1", "planned end 2026-03-05 is before planned start 2026-03-11"),
    ]  # fmt: skip
    assert levels(db, "TASK_DELAY") == {ended: "WARNING"}
