"""Which kits are complete, what is short, which deliveries are late? The rulebook piece by piece, over the same rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import Connection

from tests.oracles.reading import Found, Row, Rows, shifted, users

ORDERED = ("APPROVED", "ORDERED", "PARTIAL_RECEIVED")
RANK = {"URGENT": 0, "HIGH": 1, "NORMAL": 2, "MEDIUM": 2, "LOW": 3}
NOTHING = Decimal(0)


@dataclass
class Item:
    """What an order gets of a material: from the shelf, by purchases in time, and when its last piece arrives."""

    required: Decimal
    key: bool
    line: int
    on_hand: Decimal = NOTHING
    in_time: Decimal = NOTHING
    short: Decimal = NOTHING
    eta: date | None = None
    status: str = ""

    def stored(self) -> tuple[Any, ...]:
        return self.required, self.on_hand, self.in_time, self.short, self.eta, self.status


@dataclass
class Kit:
    order: Row
    bill: int | None
    items: dict[int, Item] = field(default_factory=dict)

    def check(self) -> tuple[Any, ...]:
        """bill, items, fulfilled, in transit, short, rate, rate by stock alone, status, can start"""
        of = [item.status for item in self.items.values()]
        if not of:
            return self.bill, 0, 0, 0, 0, None, None, "NO_BOM", False
        complete = of.count("FULFILLED")
        shelf = sum(item.on_hand == item.required for item in self.items.values())
        rate = _percent(complete, len(of))
        key_missing = any(item.key and item.status != "FULFILLED" for item in self.items.values())
        status = "COMPLETE" if rate == 100 else "PARTIAL" if rate >= 80 and not key_missing else "SHORTAGE"
        return (
            self.bill, len(of), complete, of.count("IN_TRANSIT"), of.count("SHORTAGE"), rate, _percent(shelf, len(of)), status,
            shelf == len(of),
        )  # fmt: skip


def _percent(part: int, whole: int) -> Decimal:
    return (Decimal(100) * part / whole).quantize(Decimal("0.01"), ROUND_HALF_UP)


# ---------------------------------------------------------------- job 18
def kits(db: Connection, day: date, ahead: int = 7) -> tuple[dict[int, Kit], set[str]]:
    """The kit of each order of live projects that starts within the days, slipped by at most thirty, or has started.

    The numbers of those whose quantity or bill contradicts itself: what their bill says is still put aside for them.
    """
    rows = Rows(db)
    shelf, receipts = _shelf(rows), _receipts(rows)
    bills = defaultdict(list)
    for item in rows.bom_items:
        bills[item.bom_id].append(item)
    released = {b.machine_id: b.id for b in rows.bom_headers if b.machine_id and b.is_latest and b.status == "RELEASED"}  # the newest stays
    keys = {m.id for m in rows.materials if m.is_key_material}

    def due(order: Row) -> bool:
        soon = order.plan_start_date and day - timedelta(30) <= order.plan_start_date <= day + timedelta(ahead)
        return rows.live(order.project_id) and (order.status == "STARTED" or (order.status in ("PENDING", "ASSIGNED") and bool(soon)))

    found, broken = {}, set()
    turn = lambda o: (o.plan_start_date or day, RANK.get(o.priority, 2), o.id)  # noqa: E731
    for order in sorted(filter(due, rows.work_orders), key=turn):
        bill = order.bom_id or released.get(order.machine_id)
        lines, quantity = bills[bill], Decimal(1) if order.plan_qty is None else order.plan_qty
        kit = Kit(order, bill, _needs([one for one in lines if one.material_id and one.quantity > 0], quantity, keys))
        for material, item in kit.items.items():
            _take(item, order.plan_start_date or day, shelf, receipts, material)
        if quantity <= 0 or any(one.material_id is None or one.quantity <= 0 for one in lines):
            broken.add(order.work_order_no)
        else:
            found[order.id] = kit
    return found, broken


def _shelf(rows: Rows) -> dict[int, Decimal]:
    shelf: dict[int, Decimal] = defaultdict(Decimal)
    for row in rows.inventories:
        shelf[row.material_id] += row.quantity - row.reserved_qty - row.frozen_qty
    return defaultdict(Decimal, {material: max(NOTHING, quantity) for material, quantity in shelf.items()})


def _receipts(rows: Rows) -> dict[int, list[list[Any]]]:
    """Per material what is still to come, by the day on which it comes."""
    orders = {order.id: order for order in rows.purchase_orders if order.status in ORDERED}
    receipts: dict[int, list[list[Any]]] = defaultdict(list)
    for line in rows.purchase_order_items:
        order = orders.get(line.order_id)
        if order is None or line.material_id is None or line.received_qty >= line.quantity:
            continue
        eta = line.promised_date or line.required_date or order.promised_date or order.required_date
        if eta:
            receipts[line.material_id].append([eta, line.quantity - line.received_qty])
    for lots in receipts.values():
        lots.sort()
    return receipts


def _needs(lines: Iterable[Row], quantity: Decimal, keys: set[int]) -> dict[int, Item]:
    needs: dict[int, Item] = {}
    for line in sorted(lines, key=lambda one: one.id) if quantity > 0 else ():
        item = needs.setdefault(line.material_id, Item(NOTHING, line.material_id in keys, line.id))
        item.required += line.quantity
        item.key = item.key or line.is_key_item
    for item in needs.values():
        item.required = (item.required * quantity).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    return needs


def _take(item: Item, start: date, shelf: dict[int, Decimal], receipts: dict[int, list[list[Any]]], material: int) -> None:
    """First from the shelf, then receipt by receipt; also what comes too late is put aside."""
    item.on_hand = min(shelf[material], item.required)
    shelf[material] -= item.on_hand
    missing = item.required - item.on_hand
    for lot in receipts[material]:
        taken = min(lot[1], missing)
        if taken:
            lot[1] -= taken
            missing -= taken
            item.eta = lot[0]
            item.in_time += taken if lot[0] <= start else 0
    item.short = item.required - item.on_hand - item.in_time
    item.status = "SHORTAGE" if missing else "IN_TRANSIT" if item.short else "FULFILLED"
    if missing:
        item.eta = None


def kit_alerts(db: Connection, day: date) -> tuple[Found, Found]:
    """Kits that are too low, and orders without a bill."""
    rows = Rows(db)
    buyers = {m.id: m.buyer_id for m in rows.materials}
    low, without = dict[int, Any](), dict[int, Any]()
    for number, kit in kits(db, day)[0].items():
        order = kit.order
        people = users(_workshop_manager(rows, order), _manager(rows, order.project_id))
        *_, rate, _, status, can_start = kit.check()
        if status == "NO_BOM":
            without[number] = "WARNING", people
            continue
        left = (order.plan_start_date - day).days if order.plan_start_date else 999
        level = None
        if rate < 80:
            level = "CRITICAL" if left <= 2 else "WARNING"
        if left <= 0 and not can_start and order.status != "STARTED":
            level = "URGENT"
        if level:
            low[number] = level, people | users(*(buyers[m] for m, item in kit.items.items() if item.status != "FULFILLED"))
    return low, without


def startable(db: Connection, day: date) -> dict[int, tuple[set[str], set[str]]]:
    """Per workshop the orders that can start today, and its manager."""
    rows, found = Rows(db), dict[int, tuple[set[str], set[str]]]()
    for kit in kits(db, day)[0].values():
        order = kit.order
        ready = kit.check()[-1] and order.status != "STARTED" and order.plan_start_date <= day
        if ready and order.workshop_id:
            orders, _ = found.setdefault(order.workshop_id, (set(), users(_workshop_manager(rows, order))))
            orders.add(order.work_order_no)
    return found


def _workshop_manager(rows: Rows, order: Row | None) -> int | None:
    return next((w.manager_id for w in rows.workshops if order is not None and w.id == order.workshop_id), None)


def _manager(rows: Rows, project_id: int | None) -> int | None:
    project = rows.project(project_id)
    return project.pm_id if project else None


# ---------------------------------------------------------------- job 14
Key = tuple[int | None, int | None, int]  # order, line of its bill, material
Short = tuple[Any, ...]  # required, on hand, in time, short, day, eta, impact, delay, status


def shortages(db: Connection, day: date, *, checked: bool) -> dict[Key, Short]:
    """Every shortage that is open after the run, and those that were open before it; `checked`: job 18 ran today."""
    rows = Rows(db)
    judged = kits(db, day, ahead=14)[0]
    if checked:  # what it found is believed
        judged |= kits(db, day)[0]
    after: dict[Key, Short] = {}
    for number, kit in judged.items():
        for material, item in kit.items.items():
            if item.short > 0:
                after[number, item.line, material] = _shortage(rows, kit, material, item, day)
    orders = {order.id: order for order in rows.work_orders}
    for s in rows.material_shortages:
        key = (s.work_order_id, s.bom_item_id, s.material_id)
        if s.status not in ("OPEN", "HANDLING"):
            continue
        if key in after:
            after[key] = (*after[key][:-1], s.status)
            continue
        status, order = s.status, orders.get(s.work_order_id)
        if order is not None:
            unstarted = order.status in ("PENDING", "ASSIGNED")
            later = order.plan_start_date is None or order.plan_start_date > day + timedelta(14)
            if order.status == "CANCELLED" or not rows.live(order.project_id):
                status = "CANCELLED"
            elif order.id in judged or order.status in ("COMPLETED", "APPROVED") or (unstarted and later):
                status = "RESOLVED"
        after[key] = (
            s.required_qty, s.available_qty, s.in_transit_qty, s.shortage_qty, s.required_date, s.eta_date, s.impact_type,
            s.est_delay_days, status,
        )  # fmt: skip
    return after


def _shortage(rows: Rows, kit: Kit, material: int, item: Item, day: date) -> Short:
    order, known = kit.order, next(m for m in rows.materials if m.id == material)
    start, delay, impact = order.plan_start_date, None, "NONE"
    if start:
        delay = max(0, ((item.eta or day + timedelta(known.lead_time_days)) - start).days)
    project = rows.project(order.project_id)
    if delay:
        end = project.planned_end_date if project else None
        slack = (end - (order.plan_end_date or start)).days if end else None
        impact = "DELIVERY" if slack is not None and delay > max(0, slack) else "DELAY"
    if order.status == "STARTED" or item.key:
        impact = "STOP"
    return item.required, item.on_hand, item.in_time, item.short, start, item.eta, impact, delay, "OPEN"


def shortage_alerts(db: Connection, open_ones: dict[Key, Short], day: date) -> dict[Key, tuple[str, set[str]]]:
    """Level and people of each open shortage that can be judged."""
    rows, found = Rows(db), dict[Key, tuple[str, set[str]]]()
    orders, buyers = {order.id: order for order in rows.work_orders}, {m.id: m.buyer_id for m in rows.materials}
    projects = {(s.work_order_id, s.bom_item_id, s.material_id): s.project_id for s in rows.material_shortages if s.status in ("OPEN", "HANDLING")}
    for key, (required, _, _, short, needed, _, impact, _, status) in open_ones.items():
        if status not in ("OPEN", "HANDLING") or required <= 0:
            continue
        order = orders.get(key[0])
        level = "INFO"
        if needed:
            left = (needed - day).days
            level = "URGENT" if left <= 0 else "CRITICAL" if left <= 3 else "WARNING" if left <= 7 else "INFO"
            level = shifted(level, (impact == "STOP") - (short * 20 < required))
        people = users(buyers.get(key[2]), _manager(rows, projects[key]))
        found[key] = level, people | (users(_workshop_manager(rows, order)) | {"ROLE:PROC"} if level == "URGENT" else set())
    return found


# ---------------------------------------------------------------- job 19
def deliveries(db: Connection, day: date) -> tuple[Found, set[str], int, set[str]]:
    """Late purchase orders; lines that cannot be judged; lines without a day; orders open although all has come."""
    rows, found = Rows(db), dict[int, Any]()
    broken, complete, undated = set(), set(), 0
    missing = {s.material_id for s in rows.material_shortages if s.status in ("OPEN", "HANDLING")}
    buyers = {m.id: m.buyer_id for m in rows.materials}
    for order in rows.purchase_orders:
        if order.status not in ORDERED or not rows.live(order.project_id):
            continue
        lines = [line for line in rows.purchase_order_items if line.order_id == order.id]
        wrong = [line for line in lines if line.quantity <= 0 or line.received_qty < 0]
        broken |= {f"{order.order_no}/{line.id}" for line in wrong}
        still = [line for line in lines if line not in wrong and line.received_qty < line.quantity]
        undated += sum(
            line.received_qty < line.quantity and line.required_date is None and order.required_date is None for line in lines
        )
        if lines and not wrong and not still:
            complete.add(order.order_no)
        dates = [(line, line.required_date or order.required_date, line.promised_date or order.promised_date) for line in still]
        late = [(line, (day - required).days) for line, required, _ in dates if required and required < day]
        promised = [line for line, required, said in dates if required and required >= day and said and said > required]
        if late:
            days = max(days for _, days in late)
            level = "URGENT" if days >= 14 else "CRITICAL" if days >= 7 else "WARNING"
            level = shifted(level, int(any(line.material_id in missing for line, _ in late)))
        elif promised:
            level = "INFO"
        else:
            continue
        told = [line for line, _ in late] + promised
        asked = users(order.buyer_id) if order.buyer_id else users(*(buyers.get(line.material_id) for line in told))
        found[order.id] = level, asked | users(_manager(rows, order.project_id)) | (
            {"ROLE:PROC"} if level in ("CRITICAL", "URGENT") else set()
        )
    return found, broken, undated, complete
