"""What should the jobs of projects and their costs find? The rulebook's rules over the same rows, in plain Python."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, insert, text

from shared.erp import side_tables, tables
from tests.factories import Erp
from tests.oracles.reading import Found, Rows, shifted, users


# ---------------------------------------------------------------- job 10
def milestone_risks(db: Connection, day: date) -> Found:
    rows, found = Rows(db), {}
    for m in rows.project_milestones:
        reached = m.actual_date is not None and m.actual_date <= day
        if m.status in ("COMPLETED", "CANCELLED") or reached or not rows.live(m.project_id) or not day <= m.planned_date <= day + timedelta(7):
            continue
        tasks = [t for t in rows.project_tasks if t.milestone_id == m.id and t.status != "CANCELLED"]
        level = None
        if not tasks:
            level = "INFO" if m.is_key else None
        else:
            weights = [Fraction(t.weight) if t.weight > 0 else Fraction(1) for t in tasks]
            done = sum((w for w, t in zip(weights, tasks, strict=True) if t.status == "DONE"), Fraction(0))
            if done * 100 < 80 * sum(weights):
                level = "CRITICAL" if (m.planned_date - day).days <= 3 else "WARNING"
                blocked = any(t.status == "BLOCKED" for t in tasks)
                issue = any(
                    i.project_id == m.project_id and i.status in ("OPEN", "PROCESSING") and (i.is_blocking or i.issue_type == "BLOCKER")
                    for i in rows.issues
                )
                short = any(
                    s.project_id == m.project_id and s.status in ("OPEN", "HANDLING") and s.required_date and s.required_date < m.planned_date
                    for s in rows.material_shortages
                )
                level = shifted(level, int(blocked or issue or short))
        if level:
            found[m.id] = level, users(m.owner_id, rows.project(m.project_id).pm_id)
    return found


# ---------------------------------------------------------------- job 11
def cost_overruns(db: Connection, only: set[int] | None = None) -> Found:
    rows, found = Rows(db), {}
    spent: dict[int, Decimal] = defaultdict(Decimal)
    for cost in rows.project_costs:
        spent[cost.project_id] += cost.amount
    to_come: dict[int, Decimal] = defaultdict(Decimal)
    orders = {o.id: o for o in rows.purchase_orders if o.status in ("APPROVED", "ORDERED", "PARTIAL_RECEIVED")}
    for line in rows.purchase_order_items:
        if line.order_id in orders and 0 <= line.received_qty < line.quantity and line.unit_price is not None:
            to_come[orders[line.order_id].project_id] += (line.quantity - line.received_qty) * line.unit_price
    for p in rows.projects:
        if not p.is_active or p.is_archived or not p.budget_amount or p.budget_amount < 0 or (only is not None and p.id not in only):
            continue
        used = 100 * spent[p.id] / p.budget_amount
        level = "URGENT" if used >= 120 else "CRITICAL" if used >= 110 else "WARNING" if used >= 90 else "INFO" if used >= 80 else None
        if used < 100 <= 100 * (spent[p.id] + round(to_come[p.id], 2)) / p.budget_amount and level in (None, "INFO"):
            level = "WARNING"
        if level:
            more = ({"ROLE:PMO"} | ({f"MGR:{p.pm_id}"} if p.pm_id else set())) if level in ("CRITICAL", "URGENT") else set()
            found[p.id] = level, users(p.pm_id) | more
    return found


# ---------------------------------------------------------------- job 15
def delay_level(days: int) -> str | None:
    return "URGENT" if days >= 7 else "CRITICAL" if days >= 3 else "WARNING" if days >= 1 else None


def task_delays(db: Connection, day: date) -> Found:
    rows, found = Rows(db), {}
    for t in rows.project_tasks:
        if t.status not in ("DONE", "CANCELLED") and t.plan_end and rows.live(t.project_id) and (level := delay_level((day - t.plan_end).days)):
            found[t.id] = shifted(level, int(t.is_critical)), users(t.owner_id, rows.project(t.project_id).pm_id)
    return found


def order_delays(db: Connection, day: date) -> Found:
    rows, found = Rows(db), {}
    managers = {w.id: w.manager_id for w in rows.workshops}
    for o in rows.work_orders:
        if o.status in ("COMPLETED", "APPROVED", "CANCELLED") or not o.plan_end_date or not rows.live(o.project_id):
            continue
        if level := delay_level((day - o.plan_end_date).days):
            project = rows.project(o.project_id)
            found[o.id] = level, users(managers.get(o.workshop_id) or (project and project.pm_id))
    return found


# ---------------------------------------------------------------- job 12
class Calendar:
    def __init__(self, rows: Rows) -> None:
        self._exceptions = {row.day: row.is_workday for row in rows.biz_calendar}

    def workdays(self, first: date, last: date) -> list[date]:
        days = [first + timedelta(n) for n in range((last - first).days + 1)]
        return [d for d in days if self._exceptions.get(d, d.isoweekday() < 6)]


def overloads(db: Connection, day: date) -> Found:
    rows = Rows(db)
    calendar, last = Calendar(rows), day + timedelta(29)
    window = set(calendar.workdays(day, last))
    tasks = {t.id: t for t in rows.project_tasks}

    def running(t: Any) -> bool:
        return t.status not in ("DONE", "CANCELLED") and rows.live(t.project_id)

    bookings = [
        a for a in rows.resource_allocations
        if a.status not in ("COMPLETED", "CANCELLED") and (a.task_id is None or tasks[a.task_id].status not in ("DONE", "CANCELLED"))
        and rows.live(a.project_id or (a.task_id and tasks[a.task_id].project_id))
    ]
    demand: dict[int, Fraction] = defaultdict(Fraction)
    managers: dict[int, set[str]] = defaultdict(set)

    def add(user: int, hours: Fraction, project: Any) -> None:
        if hours > 0:
            demand[user] += hours
            managers[user] |= users(project and project.pm_id)

    for t in tasks.values():
        if not running(t) or not t.owner_id or not t.plan_start or not t.plan_end or t.plan_end < t.plan_start or not 0 <= t.progress_percent <= 100:
            continue
        first, end = max(day, t.plan_start), min(last, t.plan_end)
        covered = any(
            a.task_id == t.id
            or (a.task_id is None and a.user_id == t.owner_id and a.project_id == t.project_id and a.start_date <= end and a.end_date >= first)
            for a in bookings
        )
        if not covered and first <= end:
            add(t.owner_id, Fraction(len(calendar.workdays(first, end)) * 8 * (100 - t.progress_percent), 100), rows.project(t.project_id))
    for a in bookings:
        if a.end_date < a.start_date or (a.planned_hours or 0) < 0 or a.allocation_percent < 0:
            continue
        first, end = max(day, a.start_date), min(last, a.end_date)
        shared = len(calendar.workdays(first, end)) if first <= end else 0
        whole = len(calendar.workdays(a.start_date, a.end_date))
        hours = Fraction(shared * 8) * Fraction(a.allocation_percent) / 100 if a.planned_hours is None else (
            Fraction(a.planned_hours) * shared / whole if whole else Fraction(0))  # fmt: skip
        add(a.user_id, hours, rows.project(a.project_id or (a.task_id and tasks[a.task_id].project_id)))

    heads = {d.id: d.manager_user_id for d in rows.departments}
    workers = {w.id: w.user_id for w in rows.workers}
    leave: dict[int, Fraction] = defaultdict(Fraction)
    for one in rows.worker_leaves:
        if one.day in window and workers[one.worker_id]:
            leave[workers[one.worker_id]] += Fraction(one.hours)
    found = {}
    for u in rows.users:
        standard = len(window) * 8 - leave[u.id]
        if not u.is_active or standard <= 0:
            continue
        load = round(100 * demand[u.id] / standard, 6)
        level = "URGENT" if load > 200 else "CRITICAL" if load > 150 else "WARNING" if load > 110 else None
        if level:
            boss = u.manager_id or heads.get(u.department_id)
            pmo = {"ROLE:PMO"} if boss is None or level in ("CRITICAL", "URGENT") else set()
            found[u.id] = level, managers[u.id] | pmo | ({f"MGR:{u.id}"} if boss else set())
    return found


# ---------------------------------------------------------------- job 13
def progress(db: Connection, day: date) -> tuple[dict[int, Decimal], dict[int, tuple[Any, ...]]]:
    """Every project's percentage, and every kept project's summary."""
    rows = Rows(db)
    percent, summaries = {p.id: p.progress_pct for p in rows.projects}, {}
    for p in rows.projects:
        tasks = [t for t in rows.project_tasks if t.project_id == p.id and t.status != "CANCELLED"]
        if not p.is_active or p.is_archived or any(t.status != "DONE" and not 0 <= t.progress_percent <= 100 for t in tasks):
            continue
        stones = [m for m in rows.project_milestones if m.project_id == p.id and m.status != "CANCELLED"]
        done = [m for m in stones if m.status == "COMPLETED" or (m.actual_date and m.actual_date <= day)]
        if tasks:
            weights = [Decimal(t.weight) if t.weight > 0 else Decimal(1) for t in tasks]
            mean = sum(w * (100 if t.status == "DONE" else t.progress_percent) for w, t in zip(weights, tasks, strict=True)) / sum(weights)
            value = Decimal(100) if all(t.status == "DONE" for t in tasks) else min(Decimal("99.99"), _cents(mean))
        else:
            value = _cents(Decimal(100 * len(done)) / len(stones)) if stones else p.progress_pct
        percent[p.id] = value
        start, end = p.planned_start_date, p.planned_end_date
        plan = None
        if start and end and end > start:
            plan = _cents(max(Decimal(0), min(Decimal(100), Decimal(100 * (day - start).days) / (end - start).days)))
        late = [t for t in tasks if t.status != "DONE" and t.plan_end and t.plan_end < day]
        summaries[p.id] = (
            value, len(tasks), sum(t.status == "DONE" for t in tasks), sum(t.status == "BLOCKED" for t in tasks), len(late), len(stones), len(done),
            sum(m not in done and m.planned_date < day for m in stones), plan, None if plan is None else plan - value,
        )
    return percent, summaries


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), "ROUND_HALF_UP")


# ---------------------------------------------------------------- job 37
def labor_costs(db: Connection, period: date) -> tuple[dict[tuple[int, int], tuple[Decimal, Decimal]], set[tuple[int | None, int]]]:
    """(hours, amount) by project and person, and those that some day has no rate for."""
    rows = Rows(db)
    roles: dict[int, list[int]] = defaultdict(list)
    for one in rows.user_roles:
        roles[one.user_id].append(one.role_id)
    departments = {u.id: u.department_id for u in rows.users}

    def newest(day: date, scope: str, **whom: int | None) -> Decimal | None:
        valid = [
            r for r in rows.hourly_rates
            if r.is_active and r.scope == scope and all(getattr(r, name) == value for name, value in whom.items())
            and (r.effective_date or date.min) <= day <= (r.expiry_date or date.max)
        ]
        return max(valid, key=lambda r: (r.effective_date or date.min, r.id)).hourly_rate if valid else None

    def rate(user: int, day: date) -> Decimal | None:
        own = newest(day, "USER", user_id=user)
        if own is not None:
            return own
        theirs = [r for r in (newest(day, "ROLE", role_id=role) for role in roles[user]) if r is not None]
        if theirs:
            return max(theirs)
        department = newest(day, "DEPT", dept_id=departments[user]) if departments[user] else None
        return department if department is not None else newest(day, "DEFAULT")

    booked, missing = {}, set()
    time = [t for t in rows.timesheets if t.status == "APPROVED" and (t.work_date.year, t.work_date.month) == (period.year, period.month)]
    by_share = lambda t: (t.project_id or 0, t.user_id)  # noqa: E731
    for (project, user), entries in groupby(sorted(time, key=by_share), by_share):
        known = [(t.hours, rate(user, t.work_date)) for t in entries]
        if any(r is None for _, r in known):
            missing.add((project or None, user))
        elif project:
            booked[project, user] = sum((h for h, _ in known), Decimal(0)), _cents(sum((h * r for h, r in known if r is not None), Decimal(0)))
    return booked, missing


# ---------------------------------------------------------------- random rows
def generate(erp: Erp, rng: random.Random, day: date) -> None:
    """Projects in every state with what belongs to them, dates around every threshold, nulls and contradictions."""
    db = erp.conn

    def near(low: int, high: int, none: float = 0.0) -> date | None:
        return None if rng.random() < none else day + timedelta(rng.randint(low, high))

    def put(table: Any, rows: list[Mapping[str, Any]]) -> list[int]:
        return [int(db.execute(insert(table).values(**row).returning(table.c.id)).scalar_one()) for row in rows]

    heads = [erp.user(f"主管{n}") for n in range(3)]
    departments = [erp.department(manager_user_id=rng.choice([*heads, None])) for _ in range(3)]
    for code in ("A", "B", "C"):
        erp.role(code)
    people = [
        erp.user(f"员工{n}", department_id=rng.choice([*departments, None]), manager_id=rng.choice([*heads, None, None]), is_active=rng.random() > 0.1,
                 roles=rng.sample(["A", "B", "C"], rng.randint(0, 2)))
        for n in range(24)
    ]  # fmt: skip
    for person in people[:8]:
        worker = erp.worker(user_id=person)
        for offset in rng.sample(range(-3, 40), rng.randint(0, 12)):
            erp.worker_leave(worker, day + timedelta(offset), hours=rng.choice([4, 8]))
    projects = [
        erp.project(
            pm_id=rng.choice([*people, None]), status=rng.choice(["ST08", "ST12", "ST12", "ST14", "ST30", "ST99"]), is_active=rng.random() > 0.1,
            is_archived=rng.random() < 0.1, progress_pct=rng.choice([0, 33, 50, 100]), budget_amount=rng.choice([None, 0, 1000, 1000, 1000, 3000]),
            actual_cost=rng.choice([None, 0, 900]), planned_start_date=near(-200, 20, 0.1), planned_end_date=near(-30, 100, 0.1))
        for _ in range(30)
    ]  # fmt: skip
    milestones = put(tables.project_milestones, [
        {"project_id": rng.choice(projects), "milestone_code": f"M{n}", "milestone_name": "里程碑", "planned_date": near(-3, 10), "actual_date": near(-9, 5, 0.85),
         "status": rng.choice(["PENDING", "PENDING", "IN_PROGRESS", "DELAYED", "COMPLETED", "CANCELLED"]), "is_key": rng.random() < 0.5,
         "owner_id": rng.choice([*people, None])}
        for n in range(90)
    ])  # fmt: skip
    tasks = put(tables.project_tasks, [
        {"project_id": rng.choice(projects), "milestone_id": rng.choice([*milestones, None]), "task_name": f"任务{n}",
         "status": rng.choice(["TODO", "IN_PROGRESS", "IN_PROGRESS", "BLOCKED", "DONE", "DONE", "CANCELLED"]), "owner_id": rng.choice([*people, None]),
         "plan_start": near(-30, 30, 0.1), "plan_end": near(-10, 45, 0.1), "progress_percent": rng.choice([0, 0, 20, 50, 99, 100] if rng.random() > 0.01 else [140, -1]),
         "weight": rng.choice([1, 1, 4, 0, -2, Decimal("0.5")]), "is_critical": rng.random() < 0.2}
        for n in range(400)
    ])  # fmt: skip
    put(tables.issues, [
        {"issue_no": f"IS-{n}", "title": "问题", "issue_type": rng.choice(["BLOCKER", "DEFECT", "RISK"]), "severity": "MINOR", "created_at": datetime(2026, 1, 1, tzinfo=UTC),
         "status": rng.choice(["OPEN", "PROCESSING", "RESOLVED", "CLOSED"]), "project_id": rng.choice([*projects, None]), "is_blocking": rng.random() < 0.3,
         "task_id": rng.choice([*tasks, None])}
        for n in range(25)
    ])  # fmt: skip
    material = erp.material()
    db.execute(insert(side_tables.material_shortages), [
        {"project_id": rng.choice(projects), "work_order_id": n, "material_id": material, "required_qty": 2, "available_qty": 0, "shortage_qty": 2,
         "required_date": near(-5, 12, 0.2), "status": rng.choice(["OPEN", "HANDLING", "RESOLVED", "CANCELLED"])}
        for n in range(20)
    ])  # fmt: skip
    shops = [erp.workshop(manager_id=rng.choice([*heads, None])) for _ in range(3)]
    put(tables.work_orders, [
        {"work_order_no": f"WO-{n}", "task_name": "工单", "project_id": rng.choice([*projects, None]), "workshop_id": rng.choice([*shops, None]),
         "plan_start_date": near(-20, 5, 0.1), "plan_end_date": near(-9, 9, 0.1),
         "status": rng.choice(["PENDING", "ASSIGNED", "STARTED", "PAUSED", "COMPLETED", "APPROVED", "CANCELLED"])}
        for n in range(120)
    ])  # fmt: skip
    for project in projects:
        for _ in range(rng.randint(0, 4)):
            erp.cost(project_id=project, amount=rng.choice([Decimal("799.99"), 800, 900, 100, 200, -150, 300, 1000]))
        if rng.random() < 0.5:
            erp.purchase_order(
                [{"quantity": 10, "received_qty": rng.choice([0, 4, 10, -1]), "unit_price": rng.choice([None, 10, 20, 50])} for _ in range(2)], project_id=project,
                status=rng.choice(["ORDERED", "APPROVED", "PARTIAL_RECEIVED", "DRAFT", "CANCELLED"]))  # fmt: skip
    for _ in range(60):
        first = day + timedelta(rng.randint(-40, 35))
        erp.allocation(
            user_id=rng.choice(people), project_id=rng.choice([*projects, None]), task_id=rng.choice([*tasks, None, None, None]), start_date=first,
            end_date=first + timedelta(rng.choice([-3, 0, 1, 5, 20, 60])), planned_hours=rng.choice([None, None, 0, 40, 100, 300]),
            allocation_percent=rng.choice([0, 50, 100, 150]), status=rng.choice(["PLANNED", "CONFIRMED", "COMPLETED", "CANCELLED"]))  # fmt: skip
    last = (day.replace(day=1) - timedelta(1)).replace(day=1)
    role_ids = list(db.execute(text("select id from erp.roles where role_code in ('A', 'B', 'C')")).scalars())
    for n in range(40):
        scope = rng.choice(["USER", "USER", "ROLE", "DEPT", "DEPT"])
        whom = {"USER": {"user_id": rng.choice(people)}, "ROLE": {"role_id": rng.choice(role_ids)}, "DEPT": {"dept_id": rng.choice(departments)}}[scope]
        since = rng.choice([None, last + timedelta(rng.randint(-5, 25))])
        until = rng.choice([None, last + timedelta(rng.randint(3, 40))])
        erp.hourly_rate(scope=scope, hourly_rate=60 + n, effective_date=since, expiry_date=until, is_active=rng.random() > 0.1, **whom)
    if rng.random() < 0.5:
        erp.hourly_rate(hourly_rate=55, effective_date=last + timedelta(5))
    put(tables.timesheets, [
        {"user_id": rng.choice(people), "project_id": rng.choice([*projects, None]), "work_date": last + timedelta(rng.randint(-3, 33)),
         "hours": rng.choice([8, 4, Decimal("7.5"), Decimal("0.33")]), "overtime_type": rng.choice(["NORMAL", "OVERTIME", "WEEKEND", "HOLIDAY"]),
         "status": rng.choice(["APPROVED", "APPROVED", "APPROVED", "SUBMITTED", "DRAFT", "REJECTED"]), "approved_at": datetime(2026, 2, 27, tzinfo=UTC)}
        for _ in range(400)
    ])  # fmt: skip
