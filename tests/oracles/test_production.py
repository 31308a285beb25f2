"""Over random rows, the jobs of production find and work out what the rulebook says, and nothing else."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.oracles import planning
from tests.oracles import production as oracle
from tests.oracles.test_stock_quality import found

SEEDS = [1, 2]


@pytest.mark.parametrize("seed", SEEDS)
def test_alerts_and_reminders(seed: int, db: Connection, perform: Perform) -> None:
    oracle.generate(Erp(db), random.Random(seed), TODAY)
    perform("check_production_plan_alerts", f"{TODAY}T11:00+08:00")
    expected = oracle.plans(db, TODAY)
    assert found(db, "PRODUCTION_PLAN") == expected
    assert {level for level, _ in expected.values()} == {"WARNING", "CRITICAL", "URGENT"}

    for clock in ("09:00", "18:00"):
        perform("check_work_report_timeout", f"{TODAY}T{clock}+08:00")
        silent = oracle.silent(db, datetime.fromisoformat(f"{TODAY}T{clock}+08:00"))
        assert found(db, "WORK_REPORT_TIMEOUT") == silent
        assert {level for level, _ in silent.values()} == {"INFO", "WARNING", "CRITICAL"}

    perform("check_equipment_maintenance_reminder", f"{TODAY}T08:30+08:00")
    overdue, reminded = oracle.maintenance(db, TODAY)
    assert found(db, "EQUIPMENT_MAINTENANCE") == overdue
    assert {level for level, _ in overdue.values()} == {"WARNING", "CRITICAL", "URGENT"}
    keys = text("select dedupe_key from belfry.notifications where type = 'EQUIPMENT_MAINTENANCE_REMINDER'")
    assert set(db.execute(keys).scalars()) == reminded
    assert len(reminded) > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_the_daily_report(seed: int, db: Connection, perform: Perform) -> None:
    oracle.generate(Erp(db), random.Random(seed), TODAY)
    days = [TODAY - timedelta(back) for back in (3, 2, 1)]
    perform("generate_production_daily_reports", f"{TODAY}T05:00+08:00")
    expected = oracle.daily(db, days)
    rows: dict[Any, Any] = {(r["report_date"], r["workshop_id"]): r for r in db.execute(text("select * from belfry.production_daily_reports")).mappings()}
    assert rows.keys() == expected.keys()
    assert {key: {name: rows[key][name] for name in figures} for key, figures in expected.items()} == expected
    assert any(figures["overtime_hours"] for figures in expected.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_production_plan(seed: int, db: Connection, perform: Perform) -> None:
    planning.generate(Erp(db), random.Random(seed), TODAY)
    perform("production_plan", f"{TODAY}T22:00+08:00")
    expected = planning.plan(db, TODAY)
    orders = db.execute(text("select material_id, order_type, qty, release_date, due_date, exception_code from belfry.planned_orders order by 1, 5"))
    assert [tuple(order) for order in orders] == expected.orders
    told = db.execute(text("select code, subject from belfry.plan_exceptions where code <> 'CAPACITY'"))
    assert {tuple(one) for one in told} == expected.warnings
    assert {code for code, _ in expected.warnings} == {"RELEASE_LATE", "EXPEDITE", "DEFER", "CANCEL", "NO_BOM", "NO_LEAD_TIME"}
    assert found(db, "PLAN_EXCEPTION") == expected.alerts
    loops = db.execute(text("select count(*) from belfry.execution_items where item_type = 'MATERIAL' and status = 'failed'")).scalar_one()
    assert loops == expected.loops
    progress = db.execute(text("select id, progress, status from erp.production_plans"))
    assert {plan.id: (plan.progress, plan.status) for plan in progress} == expected.plans
