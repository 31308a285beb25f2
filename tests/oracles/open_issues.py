"""What should the jobs of overdue and of blocking issues say? The rulebook row by row, over random rows."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from infra.local.demo.rows import Factory
from tests.factories import Erp
from tests.oracles.reading import LEVELS, Found, Row, Rows, days_near, shifted, users

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def generate(erp: Erp, rng: random.Random, day: date) -> None:
    """Four hundred issues in every status, of projects that live or not, due and raised around every threshold."""
    factory = Factory(erp.conn, day)
    people = [*(erp.user(is_active=n > 0) for n in range(6)), None]
    projects = [erp.project(pm_id=person, status=status) for person in people for status in ("ST08", "ST22", "ST30")]
    projects += [erp.project(is_active=False), erp.project(is_archived=True), None, None]
    now = datetime(day.year, day.month, day.day, 9, 5, tzinfo=SHANGHAI)
    statuses = ["OPEN"] * 5 + ["PROCESSING"] * 4 + ["RESOLVED", "CLOSED", "CANCELLED", "DEFERRED", "DELETED"]
    kinds = ["BLOCKER", "DEFECT", "DEVIATION", "RISK", "SUGGESTION", "QUESTION", "OTHER"]
    issues = []
    for n in range(1, 401):
        raised = now - rng.choice((0, 1, 23, 24, 25, 48, 71, 72, 73, 96, 500)) * HOUR + rng.choice((-MINUTE, 0 * MINUTE, MINUTE))
        status = rng.choice(statuses)
        closed = raised + MINUTE if status == "CLOSED" or rng.random() < 0.05 else None
        issues.append((
            n, f"IS-{n}", f"问题{n}", rng.choice(kinds), rng.choice(("CRITICAL", "MAJOR", "MINOR")),
            rng.choice(("LOW", "MEDIUM", "HIGH", "URGENT")), status, rng.choice(projects), rng.random() < 0.3,
            rng.choice(people), rng.choice(people), days_near(rng, day, -9, 3, none=0.2), raised, closed,
        ))  # fmt: skip
    factory.insert(
        "erp.issues",
        "id issue_no title issue_type severity priority status project_id is_blocking reporter_id assignee_id due_date "
        "created_at closed_at", issues,
    )  # fmt: skip


def is_open(issue: Row) -> bool:
    return issue.status in ("OPEN", "PROCESSING")


def blocks(issue: Row) -> bool:
    return issue.is_blocking or issue.issue_type == "BLOCKER"


def manager(rows: Rows, issue: Row) -> int | None:
    project = rows.project(issue.project_id)
    return project.pm_id if project else None


# ---------------------------------------------------------------- job 5
def overdue(db: Connection, day: date) -> tuple[Found, set[str]]:
    """Level and people of each overdue issue, and those that are open and closed at once."""
    rows, found, broken = Rows(db), dict[int, Any](), set()
    for issue in rows.issues:
        if not is_open(issue) or issue.due_date is None or issue.due_date >= day:
            continue
        if issue.closed_at is not None:
            broken.add(issue.issue_no)
        elif rows.kept(issue.project_id):
            late = (day - issue.due_date).days
            level = "CRITICAL" if late >= 7 else "WARNING" if late >= 3 else "INFO"
            people = users(issue.assignee_id or issue.reporter_id, manager(rows, issue))
            found[issue.id] = shifted(level, int(issue.priority == "URGENT")), people
    return found, broken


def reminders(db: Connection, day: date) -> dict[str, set[str]]:
    """Per person the issues they are reminded of on the second day that a run looks at the same rows.

    Whose alert is new or rose today hears of it by the alert itself.
    """
    rows = Rows(db)
    active = {f"USER:{user.id}" for user in rows.users if user.is_active}
    names = {issue.id: issue.issue_no for issue in rows.issues}
    (before, _), (now, _) = overdue(db, day - timedelta(days=1)), overdue(db, day)
    listed: dict[str, set[str]] = defaultdict(set)
    for issue, (level, people) in now.items():
        if issue in before and LEVELS.index(before[issue][0]) >= LEVELS.index(level):
            for person in people & active:
                listed[person].add(names[issue])
    return dict(listed)


# ---------------------------------------------------------------- job 6
def blocking(db: Connection, now: datetime) -> tuple[Found, set[str]]:
    """Level and people of each issue that blocks, and those that are open and closed at once."""
    rows, found, broken = Rows(db), dict[int, Any](), set()
    for issue in rows.issues:
        if not is_open(issue) or not blocks(issue):
            continue
        if issue.closed_at is not None:
            broken.add(issue.issue_no)
        elif rows.kept(issue.project_id) and issue.created_at <= now:
            hours = (now - issue.created_at) / HOUR
            level = "URGENT" if hours >= 72 else "CRITICAL" if hours >= 24 else "WARNING"
            lonely = issue.project_id is None or issue.assignee_id is None
            people = users(issue.assignee_id, manager(rows, issue), issue.reporter_id if lonely else None)
            found[issue.id] = level, people | (set() if level == "WARNING" else {"ROLE:PMO"})
    return found, broken


def blocked_projects(db: Connection) -> set[int]:
    """Kept projects that an issue blocks now, or did when their colour was judged last."""
    rows = Rows(db)
    now = {issue.project_id for issue in rows.issues if is_open(issue) and blocks(issue)}
    before = {row.project_id for row in rows.project_health if any(r["code"] == "ISSUE_BLOCKING" for r in row.reasons)}
    return {project.id for project in rows.projects if project.id in now | before and rows.kept(project.id)}
