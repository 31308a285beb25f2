"""The jobs of projects and their costs, over the demo factory, find exactly what its titles promise and the rulebook says."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from infra.local.demo import populate
from tests.oracles import projects_costs as oracle
from tests.oracles.test_projects_costs import told

DAYS = [date(2026, 3, 2), date(2026, 11, 22)]
PROMISE = re.compile(r"【.*：(.+)】$")
NONE = "不预警"


@pytest.fixture(params=DAYS, ids=str)
def morning(request: pytest.FixtureRequest, db: Connection, perform: Any) -> Any:
    """The factory on the morning of a day; `morning(job, "07:00")` runs one tick of a job on it and answers its counters."""
    populate(db, request.param)

    def run(job_id: str, clock: str) -> Any:
        answer = perform(job_id, at=f"{request.param}T{clock}+08:00")
        assert answer["state"] == "succeeded", answer
        return answer["counters"]

    run.day = request.param  # type: ignore[attr-defined]
    return run


def promised(db: Connection, query: str) -> dict[int, str]:
    """What titles promise, by target; at least one of each level and one of nothing."""
    found = {row.id: match[1] for row in db.execute(text(query)) if (match := PROMISE.search(row.title))}
    assert NONE in found.values()
    return {target: promise for target, promise in found.items() if promise != NONE}


def agree(db: Connection, rule: str, expected: oracle.Found, promises: dict[int, str]) -> None:
    found = told(db, rule)
    assert found == expected
    assert {target: found[target][0] for target in promises if target in found} == promises


def test_milestones_at_risk(morning: Any, db: Connection) -> None:
    morning("daily_kit_check", "06:00")
    morning("generate_shortage_alerts", "07:00")
    morning("check_milestone_risk_alerts", "08:10")
    said = promised(db, "select id, milestone_name as title from erp.project_milestones")
    agree(db, "MILESTONE_RISK", oracle.milestone_risks(db, morning.day), said)


def test_cost_overruns(morning: Any, db: Connection) -> None:
    counters = morning("check_cost_overrun_alerts", "10:00")
    said = promised(db, "select project_id as id, description as title from erp.project_costs")
    agree(db, "COST_OVERRUN", oracle.cost_overruns(db), said)
    assert counters["data_defects"] > 0
    assert counters["no_budget"] > 0


def test_delays(morning: Any, db: Connection) -> None:
    morning("check_task_delay_alerts", "09:00")
    tasks = promised(db, "select id, task_name as title from erp.project_tasks where task_name !~ '负荷'")
    agree(db, "TASK_DELAY", oracle.task_delays(db, morning.day), tasks)
    orders = promised(db, "select id, task_name as title from erp.work_orders where work_order_no ~ '^WO-R'")
    agree(db, "WORK_ORDER_DELAY", oracle.order_delays(db, morning.day), orders)


def test_loads(morning: Any, db: Connection) -> None:
    morning("check_workload_overload_alerts", "11:00")
    people = promised(db, "select owner_id as id, task_name as title from erp.project_tasks where task_name ~ '负荷'")
    agree(db, "WORKLOAD_OVERLOAD", oracle.overloads(db, morning.day), people)


def test_progress_is_what_the_projects_say_but_for_two_that_were_never_computed(morning: Any, db: Connection) -> None:
    before = {row.project_code: row.progress_pct for row in db.execute(text("select project_code, progress_pct from erp.projects"))}
    percent, _ = oracle.progress(db, morning.day)
    counters = morning("calculate_progress_summary", "09:00")
    after = {row.id: row for row in db.execute(text("select id, project_code, progress_pct from erp.projects"))}
    assert {target: row.progress_pct for target, row in after.items()} == percent
    assert counters["updated"] >= 2
    exact = {row.project_code for row in after.values() if row.progress_pct == before[row.project_code]}
    assert exact >= {"PJ02", "PJ03", "PJ05", "PJ10", "PJ11"}


def test_labor_cost(morning: Any, db: Connection) -> None:
    last = (morning.day.replace(day=1) - timedelta(days=1)).replace(day=1)
    booked, missing = oracle.labor_costs(db, last)
    morning("calculate_monthly_labor_cost", "02:00")
    rows = db.execute(text("select * from erp.project_costs where source_type = 'LABOR_COST'")).all()
    assert {(row.project_id, row.source_id): (row.hours, row.amount) for row in rows} == booked
    assert not missing
    corrections = db.execute(text("select hours, amount from erp.project_costs where source_type = 'LABOR_CORRECTION'")).all()
    assert [tuple(row) for row in corrections] == [(6, 720)]
