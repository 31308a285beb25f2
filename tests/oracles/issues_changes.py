"""What should the jobs of issues and engineering changes do? The rulebook row by row, over random rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from infra.local.demo.rows import Factory
from tests.factories import Erp

SHANGHAI = ZoneInfo("Asia/Shanghai")
OPEN = ("OPEN", "PROCESSING")
PRIORITIES = ["LOW", "MEDIUM", "HIGH", "URGENT"]
STATUSES = ["OPEN"] * 6 + ["PROCESSING"] * 4 + ["RESOLVED", "RESOLVED", "CLOSED", "CANCELLED", "DEFERRED", "DELETED"]
AGE_LIMIT = {"LOW": 14, "MEDIUM": 7, "HIGH": 3, "URGENT": 1}
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
Row = Any


# ---------------------------------------------------------------- rows
def generate(erp: Erp, rng: random.Random, day: date) -> None:
    """Six hundred issues with what is remembered of them, two hundred changes with their parts, around every threshold."""
    factory = Factory(erp.conn, day)
    bosses = [erp.user() for _ in range(2)]
    people: list[int | None] = [*(erp.user(manager_id=rng.choice([*bosses, None])) for _ in range(5)), None]
    erp.role("QA", role_name="质量", users=bosses)
    projects: list[int | None] = [erp.project(pm_id=person) for person in people]
    projects += [erp.project(**over) for over in ({"status": "ST30"}, {"is_active": False}, {"is_archived": True})]
    projects.append(None)

    def near(clock: str, *days: int) -> datetime:
        """An instant so many days before that clock's time of the day, or a minute to either side."""
        at = datetime.combine(day, time.fromisoformat(clock), SHANGHAI)
        return at - rng.choice(days) * DAY + rng.choice((-MINUTE, timedelta(0), MINUTE, -5 * HOUR))

    numbers = range(1, 601)
    made = {n: near(rng.choice(("01:00", "01:30", "00:00")), 0, 1, 2, 3, 7, 8, 14, 30, 60) for n in numbers}
    issues = []
    for n in numbers:
        status = rng.choice(STATUSES)
        solved = near("00:00", -1, 0, 1, 2, 20, 29, 30) if status in ("RESOLVED", "CLOSED") or rng.random() < 0.1 else None
        closed = near("00:00", 0, 1) if status == "CLOSED" or rng.random() < 0.04 else None
        issues.append((
            n, f"IS-{n}", "夹具定位偏差", rng.choice(("PROJECT", "TASK", "ACCEPTANCE", "现场")),
            rng.choice(("DEFECT", "DEVIATION", "RISK", "BLOCKER", "SUGGESTION", "QUESTION", "OTHER")),
            rng.choice(("CRITICAL", "MAJOR", "MINOR")), rng.choice(PRIORITIES), status, rng.choice(projects),
            rng.random() < 0.2, rng.choice(people), rng.choice(people),
            rng.choice([None, day - 3 * DAY, day - 2 * DAY, day - DAY, day]), made[n], solved, closed,
            near("01:00", 0, 1, 6, 7, 8, 20) if rng.random() < 0.6 else None,
        ))
    factory.insert(
        "erp.issues",
        "id issue_no title category issue_type severity priority status project_id is_blocking reporter_id assignee_id "
        "due_date created_at resolved_at closed_at last_follow_up_at", issues,
    )
    factory.insert(
        "erp.issue_follow_ups", "issue_id follow_up_type content operator_name created_at run_id",
        [(n, "COMMENT", "已联系", "陈伟", made[n] + rng.choice((-1, 1, 5, 30)) * HOUR, None if rng.random() < 0.8 else
          "00000000-0000-0000-0000-000000000009") for n in rng.choices(numbers, k=700)],
    )
    factory.insert(
        "belfry.issue_escalations", "issue_id priority priority_changed_at last_auto_escalated_at escalation_tier",
        [(n, issues[n - 1][6] if rng.random() < 0.85 else rng.choice(PRIORITIES),
          rng.choice((None, near("01:30", 1, 3, 7, 14))), rng.choice((None, near("01:30", 0, 1, 7, 8), near("01:00", 1, 7))),
          rng.choice((0, 0, 0, 1, 2, 3)) if issues[n - 1][6] == "URGENT" else 0) for n in rng.sample(numbers, 350)],
    )

    ecns = range(1, 201)
    factory.insert(
        "erp.ecns", "id ecn_no ecn_title project_id status applicant_id",
        [(n, f"ECN-{n}", "夹爪改型", rng.choice(projects),
          rng.choice(("DRAFT", "EVALUATING", "APPROVING", "EXECUTING", "COMPLETED", "CLOSED", "CANCELLED", "REJECTED")),
          rng.choice(people)) for n in ecns],
    )
    words = ("PENDING", "PENDING", "PENDING", "COMPLETED")

    def times() -> tuple[datetime, datetime | None]:
        began = near("09:00", 0, 2, 3, 4, 6, 7, 11, 20)
        return began, rng.choice((None, None, near("09:00", -2, 0, 1, 4, 8), began - HOUR if rng.random() < 0.1 else None))

    factory.insert(
        "erp.ecn_evaluations", "id ecn_id eval_dept evaluator_id status created_at due_at",
        [(n, rng.choice(ecns), "质量部", rng.choice(people), rng.choice(words), *times()) for n in range(1, 301)],
    )
    factory.insert(
        "erp.ecn_approvals", "id ecn_id approval_level approval_role approver_id status created_at due_at",
        [(n, rng.choice(ecns), 1, "QA", rng.choice(people), rng.choice(words), *times()) for n in range(1, 301)],
    )
    factory.insert(
        "erp.ecn_tasks", "id ecn_id task_name assignee_id planned_end status",
        [(n, rng.choice(ecns), "改图", rng.choice(people), rng.choice([None, *(day - k * DAY for k in (-1, 0, 1, 3, 4, 7, 8))]),
          rng.choice(("PENDING", "IN_PROGRESS", "COMPLETED"))) for n in range(1, 301)],
    )
    factory.insert("belfry.approval_overdue", "approval_id overdue_since", [(n, near("09:00", 9)) for n in range(1, 301, 3)])


