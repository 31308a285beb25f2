"""How is a plan made of the rows that were read, and how is it written down? (rulebook job M3)"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from shared.rules import netting
from shared.rules.netting import Material, Need, Order, Plan, Receipt, Warn

TYPES = {"PURCHASE": "BUY", "MAKE": "MAKE", "OUTSOURCE": "OUTSOURCE"}
CODES_OF_ORDERS = ("RELEASE_LATE", "NO_BOM", "NO_LEAD_TIME")


@dataclass(frozen=True)
class Window:
    """The days of a plan; its version is its business day."""

    today: date
    horizon_days: int
    defer_days: int

    @property
    def version(self) -> str:
        return self.today.isoformat()

    @property
    def last(self) -> date:
        return self.today + timedelta(self.horizon_days)

    @property
    def first_workday(self) -> date:
        """Far enough back for the release of what is late already."""
        return self.today - timedelta(730)


@dataclass(frozen=True)
class Outcome:
    """What is written down: orders and warnings as JSON, and the loops of the bills by their materials' codes."""

    orders: str
    warnings: str
    loops: Sequence[tuple[str, str]]
    loop_materials: Sequence[int]
    counters: dict[str, int]


def run(rows: Iterable[Any], window: Window, check: Callable[[], None]) -> Outcome:
    """Plan what planning_inputs.rows has read."""
    inputs, taken, loads = _inputs(rows, window)
    plan = netting.run(inputs, check)
    _make_room(plan.orders, taken, inputs.workdays)
    code = {material.id: material.code for material in inputs.materials.values()}
    return Outcome(
        orders=json.dumps([_order(order) for order in plan.orders], ensure_ascii=False),
        warnings=json.dumps([*(_warning(warn) for warn in plan.warnings), *loads], ensure_ascii=False),
        loops=[_loop(loop, code) for loop in plan.loops],
        loop_materials=[material for loop in plan.loops for material in loop],
        counters=_counters(plan, loads),
    )


def _inputs(rows: Iterable[Any], window: Window) -> tuple[netting.Inputs, set[tuple[int, date, str]], list[Any]]:
    materials: dict[int, Material] = {}
    bills: dict[int, dict[int, Decimal]] = defaultdict(dict)
    stock: dict[int, Decimal] = {}
    needs: list[Need] = []
    receipts: list[Receipt] = []
    workdays: list[date] = []
    firmed: list[Any] = []
    taken: set[tuple[int, date, str]] = set()
    loads: list[Any] = []
    for row in rows:
        if row.kind == "MATERIAL":
            materials[row.id] = Material(
                row.id, row.no, TYPES[row.word], max(row.number or 0, 0), row.qty, row.more, bool(row.flag)
            )
        elif row.kind == "STOCK":
            stock[row.id] = row.qty
        elif row.kind == "PART":
            bills[row.id][row.other] = row.qty
        elif row.kind == "NEED":
            needs.append(Need(row.id, row.day, row.qty, row.word, row.no, row.number))
        elif row.kind == "RECEIPT":
            receipts.append(Receipt(row.id, row.day, row.qty, row.word, row.no))
        elif row.kind in ("FIRMED", "RELEASED"):
            receipts.append(Receipt(row.id, row.day, row.qty, row.kind, row.no))
            if row.flag:
                taken.add((row.id, row.day, row.word))
            if row.kind == "FIRMED":
                firmed.append(row)
        elif row.kind == "WORKDAY":
            workdays.append(row.day)
        elif row.kind == "LOAD":
            loads.append(_load(row))
    for row in firmed:  # what is firm needs its parts; what is released has become an order with a bill of its own
        if row.word != "BUY":
            needs += [
                Need(part, row.until, quantity * row.qty, "PLANNED_ORDER", row.no)
                for part, quantity in bills.get(row.id, {}).items()
            ]
    inputs = netting.Inputs(
        window.today, window.last, sorted(workdays), materials, stock, bills, needs, receipts, window.defer_days
    )
    return inputs, taken, loads


def _make_room(orders: list[Order], taken: set[tuple[int, date, str]], workdays: Sequence[date]) -> None:
    """A day that a firm order of this version has is another's no more: the proposal is due a workday earlier."""
    for place, order in enumerate(orders):
        due = order.due
        while (order.material, due, order.order_type) in taken and due > workdays[0]:
            due = netting.workdays_before(workdays, due, 1)
        if due != order.due:
            orders[place] = replace(order, due=due)
        if taken:
            taken.add((order.material, due, order.order_type))


def _order(order: Order) -> dict[str, Any]:
    pegs: list[dict[str, Any]] = [
        {"for": need.kind, "no": need.no, "qty": _number(quantity), "due": need.day.isoformat()}
        for need, quantity in order.pegs[: netting.PEGS]
    ]
    rest = order.pegs[netting.PEGS :]
    if rest:
        total = sum((quantity for _, quantity in rest), Decimal(0))
        pegs.append({"for": "OTHERS", "no": str(len(rest)), "qty": _number(total), "due": None})
    return {
        "material_id": order.material, "order_type": order.order_type, "qty": _number(order.quantity),
        "release_date": order.release.isoformat(), "due_date": order.due.isoformat(), "pegging": pegs,
        "exception_code": order.exception,
    }


def _warning(warn: Warn) -> dict[str, Any]:
    return {
        "code": warn.code, "subject": warn.subject, "material_id": warn.material, "workshop_id": None,
        "qty": _number(warn.quantity), "day": warn.day and warn.day.isoformat(),
        "wanted": warn.wanted and warn.wanted.isoformat(), "facts": {},
    }


def _load(row: Any) -> dict[str, Any]:
    percent = (row.qty * 100 / row.more).quantize(Decimal("0.1")) if row.more else None
    return {
        "code": "CAPACITY", "subject": f"{row.no} {row.day}", "material_id": None, "workshop_id": row.other,
        "qty": _number(row.qty), "day": row.day.isoformat(), "wanted": None,
        "facts": {"hours": float(row.more), "percent": percent and float(percent)},
    }


def _loop(loop: Sequence[int], code: dict[int, str]) -> tuple[str, str]:
    """A loop's first material, and the way around."""
    names = [code.get(material, str(material)) for material in loop]
    return names[0], " > ".join([*names[:10], names[0]])


def _counters(plan: Plan, loads: Sequence[Any]) -> dict[str, int]:
    counters = {"proposed": len(plan.orders), "loops": len(plan.loops), "exceptions": len(plan.warnings) + len(loads)}
    for order_type in TYPES.values():
        counters[order_type.lower()] = sum(order.order_type == order_type for order in plan.orders)
    return counters


def _number(quantity: Decimal) -> str:
    return f"{quantity.quantize(Decimal('0.0001')):f}"
