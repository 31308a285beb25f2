"""Do the jobs of production find the few rows that concern them by an index, among very many that are over and done with?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Select, text
from sqlalchemy.dialects import postgresql

from shared.cronfile.loading import load
from shared.erp import equipment, planning_inputs, production_plans, production_stats, work_reports
from tests.conftest import ROOT
from tests.factories import TODAY, Erp

ROWS = 50_000
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
ZONE = "Asia/Shanghai"
# Tables that grow without end, and how most of their rows look.
FULL = {
    "production_plans": """(plan_no, plan_name, plan_start_date, plan_end_date, status, progress)
        select 'PP-' || g, '计划', cast('2020-01-01' as date) + mod(g, 2000), cast('2020-02-01' as date) + mod(g, 2000), 'COMPLETED', 100""",
    "work_orders": """(work_order_no, task_name, plan_start_date, plan_end_date, status)
        select 'WO-' || g, '装配', cast('2020-01-01' as date) + mod(g, 2000), cast('2020-01-09' as date) + mod(g, 2000), 'COMPLETED'""",
    "work_reports": """(work_order_id, worker_id, report_type, report_time, work_hours)
        select g, 1, 'PROGRESS', cast('2020-01-01' as timestamptz) + make_interval(hours => g), 8""",
    "production_exceptions": """(exception_no, exception_type, report_time, resolved_at, status)
        select 'EX-' || g, 'OTHER', cast('2020-01-01' as timestamptz) + make_interval(hours => g), cast('2020-01-02' as timestamptz) + make_interval(hours => g), 'CLOSED'""",
    "equipment": "(equipment_code, equipment_name, next_maintenance_date) select 'EQ-' || g, '机床', cast('2026-06-01' as date) + mod(g, 300)",
    "sales_order_lines": "(order_no, line_no, material_id, open_qty, due_date) select 'SO-' || g, 1, g, 0, cast('2020-01-01' as date) + mod(g, 2000)",
}


@pytest.fixture
def grown(db: Connection) -> Connection:
    erp = Erp(db)
    db.exec_driver_sql("set session_replication_role = replica")  # no foreign keys: only the plans matter
    for table, rows in FULL.items():
        db.execute(text(f"insert into erp.{table} {rows} from generate_series(1, {ROWS}) g"))
    for _ in range(3):
        order = erp.work_order(status="STARTED", actual_start_time=NOW - timedelta(days=9))
        erp.work_order(status="ASSIGNED", plan_start_date=date(2026, 2, 2))
        erp.work_report(order, NOW - timedelta(days=1))
        erp.production_plan()
        erp.production_exception(NOW - timedelta(days=1))
        erp.equipment(next_maintenance_date=TODAY)
        erp.sales_order_line(erp.material(), 3, TODAY)
    db.exec_driver_sql("vacuum analyze")
    return db


def queries() -> Iterator[tuple[str, Select[Any]]]:
    jobs = load(ROOT / "cron.yaml").jobs
    maintenance = jobs["check_equipment_maintenance_reminder"].params
    span = production_stats.Span.until(TODAY, days_before=2, zone=ZONE, day_hours=8)
    yield "plans", production_plans.deviating(TODAY, **jobs["check_production_plan_alerts"].params)
    yield "plans counted", production_plans.counted()
    yield "plans unjudgeable", production_plans.unjudgeable()
    yield "silent orders", work_reports.silent(NOW, TODAY, ZONE, **jobs["check_work_report_timeout"].params)
    yield "silent orders counted", work_reports.counted()
    yield "silent orders unjudgeable", work_reports.unjudgeable(NOW)
    yield "silent orders contradictory", work_reports.contradictions()
    yield "maintenance overdue", equipment.overdue(TODAY, maintenance["critical_days"], 7)
    yield "maintenance near", equipment.due_soon(TODAY, maintenance["tiers"], maintenance["warning_days"], 7)
    yield "daily figures", production_stats.daily_stats(span)
    yield "daily figures unjudgeable", production_stats.unjudgeable(span)
    yield "plan inputs", planning_inputs.rows(TODAY, TODAY + timedelta(90), TODAY - timedelta(730), str(TODAY))


def test_no_job_of_production_reads_a_grown_table_from_end_to_end(grown: Connection) -> None:
    read = {}
    for name, query in queries():
        said = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
        plan = "\n".join(grown.exec_driver_sql(f"explain {str(said).replace('%', '%%')}").scalars())
        if found := set(re.findall(r"Seq Scan on (\w+)", plan)) & set(FULL):
            read[name] = found
    assert read == {}
