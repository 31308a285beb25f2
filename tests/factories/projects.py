"""Which projects, with what in them?"""

from datetime import date
from typing import Any

from shared.erp import tables
from tests.factories.people import People
from tests.factories.rows import TODAY, number


class Projects(People):
    """Customers, projects, their machines, milestones, tasks and costs; people's time on them."""

    def customer(self, **columns: Any) -> int:
        return self._row(tables.customers, columns, customer_name="宁波海天电子有限公司")

    def project(self, **columns: Any) -> int:
        """A project in the middle of its time: nothing about it is late."""
        return self._row(
            tables.projects, columns, project_code=number("PJ"), project_name="电池模组装配线", status="ST08",
            progress_pct=50, planned_start_date=date(2026, 1, 1), planned_end_date=date(2026, 6, 30),
            pm_id=lambda: self.user("李强"),
        )

    def machine(self, **columns: Any) -> int:
        return self._row(
            tables.machines, columns, project_id=self.project, machine_code=number("M"), machine_name="自动上料机"
        )

    def milestone(self, **columns: Any) -> int:
        return self._row(
            tables.project_milestones, columns, project_id=self.project, milestone_code=number("MS"),
            milestone_name="厂内验收", planned_date=TODAY, owner_id=lambda: self.user("赵敏"),
        )

    def task(self, **columns: Any) -> int:
        return self._row(
            tables.project_tasks, columns, project_id=self.project, task_name="电气接线", status="IN_PROGRESS"
        )

    def cost(self, **columns: Any) -> int:
        return self._row(
            tables.project_costs, columns, project_id=self.project, cost_type="MATERIAL", amount=1000, cost_date=TODAY
        )

    def allocation(self, **columns: Any) -> int:
        return self._row(
            tables.resource_allocations, columns, user_id=self.user, project_id=self.project, start_date=TODAY,
            end_date=date(2026, 3, 31),
        )

    def timesheet(self, **columns: Any) -> int:
        return self._row(
            tables.timesheets, columns, user_id=self.user, project_id=self.project, work_date=TODAY, hours=8
        )

    def hourly_rate(self, **columns: Any) -> int:
        """A rate for everybody since ever; `scope` and its id say otherwise."""
        return self._row(tables.hourly_rates, columns, scope="DEFAULT", hourly_rate=100)
