"""What should the night's plan be? A piece at a time, in plain Python over the same rows, from the rulebook (M3)."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection

from infra.local.demo.rows import Factory
from tests.factories import Erp
from tests.oracles.production import World, rows

TYPES = {"PURCHASE": "BUY", "MAKE": "MAKE", "OUTSOURCE": "OUTSOURCE"}


def generate(erp: Erp, rng: random.Random, day: date) -> None:
    """A few hundred materials on four levels and two loops, what is sold, kept and on order, and plans with orders."""
    factory = Factory(erp.conn, day)
    warehouse, project, over = erp.warehouse(), erp.project(), erp.project(is_archived=True)
    erp.supplier()

    def near(first: int, last: int) -> date:
        return day + timedelta(rng.randrange(first, last))

    materials = range(1, 201)
    kinds = {n: rng.choice(["MAKE", "MAKE", "OUTSOURCE", "PURCHASE"]) if n <= 100 else "PURCHASE" for n in materials}
    factory.insert("erp.materials", "id material_code material_name material_type is_key_material safety_stock lead_time_days min_order_qty is_active",
                   [(n, f"M{n:03}", f"物料{n}", kinds[n], rng.random() < 0.3, rng.choice([0, 0, 3, 10]), rng.choice([0, 1, 2, 5, 20]), rng.choice([0, 1, 1, 5, 12.5]), True)
                    for n in materials])
    factory.insert("erp.inventories", "material_id warehouse_id batch_no quantity reserved_qty frozen_qty updated_at",
                   [(n, warehouse, str(lot), rng.choice([-5, 0, 4, 12, 40]), rng.choice([0, 0, 2]), rng.choice([0, 0, 1]), factory.instant(-1))
                    for n in materials for lot in range(rng.randrange(3))])
    headers, items = [], []
    for n in range(1, 91):  # of a higher number each: no loop but those made below
        if rng.random() < 0.8:
            headers.append((n, f"BOM{n}", n, True, "RELEASED"))
            items += [(n, part, rng.choice([1, 2, 0.5, 3])) for part in rng.sample(range(n + 1, min(n + 60, 201)), rng.randrange(1, 4))]
    headers += [(501, "BOM-L1", 95, True, "RELEASED"), (502, "BOM-L2", 96, True, "RELEASED"), (503, "BOM-L3", 97, True, "RELEASED"), (504, "BOM-OLD", 5, True, "OBSOLETE"),
                (505, "BOM-P", None, True, "RELEASED"), (506, "BOM-WO", 10, False, "APPROVED")]
    items += [(501, 96, 1), (502, 95, 1), (503, 97, 2), (504, 150, 9), (505, 120, 2), (505, 60, 1), (506, 130, 4)]
    factory.insert("erp.bom_headers", "id bom_no material_id is_latest status", headers)
    factory.insert("erp.bom_items", "bom_id material_id quantity received_qty is_key_item updated_at", [(*item, 0, False, factory.instant(-1)) for item in items])
    factory.insert("erp.sales_order_lines", "order_no line_no material_id open_qty due_date priority",
                   [(f"SO{n:04}", 1, rng.randrange(1, 131), rng.choice([0, 1, 6, 17.5]), near(-5, 100), rng.randrange(1, 6)) for n in range(1, 151)])
    status = ["APPROVED", "ORDERED", "PARTIAL_RECEIVED", "DRAFT", "RECEIVED", "CANCELLED"]
    factory.insert("erp.purchase_orders", "id order_no project_id status required_date", [(n, f"PO{n:03}", project, rng.choice(status), rng.choice([None, near(-9, 99)])) for n in range(1, 121)])
    factory.insert("erp.purchase_order_items", "id order_id material_id quantity received_qty promised_date updated_at",
                   [(n, rng.randrange(1, 121), rng.randrange(60, 201), rng.choice([5, 20]), rng.choice([0, 0, 3]), rng.choice([None, near(-9, 99)]), factory.instant(-1)) for n in range(1, 201)])
    factory.insert("erp.outsourcing_orders", "id order_no status required_date estimated_date",
                   [(n, f"OS{n:02}", rng.choice(["CONFIRMED", "IN_PROGRESS", "DELIVERED"]), near(0, 60), rng.choice([None, near(0, 60)])) for n in range(1, 31)])
    factory.insert("erp.outsourcing_order_items", "id order_id material_id quantity received_qty", [(n, n, rng.randrange(1, 101), 6, rng.choice([0, 6, 2])) for n in range(1, 31)])
    factory.insert("erp.production_plans", "id plan_no plan_name plan_start_date plan_end_date status progress",
                   [(n, f"PP{n}", f"计划{n}", day, day + timedelta(30), rng.choice(["APPROVED", "PUBLISHED", "EXECUTING", "EXECUTING"]), rng.choice([None, 0, 40])) for n in range(1, 41)])
    states = ["PENDING", "ASSIGNED", "STARTED", "PAUSED", "COMPLETED", "APPROVED", "CANCELLED"]
    orders = []
    for n in range(1, 121):
        state = rng.choice(states[4:6]) if n % 5 == 0 else rng.choice(states)
        orders.append((n, f"WO{n:03}", f"工单{n}", rng.choice([project, project, None, over]), rng.choice([505, 506, headers[0][0], None]), rng.choice([None, n % 40 + 1]),
                       rng.choice([None, 2, 8, 12]), rng.choice([0, 1, 8]), rng.choice([None, near(-5, 99)]), rng.choice([None, near(0, 99)]), state,
                       rng.choice([None, None, factory.instant(-2)])))
    factory.insert("erp.work_orders", "id work_order_no task_name project_id bom_id production_plan_id plan_qty completed_qty plan_start_date plan_end_date status actual_start_time", orders)


@dataclass
class Expected:
    orders: list[tuple[Any, ...]]
    warnings: set[tuple[str, str]]
    alerts: dict[int, tuple[str, set[str]]]
    loops: int
    plans: dict[int, tuple[Any, str]]


def plan(db: Connection, day: date) -> Expected:
    world, last = World(db), day + timedelta(90)
    materials = {m.id: m for m in rows(db, "erp.materials")}
    bills: dict[int, dict[int, Fraction]] = {}
    for header in rows(db, "erp.bom_headers"):
        if header.material_id and header.is_latest and header.status == "RELEASED":
            bills[header.material_id] = {}
            for item in rows(db, "erp.bom_items"):
                if item.bom_id == header.id:
                    bills[header.material_id][item.material_id] = bills[header.material_id].get(item.material_id, Fraction(0)) + Fraction(item.quantity)

    def below(material: int, seen: frozenset[int] = frozenset()) -> set[int]:
        parts: set[int] = set()
        for part in bills.get(material, {}):
            parts |= {part} | (below(part, seen | {material}) if part not in seen else set())
        return parts

    looping = {m for m in bills if m in below(m)}
    needs: dict[int, list[tuple[Any, ...]]] = defaultdict(list)  # day, priority, kind, no, quantity
    for line in rows(db, "erp.sales_order_lines"):
        if line.open_qty > 0 and line.due_date <= last:
            needs[line.material_id].append((max(line.due_date, day), line.priority, "SALES_ORDER", f"{line.order_no}/{line.line_no}", Fraction(line.open_qty)))
    supply: dict[int, list[list[Any]]] = defaultdict(list)  # day, kind, no, quantity
    order_of = {order.id: order for order in rows(db, "erp.purchase_orders")}
    for line in rows(db, "erp.purchase_order_items"):
        order = order_of[line.order_id]
        comes = line.promised_date or line.required_date or order.promised_date or order.required_date
        if order.status in ("APPROVED", "ORDERED", "PARTIAL_RECEIVED") and comes and line.received_qty < line.quantity:
            supply[line.material_id].append([max(comes, day), "PURCHASE_ORDER", f"{order.order_no}/{line.id}", Fraction(line.quantity - line.received_qty)])
    outside = {order.id: order for order in rows(db, "erp.outsourcing_orders")}
    for line in rows(db, "erp.outsourcing_order_items"):
        order = outside[line.order_id]
        if order.status in ("CONFIRMED", "IN_PROGRESS") and line.received_qty < line.quantity:
            supply[line.material_id].append([max(order.estimated_date or order.required_date, day), "OUTSOURCING_ORDER", f"{order.order_no}/{line.id}", Fraction(line.quantity - line.received_qty)])
    headers = {h.id: h for h in rows(db, "erp.bom_headers")}
    for work in world.orders.values():
        rest = Fraction(1 if work.plan_qty is None else work.plan_qty) - Fraction(work.completed_qty)
        if work.status not in ("PENDING", "ASSIGNED", "STARTED", "PAUSED") or work.project_id in world.dead or rest <= 0 or not work.bom_id:
            continue
        start = work.plan_start_date or day
        for item in rows(db, "erp.bom_items"):
            if item.bom_id == work.bom_id and start <= last:
                needs[item.material_id].append((max(start, day), 2, "WORK_ORDER", work.work_order_no, rest * Fraction(item.quantity)))
        if headers[work.bom_id].material_id:
            supply[headers[work.bom_id].material_id].append([max(work.plan_end_date or start, day), "WORK_ORDER", work.work_order_no, rest])
    stock: dict[int, Fraction] = defaultdict(Fraction)
    for row in rows(db, "erp.inventories"):
        stock[row.material_id] += Fraction(row.quantity - row.reserved_qty - row.frozen_qty)

    found = Expected([], set(), {}, 0, _rolled(db, world))
    found.loops = len({frozenset(below(m) & looping) for m in looping})
    done: set[int] = set()
    wholes: dict[int, set[int]] = defaultdict(set)
    for whole, parts in bills.items():
        for part in parts:
            wholes[part].add(whole)
    while len(done) < len(materials):  # whatever has everything that it goes into planned already
        for material in sorted(materials.keys() - done):
            if material in looping or wholes[material] <= done:
                done.add(material)
                if material not in looping:
                    _one(materials[material], needs, supply[material], max(stock[material], Fraction(0)), bills, world, day, last, found)
    found.orders.sort(key=lambda order: (order[0], order[4]))
    late = {order[0] for order in found.orders if order[5] == "RELEASE_LATE" and materials[order[0]].is_key_material}
    found.alerts = {material: ("CRITICAL", {"ROLE:PROD"}) for material in late}
    return found


def _one(material: Any, needs: Any, supply: list[list[Any]], on_hand: Fraction, bills: Any, world: World, day: date, last: date, found: Expected) -> None:
    """Every piece that is needed takes the first piece that is there: stock, then what comes, then a planned lot."""
    mine = sorted(needs[material.id])
    free = on_hand - Fraction(material.safety_stock)
    if free < 0:
        mine.insert(0, (mine[0][0] if mine else last, 0, "SAFETY_STOCK", "", -free))
        free = Fraction(0)
    real = any(need[2] != "SAFETY_STOCK" for need in mine)
    supply = sorted(supply)
    rest = [receipt[3] for receipt in supply]
    first_use: dict[int, date] = {}
    short: dict[date, Fraction] = defaultdict(Fraction)
    for wanted, _, _, _, quantity in mine:
        taken = min(free, quantity)
        free, quantity = free - taken, quantity - taken
        for place in range(len(supply)):
            taken = min(rest[place], quantity)
            if taken > 0:
                first_use.setdefault(place, wanted)
                rest[place], quantity = rest[place] - taken, quantity - taken
        if quantity:
            due = wanted
            while not world.works(due):
                due -= timedelta(1)
            short[max(due, day)] += quantity
    for place, (comes, kind, no, _) in enumerate(supply):
        if place not in first_use:
            found.warnings |= {("CANCEL", f"{kind} {no}")} if comes <= last else set()
        elif real and first_use[place] < comes:
            found.warnings.add(("EXPEDITE", f"{kind} {no}"))
        elif real and (first_use[place] - comes).days > 7:
            found.warnings.add(("DEFER", f"{kind} {no}"))
    if not real:
        return
    spare = Fraction(0)
    order_type = TYPES[material.material_type]
    for due in sorted(short):
        if short[due] <= spare:
            spare -= short[due]
            continue
        missing, lot = short[due] - spare, Fraction(material.min_order_qty)
        quantity = math.ceil(missing / lot) * lot if lot else missing
        spare = quantity - missing
        release = due
        for _ in range(material.lead_time_days):
            release -= timedelta(1)
            while not world.works(release):
                release -= timedelta(1)
        codes = ["RELEASE_LATE"] * (release < day)
        codes += ["NO_BOM"] * (order_type == "MAKE" and material.id not in bills) + ["NO_LEAD_TIME"] * (material.lead_time_days == 0)
        found.warnings |= {(code, f"{order_type} {material.material_code} {due}") for code in codes}
        found.orders.append((material.id, order_type, Decimal(quantity.numerator) / quantity.denominator, release, due, codes[0] if codes else None))
        if order_type != "BUY":
            for part, each in bills.get(material.id, {}).items():
                needs[part].append((max(release, day), 3, "PLANNED_ORDER", f"{material.material_code} {due}", quantity * each))


def _rolled(db: Connection, world: World) -> dict[int, tuple[Any, str]]:
    found = {}
    for plan in rows(db, "erp.production_plans"):
        found[plan.id] = (plan.progress, plan.status)
        orders = [o for o in world.orders.values() if o.production_plan_id == plan.id and o.status != "CANCELLED"]
        if plan.status not in ("PUBLISHED", "EXECUTING") or not orders:
            continue
        planned = sum(1 if o.plan_qty is None else o.plan_qty for o in orders)
        share = (100 * sum(o.completed_qty for o in orders) / Decimal(planned)).quantize(Decimal("0.01"), ROUND_HALF_UP)
        status = plan.status
        if any(o.status in ("STARTED", "PAUSED", "COMPLETED", "APPROVED") or o.actual_start_time for o in orders):
            status = "EXECUTING"
        if all(o.status in ("COMPLETED", "APPROVED") for o in orders):
            status = "COMPLETED"
        found[plan.id] = (min(Decimal(100), share), status)
    return found
