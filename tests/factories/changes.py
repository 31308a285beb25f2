"""What is to be changed, and who has to agree?"""

from typing import Any

from shared.erp import tables
from tests.factories.projects import Projects
from tests.factories.rows import LONG_AGO, TODAY, number


class Changes(Projects):
    """Engineering changes, with their evaluations, approvals and tasks."""

    def ecn(self, **columns: Any) -> int:
        return self._row(
            tables.ecns, columns, ecn_no=number("ECN"), ecn_title="夹爪改为快换结构", status="IN_PROGRESS",
            project_id=self.project, applicant_id=lambda: self.user("周婷"),
        )

    def ecn_evaluation(self, **columns: Any) -> int:
        return self._row(
            tables.ecn_evaluations, columns, ecn_id=self.ecn, eval_dept="质量部",
            evaluator_id=lambda: self.user("罗敏"), created_at=LONG_AGO,
        )

    def ecn_approval(self, **columns: Any) -> int:
        return self._row(
            tables.ecn_approvals, columns, ecn_id=self.ecn, approval_level=1, approval_role="QA",
            approver_id=lambda: self.user("高翔"), created_at=LONG_AGO,
        )

    def ecn_task(self, **columns: Any) -> int:
        return self._row(
            tables.ecn_tasks, columns, ecn_id=self.ecn, task_name="更新装配图纸", planned_end=TODAY,
            assignee_id=lambda: self.user("陈伟"),
        )
