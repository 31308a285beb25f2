"""What has gone wrong?"""

from typing import Any

from sqlalchemy import insert

from shared.erp import side_tables, tables
from tests.factories.projects import Projects
from tests.factories.rows import LONG_AGO, number


class Issues(Projects):
    """Issues, their follow-ups, and what Belfry remembers of them."""

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

    def escalation(self, issue_id: int, **columns: Any) -> int:
        """What Belfry remembers of an issue: of medium priority, and never moved."""
        row = {"issue_id": issue_id, "priority": "MEDIUM"} | columns
        self.conn.execute(insert(side_tables.issue_escalations).values(row))
        return issue_id
