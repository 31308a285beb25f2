"""What should the jobs of production find and work out? The rulebook row by row, over random rows."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from infra.local.demo.rows import Factory
from tests.factories import Erp

SHANGHAI = ZoneInfo("Asia/Shanghai")
LEVELS = ["INFO", "WARNING", "CRITICAL", "URGENT"]
Row = Any
Alerts = dict[int, tuple[str, set[str]]]  # target: level and recipients


def rows(db: Connection, table: str) -> list[Row]:
    return list(db.execute(text(f"select * from {table} order by 1")))


def generate(erp: Erp, rng: random.Random, day: date) -> None:
    """Workshops, people, plans, orders, reports, exceptions and machines, of every kind and around every threshold."""
    people = [erp.user() for _ in range(6)]
    some: list[int | None] = [*people, None]
    projects: list[int | None] = [erp.project(pm_id=person) for person in people[:3]]
    projects += [erp.project(status="ST30"), erp.project(is_active=False), erp.project(is_archived=True), erp.project(pm_id=None), None]
    factory = Factory(erp.conn, day)

    def near(first: int, last: int, *, none: bool = True) -> date | None:
        return rng.choice([None] * none + [day + timedelta(n) for n in range(first, last)])

    def moment(first: int, last: int) -> datetime:
        return datetime.combine(day + timedelta(rng.randrange(first, last)), time(rng.randrange(24), rng.choice([0, 30, 59])), SHANGHAI)

    factory.insert("erp.workshops", "id workshop_code workshop_name manager_id daily_hours is_active",
                   [(n, f"WS{n}", f"车间{n}", rng.choice(some), 8, n != 4) for n in range(1, 6)])
    shops: list[int | None] = [1, 2, 3, 4, 5, None]
    factory.insert("erp.workers", "id worker_no worker_name user_id workshop_id status entry_date leave_date",
                   [(n, f"W{n}", f"工{n}", rng.choice(some), rng.choice(shops), rng.choice(["ACTIVE", "ACTIVE", "LEAVE", "RESIGNED"]),
                     near(-6, 2), rng.choice([None, None, near(-5, 2)])) for n in range(1, 61)])
    factory.insert("erp.worker_leaves", "worker_id day hours",
                   [(n, day + timedelta(back), rng.choice([4, 8])) for n in range(1, 61) for back in range(-4, 1) if rng.random() < 0.2])
    statuses = ["DRAFT", "APPROVED", "PUBLISHED", "PUBLISHED", "EXECUTING", "EXECUTING", "EXECUTING", "COMPLETED", "CANCELLED"]
    plans = []
    for n in range(1, 401):
        start = day + timedelta(rng.randrange(-60, 10))
        plans.append((n, f"PP{n}", f"计划{n}", rng.choice(projects), rng.choice(shops), start, start + timedelta(rng.randrange(-2, 90)),
                      rng.choice(statuses), rng.choice([None, 0, 5, 20, 35, 50, 65, 79, 80, 90, 99.5, 100]), rng.choice(some)))
    factory.insert("erp.production_plans", "id plan_no plan_name project_id workshop_id plan_start_date plan_end_date status progress owner_id", plans)
    orders = []
    for n in range(1, 401):
        orders.append((n, f"WO{n}", f"工单{n}", rng.choice(projects), rng.choice(shops), rng.choice([None, n, None]),
                       rng.choice([None, 1, 4, 7, 10, 12.5, 0]), rng.choice([0, 0, 3, 10]), rng.choice([None, 0, 8, 20, 33.5]), near(-12, 5),
                       near(-6, 9), rng.choice([None, moment(-9, 1)]), rng.choice([None, *range(1, 61)]),
                       rng.choice(["PENDING", "ASSIGNED", "ASSIGNED", "STARTED", "STARTED", "STARTED", "PAUSED", "COMPLETED", "APPROVED", "CANCELLED"])))
    factory.insert("erp.work_orders", "id work_order_no task_name project_id workshop_id production_plan_id plan_qty completed_qty standard_hours "
                   "plan_start_date plan_end_date actual_start_time assigned_worker_id status", orders)
    reports = []
    for n in range(1, 901):
        quantity = rng.choice([None, 0, 1, 2.5, 3, -1] if n % 40 == 0 else [None, 0, 1, 2.5, 3])
        reports.append((n, rng.randrange(1, 401), rng.randrange(1, 61), rng.choice(["START", "PROGRESS", "PROGRESS", "PAUSE", "COMPLETE"]), moment(-6, 2),
                        rng.choice([None, 0, 2, 4.5, 8, 9.5]), quantity, rng.choice([None, 0, 1, 2]), rng.choice([None, 0, 0, 1]),
                        rng.choice(["PENDING", "APPROVED", "APPROVED", "REJECTED"])))
    factory.insert("erp.work_reports", "id work_order_id worker_id report_type report_time work_hours completed_qty qualified_qty defect_qty status", reports)
    factory.insert("erp.production_exceptions", "id exception_no exception_type workshop_id work_order_id report_time resolved_at status",
                   [(n, f"EX{n}", "OTHER", rng.choice(shops), rng.choice([None, rng.randrange(1, 401)]), moment(-5, 1), rng.choice([None, moment(-5, 1)]), "OPEN")
                    for n in range(1, 121)])
    factory.insert("erp.equipment", "id equipment_code equipment_name workshop_id keeper_id maintenance_cycle_days last_maintenance_date "
                   "next_maintenance_date status is_key is_active",
                   [(n, f"EQ{n}", f"设备{n}", rng.choice(shops), rng.choice(some), rng.choice([None, None, 0, 30, 90]), near(-100, 3),
                     rng.choice([None, near(-10, 12), near(-10, 12)]), rng.choice(["IDLE", "RUNNING", "SCRAPPED"]), rng.random() < 0.3, rng.random() < 0.9)
                    for n in range(1, 401)])


class World:
    """Every row, read once."""

    def __init__(self, db: Connection) -> None:
        self.db = db
        over = [p for p in rows(db, "erp.projects") if not p.is_active or p.is_archived or p.status in ("ST30", "ST99")]
        self.dead = {p.id for p in over}
        self.manager = {p.id: p.pm_id for p in rows(db, "erp.projects")}
        self.shops = {w.id: w for w in rows(db, "erp.workshops")}
        self.workers = {w.id: w for w in rows(db, "erp.workers")}
        self.orders = {o.id: o for o in rows(db, "erp.work_orders")}
        self.reports = rows(db, "erp.work_reports")
        self.known = {d.day: d.is_workday for d in rows(db, "belfry.biz_calendar")}

    def works(self, day: date) -> bool:
        return self.known.get(day, day.isoweekday() < 6)

    def tokens(self, *people: int | None) -> set[str]:
        return {f"USER:{person}" for person in people if person is not None}

    def foreman(self, shop: int | None) -> int | None:
        return None if shop is None else self.shops[shop].manager_id


# ---------------------------------------------------------------- job 16
def plans(db: Connection, day: date) -> Alerts:
    world, found = World(db), Alerts()
    for plan in rows(db, "erp.production_plans"):
        progress, start, end = plan.progress or 0, plan.plan_start_date, plan.plan_end_date
        if plan.project_id in world.dead or progress >= 100 or end < start:
            continue
        levels = []
        if plan.status == "PUBLISHED" and (day - start).days > 1:
            levels.append("WARNING")
        if plan.status == "EXECUTING":
            late = (day - end).days
            if progress < 80 and late >= -7:
                levels.append("CRITICAL" if late > 0 else "WARNING")
            if late > 7:
                levels.append("URGENT")
            share = Fraction((day - start).days, (end - start).days) if end > start else Fraction(int(day > end))
            expected = 100 * max(Fraction(0), min(Fraction(1), share))
            if expected >= 20 and expected - Fraction(progress) >= 15:
                levels.append("CRITICAL" if expected - Fraction(progress) >= 30 else "WARNING")
        if levels:
            level = max(levels, key=LEVELS.index)
            told = world.tokens(plan.owner_id, world.foreman(plan.workshop_id), world.manager.get(plan.project_id))
            found[plan.id] = (level, told | ({"ROLE:PROD"} if level in ("CRITICAL", "URGENT") else set()))
    return found


# ---------------------------------------------------------------- job 17
def silent(db: Connection, now: datetime) -> Alerts:
    world, found = World(db), Alerts()
    said: dict[int, list[Row]] = defaultdict(list)
    for report in world.reports:
        said[report.work_order_id].append(report)
    for order in world.orders.values():
        if order.project_id in world.dead:
            continue
        level = None
        if order.status == "STARTED":
            signs = [r.report_time for r in said[order.id] if r.report_time <= now]
            signs += [order.actual_start_time] if order.actual_start_time else []
            if signs:
                hours = _workday_hours(world, max(signs).astimezone(SHANGHAI), now.astimezone(SHANGHAI))
                level = "CRITICAL" if hours > 72 else "WARNING" if hours > 24 else None
        begun = order.actual_start_time or any(r.report_type == "START" for r in said[order.id])
        if order.status == "ASSIGNED" and order.plan_start_date and not begun:
            today = now.astimezone(SHANGHAI).date()
            since = [order.plan_start_date + timedelta(n) for n in range(1, (today - order.plan_start_date).days + 1)]
            level = "INFO" if sum(map(world.works, since)) > 1 else None
        if level:
            worker = world.workers.get(order.assigned_worker_id)
            found[order.id] = (level, world.tokens(worker.user_id if worker else None, world.foreman(order.workshop_id)))
    return found


def _workday_hours(world: World, since: datetime, until: datetime) -> Fraction:
    """Minute by minute would be the same: the parts of each worked day."""
    total, at = Fraction(0), since
    while at < until:
        midnight = datetime.combine(at.date() + timedelta(1), time(), SHANGHAI)
        end = min(midnight, until)
        if world.works(at.date()):
            total += Fraction(int((end - at).total_seconds()), 3600)
        at = end
    return total


# ---------------------------------------------------------------- job 35
def maintenance(db: Connection, day: date) -> tuple[Alerts, set[str]]:
    """Alerts, and the keys of the reminders."""
    world, found, reminded = World(db), Alerts(), set()
    for machine in rows(db, "erp.equipment"):
        cycle, due = machine.maintenance_cycle_days, machine.next_maintenance_date
        if not machine.is_active or machine.status == "SCRAPPED" or (cycle is not None and cycle <= 0):
            continue
        if due is None and cycle and machine.last_maintenance_date:
            due = machine.last_maintenance_date + timedelta(cycle)
        if due is None:
            continue
        late = (day - due).days
        if late >= 1:
            level = LEVELS.index("CRITICAL" if late >= 7 else "WARNING") + machine.is_key
            found[machine.id] = (LEVELS[min(3, level)], world.tokens(machine.keeper_id, world.foreman(machine.workshop_id)))
        if -late in (7, 3, 1, 0):
            reminded.add(f"EQUIPMENT_MAINTENANCE_REMINDER|EQUIPMENT|{machine.id}|{due}|T{-late}")
    return found, reminded


# ---------------------------------------------------------------- jobs 22 and 23
def daily(db: Connection, days: Iterable[date]) -> dict[tuple[date, int | None], dict[str, Any]]:
    world, found = World(db), {}
    leaves = {(leave.worker_id, leave.day) for leave in rows(db, "erp.worker_leaves") if leave.hours >= 8}
    exceptions = rows(db, "erp.production_exceptions")
    for day in days:
        reports = [r for r in world.reports if r.status != "REJECTED" and _local(r.report_time) == day
                   and min(r.work_hours or 0, r.completed_qty or 0, r.qualified_qty or 0, r.defect_qty or 0) >= 0]
        active: list[int | None] = [w.id for w in world.shops.values() if w.is_active or any(world.orders[r.work_order_id].workshop_id == w.id for r in reports)]
        for shop in [None, *active]:
            def here(place: int | None, shop: int | None = shop) -> bool:
                return shop is None or place == shop

            own = [r for r in reports if here(world.orders[r.work_order_id].workshop_id)]
            found[day, shop] = _figures(world, day, own, [o for o in world.orders.values() if here(o.workshop_id)]) | _people(
                world, day, own, [w for w in world.workers.values() if here(w.workshop_id)], leaves
            ) | {
                "new_exception_count": sum(_local(e.report_time) == day and here(_place(world, e)) for e in exceptions),
                "resolved_exception_count": sum(_local(e.resolved_at) == day and here(_place(world, e)) for e in exceptions if e.resolved_at),
            }
    return found


def _local(at: datetime) -> date:
    return at.astimezone(SHANGHAI).date()


def _place(world: World, exception: Row) -> int | None:
    order = world.orders.get(exception.work_order_id)
    return exception.workshop_id or (order.workshop_id if order else None)


def _figures(world: World, day: date, reports: list[Row], orders: list[Row]) -> dict[str, Any]:
    planned = planned_hours = earned = Fraction(0)
    for order in orders:
        end = order.plan_end_date or order.plan_start_date
        quantity = Fraction(1 if order.plan_qty is None else order.plan_qty)
        if order.status == "CANCELLED" or not order.plan_start_date or not order.plan_start_date <= day <= end or quantity <= 0:
            continue
        window = [order.plan_start_date + timedelta(n) for n in range((end - order.plan_start_date).days + 1)]
        window = [one for one in window if world.works(one)] or window
        if day in window:
            planned += quantity / len(window)
            planned_hours += Fraction(order.standard_hours or 0) / len(window)
    for report in reports:
        order = world.orders[report.work_order_id]
        quantity = 1 if order.plan_qty is None else order.plan_qty
        if quantity > 0:
            earned += Fraction(report.completed_qty or 0) / Fraction(quantity) * Fraction(order.standard_hours or 0)
    completed, qualified, defect, hours = (
        sum((Fraction(getattr(r, name) or 0) for r in reports), Fraction(0)) for name in ("completed_qty", "qualified_qty", "defect_qty", "work_hours")
    )
    made, total = completed or qualified + defect, qualified + defect or completed
    return {
        "plan_qty": _cents(planned), "plan_hours": _cents(planned_hours), "completed_qty": _cents(made), "total_qty": _cents(total),
        "qualified_qty": _cents(qualified), "defect_qty": _cents(defect), "actual_hours": _cents(hours), "earned_hours": _cents(earned),
        "completion_rate": min(Decimal("999.99"), _cents(100 * made / planned)) if planned else Decimal(0),
        "efficiency": _cents(100 * earned / hours) if hours else None,
        "pass_rate": Decimal(0) if not total else _cents(100 * qualified / total) if qualified + defect else None,
    }


def _people(world: World, day: date, reports: list[Row], workers: list[Row], leaves: set[tuple[int, date]]) -> dict[str, Any]:
    hours: dict[int, Fraction] = defaultdict(Fraction)
    for report in reports:
        hours[report.worker_id] += Fraction(report.work_hours or 0)
    employed = [
        w.id for w in workers
        if (w.entry_date is None or w.entry_date <= day) and (w.status != "RESIGNED" if w.leave_date is None else w.leave_date >= day)
    ] if world.works(day) else []
    away = sum((worker, day) in leaves for worker in employed)
    over = sum((max(h - 8, Fraction(0)) if world.works(day) else h for h in hours.values()), Fraction(0))
    return {"should_attend": len(employed) - away, "leave_count": away, "actual_attend": len(hours), "overtime_hours": _cents(over)}


def _cents(number: Fraction) -> Decimal:
    """Half a cent goes up, as numeric does it."""
    return Decimal(math.floor(number * 100 + Fraction(1, 2))).scaleb(-2).quantize(Decimal("0.01"), ROUND_HALF_UP)