# ---------------------------------------------------------------- issues (jobs 7 and 34)
@dataclass
class Issue:
    """An issue, and what Belfry remembers of it: whether it does, since when its priority, the last step, the tier."""

    row: Row
    project: Row | None
    priority: str
    since: datetime | None = None
    last: datetime | None = None
    tier: int = 0
    seen_as: str | None = None
    stepped: str = ""  # what a night did to it: RAISED, HANDED_OVER

    def is_judged(self) -> bool:
        kept = self.project is None or (self.project.is_active and not self.project.is_archived)
        return self.row.status in OPEN and self.row.closed_at is None and kept

    def step(self, now: datetime) -> None:
        self.last = now
        if self.priority == "URGENT":
            self.tier, self.stepped = self.tier + 1, "HANDED_OVER"
        else:
            self.priority = PRIORITIES[PRIORITIES.index(self.priority) + 1]
            self.since, self.tier, self.stepped = now, 0, "RAISED"
        self.seen_as = self.priority

    def notice(self, now: datetime) -> None:
        """A priority that is not the one last seen was set by a person."""
        if self.seen_as not in (None, self.priority):
            self.since, self.tier = now, 0
        self.seen_as = self.priority

    def alerted(self) -> bool:
        counts_from = self.since or self.row.created_at
        same = self.seen_as == self.priority == "URGENT"
        return self.is_judged() and same and self.last is not None and self.last >= counts_from

    def concerned(self) -> set[str]:
        manager = self.project.pm_id if self.project else None
        people = [p for p in (self.row.assignee_id, manager) if p] or [p for p in (self.row.reporter_id,) if p]
        return {f"USER:{person}" for person in people}

    def taken_by(self) -> set[str]:
        manager = f"USER:{self.project.pm_id}" if self.project and self.project.pm_id else "ROLE:PMO"
        if self.tier == 1:
            return {f"MGR:{self.row.assignee_id}" if self.row.assignee_id else manager}
        return {manager if self.tier == 2 else "ROLE:PMO"}


def issues(db: Connection) -> dict[int, Issue]:
    """Every issue as it stands."""
    known = {row.issue_id: row for row in db.execute(text("select * from belfry.issue_escalations"))}
    projects = {row.id: row for row in db.execute(text("select * from erp.projects"))}
    found = {}
    for row in db.execute(text("select * from erp.issues order by id")):
        issue = found[row.id] = Issue(row, projects.get(row.project_id), row.priority)
        if row.id in known:
            kept = known[row.id]
            issue.since, issue.last = kept.priority_changed_at, kept.last_auto_escalated_at
            issue.tier, issue.seen_as = kept.escalation_tier, kept.priority
    return found


def may_move(issue: Issue) -> bool:
    return issue.priority != "URGENT" or issue.tier < 3


def forgotten_night(found: Iterable[Issue], now: datetime) -> None:
    """Job 7: nobody touched it for over seven days, no automatic step within seven days."""
    for issue in found:
        if issue.is_judged() and now - (issue.row.last_follow_up_at or issue.row.created_at) > 7 * DAY:
            issue.notice(now)
            if may_move(issue) and (issue.last is None or now - issue.last >= 7 * DAY):
                issue.step(now)


def old_night(found: Iterable[Issue], now: datetime) -> None:
    """Job 34: too long in its priority, no automatic step within a day."""
    for issue in found:
        if issue.is_judged():
            issue.notice(now)
            age = now - (issue.since or issue.row.created_at)
            rested = issue.last is None or now - issue.last >= DAY
            if age > AGE_LIMIT[issue.priority] * DAY and rested and may_move(issue):
                issue.step(now)


