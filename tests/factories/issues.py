"""What has gone wrong?"""

from typing import Any

from shared.erp import tables
from tests.factories.projects import Projects
from tests.factories.rows import LONG_AGO, number


class Issues(Projects):
    """Issues and their follow-ups."""

    def issue(self, **columns: Any) -> int:
        """An open question of medium priority without a due date."""
        return self._row(
            tables.issues, columns, issue_no=number("IS"), title="夹具定位偏差", issue_type="QUESTION", severity="MINOR",
            project_id=self.project, assignee_id=lambda: self.user("陈伟"), reporter_id=lambda: self.user("周婷"),
            created_at=LONG_AGO,
        )

    def issue_follow_up(self, **columns: Any) -> int:
        return self._row(
            tables.issue_follow_ups, columns, issue_id=self.issue, follow_up_type="COMMENT", content="已联系供应商"
        )
