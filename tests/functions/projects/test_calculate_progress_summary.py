"""Job 13 by the rulebook: what progress is made of, what is written back, and the defects it must not have."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.shared.rules import progress_cases

ID = "calculate_progress_summary"
NINE = "2026-03-02T09:00+08:00"
TEN = "2026-03-02T10:00+08:00"
SUMMARY = """project_id, progress_pct, tasks_total, tasks_done, tasks_blocked, tasks_overdue, milestones_total, milestones_done,
    milestones_overdue, planned_pct, variance_pct"""


def _arrange(erp: Erp, day: date) -> int:
    project = erp.project()
    erp.task(project_id=project, progress_percent=30)
    return project


def _spoil(erp: Erp, day: date) -> str:
    erp.task(progress_percent=140)
    return "PROJECT_TASK"


def _multiply(db: Connection, project: int, n: int) -> None:
    db.execute(text("""with made as (
          insert into erp.projects (project_code, project_name, status, planned_start_date, planned_end_date, pm_id)
          select project_code || '-' || c || '-' || g, project_name, status, planned_start_date, planned_end_date, pm_id
          from erp.projects, (select count(*) as c from erp.projects) o, generate_series(1, :n) g where id = :id returning id)
        insert into erp.project_tasks (project_id, task_name, status, progress_percent)
        select made.id, t.task_name, t.status, t.progress_percent from made, erp.project_tasks t where t.project_id = :id"""),
        {"n": n, "id": project})  # fmt: skip


def _made(db: Connection) -> Sequence[Any]:
    kept = db.execute(text(f"select {SUMMARY} from belfry.project_progress_summary order by 1")).all()
    return [tuple(row) for row in kept] + [tuple(row) for row in db.execute(text("select id, progress_pct from erp.projects order by 1"))]


CASES = [RowsJob(clock="09:00", job_id=ID, arrange=_arrange, multiply=_multiply, made=_made, spoil=_spoil)]


def progress(db: Connection) -> dict[int, Decimal]:
    return {row.id: row.progress_pct for row in db.execute(text("select id, progress_pct from erp.projects"))}


def summary(db: Connection, project: int) -> Any:
    return db.execute(text(f"select {SUMMARY} from belfry.project_progress_summary where project_id = :p"), {"p": project}).one_or_none()


def test_the_job_gives_every_case_the_progress_of_the_rule(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    expected = {}
    for tasks, milestones, percent in progress_cases.CASES:
        project = erp.project(progress_pct=Decimal(progress_cases.BEFORE))
        for status, share, weight in tasks:
            erp.task(project_id=project, status=status, progress_percent=share, weight=Decimal(weight))
        for done in milestones:
            erp.milestone(project_id=project, status="COMPLETED" if done else "PENDING", owner_id=None)
        expected[project] = Decimal(percent)
    perform(ID, NINE)
    assert progress(db) == expected
    assert {project: summary(db, project).progress_pct for project in expected} == expected


def test_the_job_gives_every_plan_the_percent_of_the_rule(db: Connection, perform: Perform) -> None:
    def day(offset: int | None) -> date | None:
        return None if offset is None else TODAY + timedelta(offset)

    expected = {
        Erp(db).project(planned_start_date=day(start), planned_end_date=day(end)): percent and Decimal(percent)
        for start, end, percent in progress_cases.PLANNED
    }
    perform(ID, NINE)
    assert {project: summary(db, project).planned_pct for project in expected} == expected


def test_what_was_computed_is_kept(db: Connection, perform: Perform) -> None:
    """D-40: upstream assigned it to an attribute that the model had not."""
    project = _arrange(Erp(db), TODAY)
    assert perform(ID, NINE)["counters"]["updated"] == 1
    assert progress(db) == {project: 30}


def test_a_second_run_over_the_same_data_writes_nothing(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = _arrange(erp, TODAY)
    perform(ID, NINE)
    before = db.execute(text("select xmin::text, ctid::text from erp.projects")).all(), db.execute(text("select xmin::text from belfry.project_progress_summary")).all()
    counters = perform(ID, TEN)["counters"]
    assert (counters["checked"], counters["updated"], counters["summarised"]) == (1, 0, 0)
    after = db.execute(text("select xmin::text, ctid::text from erp.projects")).all(), db.execute(text("select xmin::text from belfry.project_progress_summary")).all()
    assert (after, progress(db)) == (before, {project: 30})


@pytest.mark.parametrize(("least", "written"), [(0.01, True), (0.02, False)])
def test_a_difference_below_the_limit_is_not_written(least: float, written: bool, db: Connection, perform: Perform) -> None:
    project = Erp(db).project(progress_pct=Decimal("29.99"))
    Erp(db).task(project_id=project, progress_percent=30)
    perform(ID, NINE, params={"min_change_points": least}, kind="manual")
    assert progress(db)[project] == (30 if written else Decimal("29.99"))


def test_the_summary_counts_tasks_and_milestones_and_says_where_the_plan_is(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    yesterday, tomorrow = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
    project = erp.project(planned_start_date=TODAY - timedelta(days=30), planned_end_date=TODAY + timedelta(days=70), progress_pct=0)
    for status, end in (("DONE", yesterday), ("IN_PROGRESS", yesterday), ("BLOCKED", TODAY), ("BLOCKED", yesterday), ("TODO", None), ("CANCELLED", yesterday)):
        erp.task(project_id=project, status=status, plan_end=end, progress_percent=10)
    for status, planned, actual in (
        ("COMPLETED", yesterday, None), ("PENDING", yesterday, None), ("PENDING", yesterday, yesterday), ("PENDING", yesterday, tomorrow),
        ("PENDING", TODAY, None), ("CANCELLED", yesterday, None),
    ):  # fmt: skip
        erp.milestone(project_id=project, status=status, planned_date=planned, actual_date=actual)
    perform(ID, NINE)
    assert tuple(summary(db, project)) == (project, 28, 5, 1, 2, 2, 5, 2, 2, 30, 2)


@pytest.mark.parametrize("plan", [{"planned_start_date": None}, {"planned_end_date": None}, {"planned_end_date": date(2025, 1, 1)}], ids=str)
def test_a_plan_that_cannot_be_measured_gives_no_variance(plan: dict[str, Any], db: Connection, perform: Perform) -> None:
    project = Erp(db).project(**plan)
    perform(ID, NINE)
    assert (summary(db, project).planned_pct, summary(db, project).variance_pct, summary(db, project).progress_pct) == (None, None, 50)


@pytest.mark.parametrize(("columns", "kept"), [({"status": "ST30"}, True), ({"is_active": False}, False), ({"is_archived": True}, False)], ids=str)
def test_projects_that_nobody_keeps_are_left_alone_and_leave_the_boards(columns: dict[str, Any], kept: bool, db: Connection, perform: Perform) -> None:
    project = _arrange(Erp(db), TODAY)
    perform(ID, NINE)
    for name, value in columns.items():
        db.execute(text(f"update erp.projects set {name} = :v"), {"v": value})
    db.execute(text("update erp.project_tasks set progress_percent = 60"))
    counters = perform(ID, TEN)["counters"]
    assert progress(db) == {project: 60 if kept else 30}
    assert (summary(db, project) is not None, counters["dropped"]) == (kept, 0 if kept else 1)


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_task_whose_progress_is_no_percentage_leaves_its_project_as_it_is(percent: int, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    broken, sound = erp.project(project_code="PJ-1"), _arrange(erp, TODAY)
    erp.task(project_id=broken, progress_percent=80)
    task = erp.task(project_id=broken, progress_percent=percent)
    erp.task(project_id=sound, status="CANCELLED", progress_percent=percent)
    answer = perform(ID, NINE)
    assert (answer["state"], progress(db), summary(db, broken)) == ("partial", {broken: 50, sound: 30}, None)
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert tuple(item) == ("PROJECT_TASK", f"PJ-1-T{task}", "failed", f"progress is {percent} percent")
