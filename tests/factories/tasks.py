"""What is on people's desks? Tasks, duties, the logs of the company's own system."""

from typing import Any

from sqlalchemy import insert, text

from shared.erp import tables
from shared.taskboard.tables import task_cycles, task_recurrence
from tests.factories.projects import Projects
from tests.factories.rows import LONG_AGO, number


class Tasks(Projects):
    """Tasks of the board, how they come back, duties and log lines."""

    def work_task(self, **columns: Any) -> int:
        """A task in work without any planned time."""
        return self._row(
            tables.work_tasks, columns, task_code=number("TK"), title="调试报告编写", status="PROCESSING",
            assignee_id=lambda: self.user("陈伟"), created_at=LONG_AGO, updated_at=LONG_AGO,
        )

    def recurrence(self, task_id: int, **columns: Any) -> None:
        """How a task comes back: weekly unless told otherwise, and active."""
        given = {"frequency": "WEEKLY", "is_active": True, "every": 1, "missed_count": 0} | columns
        self.conn.execute(insert(task_recurrence).values(task_id=task_id, updated_at=LONG_AGO, **given))

    def cycle(self, task_id: int, cycle_no: int, **columns: Any) -> None:
        """A cycle of a task that is over."""
        given = {"status": "COMPLETED", "progress": 100, "missed_count": 0, "closed_at": LONG_AGO} | columns
        self.conn.execute(insert(task_cycles).values(task_id=task_id, cycle_no=cycle_no, **given))

    def duty(self, **columns: Any) -> int:
        """A duty of a position, done every day."""
        return self._row(
            tables.job_duty_templates, columns, duty_name="设备点检", frequency="DAILY", position_id=self.position
        )

    def log(self, **columns: Any) -> int:
        row = {"at": LONG_AGO, "level": "INFO", "message": "signed in"} | columns
        made = text("insert into erp.system_logs (at, level, message) values (:at, :level, :message) returning id")
        return int(self.conn.execute(made, row).scalar_one())
