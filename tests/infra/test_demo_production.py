"""The jobs of production, over the demo factory, find exactly what its titles promise."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from infra.local.demo import populate, shopfloor
from tests.conftest import Perform
from tests.infra.test_demo_jobs import DAYS, levels, morning, promises

__all__ = ["morning"]


def test_production_plans(morning: Any, db: Connection) -> None:
    morning("check_production_plan_alerts", "11:00")
    assert levels(db, "PRODUCTION_PLAN") == promises(db, "production_plans", "plan_name")


def test_silent_work_orders(morning: Any, db: Connection) -> None:
    morning("check_work_report_timeout", "09:00")
    own = {"tasks": [task for task, *_ in shopfloor.SILENT]}
    rows = db.execute(text("select id, task_name from erp.work_orders where task_name = any(cast(:tasks as text[]))"), own)
    said = {row.id: re.findall(r"：(\w+)】$", row.task_name)[0] for row in rows}
    told = levels(db, "WORK_REPORT_TIMEOUT")
    assert {order: told.get(order, "不预警") for order in said} == said
    assert set(said.values()) == {"不预警", "INFO", "WARNING", "CRITICAL"}


def test_equipment(morning: Any, db: Connection) -> None:
    morning("check_equipment_maintenance_reminder", "08:30")
    assert levels(db, "EQUIPMENT_MAINTENANCE") == promises(db, "equipment", "equipment_name")
    told = db.execute(text("select facts ->> 'target_name' as name, severity from belfry.notifications where type = 'EQUIPMENT_MAINTENANCE_REMINDER'"))
    names = db.execute(text("select equipment_name from erp.equipment where equipment_name ~ '【提醒'")).scalars()
    assert {row.name: row.severity for row in told} == {name: re.findall(r"(\w+)】", name)[0] for name in names}


def test_the_production_report_of_yesterday(morning: Any, db: Connection) -> None:
    morning("generate_production_daily_reports", "05:00")
    latest = text("select * from belfry.production_daily_reports where report_date = (select max(report_date) from belfry.production_daily_reports) order by workshop_id nulls first")
    plant, *shops = db.execute(latest).all()
    assert len(shops) == len(shopfloor.WORKSHOP)
    assert (plant.completed_qty, plant.actual_hours, plant.pass_rate) > (0, 0, 50)
    assert (plant.new_exception_count, plant.resolved_exception_count) == (1, 1)
    assert plant.actual_attend >= max(shop.actual_attend for shop in shops)
    # Yesterday rested: workshops in which nothing was planned or done hear nothing.
    busy = [shop for shop in shops if shop.plan_qty or shop.actual_hours or shop.new_exception_count or shop.resolved_exception_count]
    assert busy
    assert db.execute(text("select count(*) from belfry.notifications where type = 'DIGEST_PRODUCTION'")).scalar_one() == 1 + len(busy)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_production_plan(day: date, db: Connection, perform: Perform) -> None:
    populate(db, day)
    assert perform("production_plan", f"{day}T22:00+08:00")["state"] == "succeeded"
    first = {"first": shopfloor.FIRST_MATERIAL, "last": shopfloor.FIRST_MATERIAL + len(shopfloor.PRODUCTS)}
    rows = db.execute(text("select id, material_name from erp.materials where id >= :first and id < :last"), first)
    said = {row.id: re.findall(r"：(\w+)）$", row.material_name)[0] for row in rows}
    planned = db.execute(text("select material_id, coalesce(max(exception_code), '建议') as code from belfry.planned_orders group by 1"))
    found = {row.material_id: row.code for row in planned}
    assert {material: found.get(material, "不建议") for material in said} == said
    codes = set(db.execute(text("select distinct code from belfry.plan_exceptions")).scalars())
    assert codes >= {"RELEASE_LATE", "NO_BOM", "NO_LEAD_TIME", "EXPEDITE", "DEFER", "CANCEL"}
    late = text("select a.target_no from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id where r.rule_code = 'PLAN_EXCEPTION'")
    assert "CP-03" in db.execute(late).scalars().all()
    assert day + timedelta(90) >= db.execute(text("select max(due_date) from belfry.planned_orders")).scalar_one()
