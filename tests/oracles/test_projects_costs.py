"""Over random rows and several days, the jobs of projects and their costs say what the rulebook says, and nothing else."""

import random
from datetime import date, timedelta

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.oracles import projects_costs as oracle
from tests.oracles.reading import told

DAYS = [TODAY, TODAY + timedelta(days=3)]


@pytest.fixture(params=[1, 2])
def firm(request: pytest.FixtureRequest, db: Connection) -> Connection:
    oracle.generate(Erp(db), random.Random(request.param), TODAY)
    return db


def test_milestone_risks(firm: Connection, perform: Perform) -> None:
    for day in DAYS:
        perform("check_milestone_risk_alerts", f"{day}T08:10+08:00")
        expected = oracle.milestone_risks(firm, day)
        assert told(firm, "MILESTONE_RISK") == expected
        assert len({level for level, _ in expected.values()}) >= 3


def test_cost_overruns(firm: Connection, perform: Perform) -> None:
    perform("check_cost_overrun_alerts", f"{TODAY}T10:00+08:00")
    expected = oracle.cost_overruns(firm)
    assert told(firm, "COST_OVERRUN") == expected
    assert len(expected) > 5


def test_delays(firm: Connection, perform: Perform) -> None:
    for day in DAYS:
        perform("check_task_delay_alerts", f"{day}T09:00+08:00")
        assert told(firm, "TASK_DELAY") == oracle.task_delays(firm, day)
        assert told(firm, "WORK_ORDER_DELAY") == oracle.order_delays(firm, day)
        assert oracle.task_delays(firm, day)
        assert oracle.order_delays(firm, day)


def test_overloads(firm: Connection, perform: Perform) -> None:
    perform("check_workload_overload_alerts", f"{TODAY}T11:00+08:00")
    expected = oracle.overloads(firm, TODAY)
    assert told(firm, "WORKLOAD_OVERLOAD") == expected
    assert expected


def test_progress(firm: Connection, perform: Perform) -> None:
    for day in DAYS:
        percent, summaries = oracle.progress(firm, day)
        perform("calculate_progress_summary", f"{day}T09:00+08:00")
        assert {row.id: row.progress_pct for row in firm.execute(text("select id, progress_pct from erp.projects"))} == percent
        kept = firm.execute(text("""select project_id, progress_pct, tasks_total, tasks_done, tasks_blocked, tasks_overdue, milestones_total, milestones_done,
            milestones_overdue, planned_pct, variance_pct from belfry.project_progress_summary"""))
        assert {row.project_id: tuple(row)[1:] for row in kept} == summaries


def test_labor_costs(firm: Connection, perform: Perform) -> None:
    period = date(2026, 2, 1)
    booked, missing = oracle.labor_costs(firm, period)
    perform("calculate_monthly_labor_cost", "2026-03-01T02:00+08:00")
    rows = firm.execute(text("select * from erp.project_costs where source_module = 'TIMESHEET'")).all()
    assert {(row.project_id, row.source_id): (row.hours, row.amount) for row in rows} == booked
    assert len(rows) == len(booked) > 20
    failed = firm.execute(text("select count(*) from belfry.execution_items where status = 'failed' and item_type = 'TIMESHEET'")).scalar_one()
    assert failed == len(missing) > 0
    concerned = {project for project, _ in booked}
    stored = dict(firm.execute(text("select id, actual_cost from erp.projects")).all())
    sums = dict(firm.execute(text("select project_id, sum(amount) from erp.project_costs group by 1")).all())
    assert {project: stored[project] for project in concerned} == {project: sums[project] for project in concerned}
    assert told(firm, "COST_OVERRUN") == oracle.cost_overruns(firm, only=concerned)
