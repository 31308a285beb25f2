"""Which company do the scans read? A million issues in a database that is copied for every round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import count

from infra.local.postgres import Postgres, migrate
from shared.db import new_engine
from tests.conftest import register

JOB, RULE = "check_overdue_issues", "ISSUE_OVERDUE"
DAY = date(2026, 3, 2)
TICKS = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (21, 22, 23)]  # before anybody is reminded that day
SHARE = 20  # one issue of so many is overdue
_copies = count(1)

# Nobody is told: the people are inactive, and who is told what is another measurement (fan_out).
_PEOPLE = """
  insert into erp.users (username, real_name, is_active) select 'u' || g, '用户' || g, false from generate_series(1, 200) g;
  insert into erp.projects (project_code, project_name, status, progress_pct, planned_start_date, planned_end_date, pm_id)
    select 'PJ' || g, '项目' || g, 'ST08', 50, '2026-01-01', '2026-12-31', 1 + g % 200 from generate_series(1, 100) g"""
_ISSUES = """
  insert into erp.issues (issue_no, title, issue_type, severity, priority, status, project_id, assignee_id, reporter_id,
                          due_date, created_at)
  select 'IS-' || g, '问题' || g, 'QUESTION', 'MINOR', 'MEDIUM', 'OPEN', 1 + g % 100, 1 + g % 200, 1 + (g + 7) % 200,
         date '{day}' + case when g % {share} = 0 then -(1 + g / {share} % 10) else 1 + g % 90 end, '2026-01-01'
  from generate_series(1, {rows}) g"""


class Company:
    """A database as it stands before the first scan."""

    def __init__(self, server: Postgres, rows: int) -> None:
        self.server, self.rows, self.overdue = server, rows, rows // SHARE
        self._name = f"company_{rows}"
        url = server.create_database(self._name)
        migrate(url)
        engine = new_engine(url, socket_timeout=600)
        with engine.connect() as db:
            db.exec_driver_sql(_PEOPLE)
            db.exec_driver_sql(_ISSUES.format(day=DAY, share=SHARE, rows=rows))
            register(db, JOB)
            db.exec_driver_sql("vacuum analyze")
        engine.dispose()

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The address of a copy that nobody has touched."""
        name = f"{self._name}_{next(_copies)}"
        yield self.server.create_database(name, self._name)
        self.server.drop_database(name)
