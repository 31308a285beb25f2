"""What is made?"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import insert

from shared.erp import tables
from tests.factories.projects import Projects
from tests.factories.rows import TODAY, number


class Production(Projects):
    """Workshops, workers, plans and work orders."""

    def workshop(self, **columns: Any) -> int:
        return self._row(
            tables.workshops, columns, workshop_code=number("WS"), workshop_name="总装车间",
            manager_id=lambda: self.user("吴刚"),
        )

    def worker(self, **columns: Any) -> int:
        return self._row(
            tables.workers, columns, worker_no=number("WK"), worker_name="郑浩", user_id=lambda: self.user("郑浩"),
            workshop_id=self.workshop,
        )

    def worker_leave(self, worker_id: int, day: date, **columns: Any) -> None:
        self.conn.execute(insert(tables.worker_leaves).values(worker_id=worker_id, day=day, **columns))

    def production_plan(self, **columns: Any) -> int:
        return self._row(
            tables.production_plans, columns, plan_no=number("PP"), plan_name="三月总装计划", project_id=self.project,
            workshop_id=self.workshop, plan_start_date=TODAY, plan_end_date=date(2026, 3, 31), status="EXECUTING",
            owner_id=lambda: self.user("何静"),
        )

    def work_order(self, **columns: Any) -> int:
        """A work order that starts today; without `bom_id` and `machine_id` it has no bill of material."""
        return self._row(
            tables.work_orders, columns, work_order_no=number("WO"), task_name="机架装配", project_id=self.project,
            workshop_id=self.workshop, plan_start_date=TODAY,
        )

    def equipment(self, **columns: Any) -> int:
        return self._row(
            tables.equipment, columns, equipment_code=number("EQ"), equipment_name="立式加工中心",
            workshop_id=self.workshop, keeper_id=lambda: self.user("曹阳"),
        )

    def work_report(self, work_order_id: int, report_time: datetime, **columns: Any) -> int:
        """A progress report; its worker is made with it."""
        return self._row(
            tables.work_reports, columns, work_order_id=work_order_id, report_time=report_time, report_type="PROGRESS",
            worker_id=self.worker,
        )

    def production_exception(self, report_time: datetime, **columns: Any) -> int:
        return self._row(
            tables.production_exceptions, columns, exception_no=number("EX"), exception_type="EQUIPMENT",
            report_time=report_time, status="OPEN",
        )

    def sales_order_line(self, material_id: int, open_qty: Any, due_date: date, **columns: Any) -> int:
        return self._row(
            tables.sales_order_lines, columns, order_no=number("SO"), line_no=1, material_id=material_id,
            open_qty=open_qty, due_date=due_date,
        )