# ---------------------------------------------------------------- statistics (job 8)
def statistics(db: Connection, day: date) -> dict[str, Any]:
    """The row about the day before `day`."""
    about = day - DAY
    ends = datetime.combine(day, time(), SHANGHAI)
    begins, month_ago = ends - DAY, ends - 30 * DAY
    answered: dict[int, list[datetime]] = {}
    for follow_up in db.execute(text("select * from erp.issue_follow_ups where run_id is null")):
        answered.setdefault(follow_up.issue_id, []).append(follow_up.created_at)
    every = [row for row in db.execute(text("select * from erp.issues")) if row.status != "DELETED"]
    there = [row for row in every if row.created_at < ends]
    unsolved = [row for row in there if row.status in OPEN]
    solved = [row for row in every if row.resolved_at and row.resolved_at >= row.created_at]
    today = [row for row in solved if begins <= row.resolved_at < ends]
    rolling = [row for row in solved if month_ago <= row.resolved_at < ends]

    def resolve(rows: list[Row]) -> Decimal | None:
        return _mean([(row.resolved_at - row.created_at) / HOUR for row in rows])

    def response(rows: list[Row]) -> Decimal | None:
        first = [(min((a for a in answered.get(r.id, []) if a >= r.created_at), default=None), r) for r in rows]
        return _mean([(at - row.created_at) / HOUR for at, row in first if at])

    def counted(name: str) -> dict[str, int]:
        return dict(Counter("none" if getattr(row, name) is None else str(getattr(row, name)) for row in there))

    return {
        "snapshot_date": about, "total": len(there),
        **{f"by_{short}": counted(name) for short, name in (
            ("status", "status"), ("severity", "severity"), ("priority", "priority"), ("type", "issue_type"),
            ("category", "category"), ("project", "project_id"))},
        "blocking": sum(row.is_blocking or row.issue_type == "BLOCKER" for row in unsolved),
        "overdue": sum(row.due_date is not None and row.due_date < about for row in unsolved),
        "new_count": sum(begins <= row.created_at < ends for row in there),
        "resolved_count": sum(bool(row.resolved_at) and begins <= row.resolved_at < ends for row in there),
        "closed_count": sum(bool(row.closed_at) and begins <= row.closed_at < ends for row in there),
        "avg_response_h": response(today), "avg_resolve_h": resolve(today),
        "extras": (len(rolling), response(rolling), resolve(rolling)),
    }  # fmt: skip


def _mean(hours: list[float]) -> Decimal | None:
    if not hours:
        return None
    exact = sum((Decimal(str(round(hour * 3600, 3))) for hour in hours), Decimal()) / 3600 / len(hours)
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


# ---------------------------------------------------------------- engineering changes (job 27)
def changes(db: Connection, now: datetime) -> tuple[dict[tuple[str, int], tuple[str, set[str]]], dict[int, datetime], set[str]]:
    """What waits too long -> its level and whom it tells; approvals overdue since; what cannot be judged."""
    projects = {row.id: row for row in db.execute(text("select * from erp.projects"))}
    ecns = {row.id: row for row in db.execute(text("select * from erp.ecns"))}
    day = now.astimezone(SHANGHAI).date()
    told, approvals, broken = dict[tuple[str, int], tuple[str, set[str]]](), dict[int, datetime](), set[str]()

    def runs(ecn: Row) -> bool:
        project = projects.get(ecn.project_id)
        lives = project is None or (project.is_active and not project.is_archived and project.status not in ("ST30", "ST99"))
        return lives and ecn.status not in ("COMPLETED", "CLOSED", "CANCELLED", "REJECTED")

    def tell(kind: str, row: Row, days: int, asked: str | None) -> None:
        level = "WARNING" if days <= 3 else "CRITICAL" if days <= 7 else "URGENT"
        project = projects.get(ecns[row.ecn_id].project_id)
        people = {asked} if asked else set()
        if level != "WARNING" and project and project.pm_id:
            people.add(f"USER:{project.pm_id}")
        told[kind, row.id] = (level, people)

    def applicant(row: Row, person: int | None) -> str | None:
        somebody = person or ecns[row.ecn_id].applicant_id
        return f"USER:{somebody}" if somebody else None

    for kind in ("EVALUATION", "APPROVAL"):
        for row in db.execute(text(f"select * from erp.ecn_{kind.lower()}s where status = 'PENDING'")):
            if not runs(ecns[row.ecn_id]):
                continue
            if row.due_at and row.due_at < row.created_at:
                broken.add(f"{ecns[row.ecn_id].ecn_no}/{row.id}")
                continue
            due = row.due_at or row.created_at + 3 * DAY
            if now > due:
                if kind == "APPROVAL":
                    approvals[row.id] = due
                    asked: str | None = f"USER:{row.approver_id}" if row.approver_id else f"ROLE:{row.approval_role}"
                else:
                    asked = applicant(row, row.evaluator_id)
                tell(f"ECN_{kind}", row, (now - due) // DAY, asked)
    for row in db.execute(text("select * from erp.ecn_tasks where status in ('PENDING', 'IN_PROGRESS')")):
        if runs(ecns[row.ecn_id]) and row.planned_end and row.planned_end < day:
            tell("ECN_TASK", row, (day - row.planned_end).days, applicant(row, row.assignee_id))
    return told, approvals, broken
