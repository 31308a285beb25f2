"""What must be made and bought, how much, by when, and for whom? The net-requirement run (rulebook job M3).

Level by level from the top of the bills: what is needed, less what is there above the safety stock, less what is
ordered already; the rest in lots, due on workdays, released so many workdays before, and its own parts needed then.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_CEILING, Decimal

PEGS = 20  # that an order lists; the rest is one line
_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Material:
    """What is planned, and how: MAKE, BUY or OUTSOURCE, in lots of so much, so many workdays before it is needed."""

    id: int
    code: str
    order_type: str
    lead_days: int = 0
    lot: Decimal = Decimal(1)
    safety: Decimal = _NONE
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """A quantity that something needs on a day; a lower priority number is served first."""

    material: int
    day: date
    quantity: Decimal
    kind: str
    no: str
    priority: int = 3


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an order that exists already brings, and when."""

    material: int
    day: date
    quantity: Decimal
    kind: str
    no: str


@dataclass(slots=True)
class Order:
    """A proposal: make, buy or have made so much, released and due on these days, and what it is for."""

    material: int
    order_type: str
    quantity: Decimal
    release: date
    due: date
    pegs: list[tuple[Need, Decimal]]
    exception: str | None = None


@dataclass(frozen=True, slots=True)
class Warn:
    """What a planner should look at: an order of the plan, or one that exists and comes at the wrong time."""

    code: str
    subject: str
    material: int
    quantity: Decimal
    day: date | None
    wanted: date | None


@dataclass(frozen=True)
class Inputs:
    """Everything a run reads. `bills` says what one piece of a material is made of; `workdays` are sorted."""

    today: date
    last: date
    workdays: Sequence[date]
    materials: Mapping[int, Material]
    stock: Mapping[int, Decimal]
    bills: Mapping[int, Mapping[int, Decimal]]
    needs: Iterable[Need]
    receipts: Iterable[Receipt]
    defer_days: int = 7


@dataclass
class Plan:
    """The proposals and warnings of a run, and the loops in the bills that it left out (their materials, in turn)."""

    orders: list[Order] = field(default_factory=list)
    warnings: list[Warn] = field(default_factory=list)
    loops: list[list[int]] = field(default_factory=list)


def run(inputs: Inputs, check: Callable[[], None] = lambda: None) -> Plan:
    """Plan every material once, after everything that it goes into. `check` may stop a long run."""
    result = Plan()
    turn, result.loops = by_level(inputs.bills)
    excluded = {material for loop in result.loops for material in loop}
    needs, receipts = defaultdict(list), defaultdict(list)
    for need in inputs.needs:
        if need.day <= inputs.last:
            needs[need.material].append(need)
    for receipt in inputs.receipts:
        receipts[receipt.material].append(receipt)
    leaves = sorted((needs.keys() | receipts.keys()) - set(turn))
    for number, material in enumerate([*turn, *leaves]):
        if number % 1000 == 0:
            check()
        if material in inputs.materials and material not in excluded:
            for order in _net(inputs, inputs.materials[material], needs[material], receipts[material], result):
                result.orders.append(order)
                for need in _parts(inputs, order):
                    needs[need.material].append(need)
    return result


def by_level(bills: Mapping[int, Mapping[int, Decimal]]) -> tuple[list[int], list[list[int]]]:
    """Materials in an order in which each stands behind all it goes into, and the loops among them."""
    # Tarjan's components, without recursion: a bill may be deep. A component ends before anything it is a part of.
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    on_stack: set[int] = set()
    stack: list[int] = []
    ended: list[int] = []
    loops: list[list[int]] = []
    for root in sorted(bills):
        if root in index:
            continue
        work = [(root, iter(sorted(bills.get(root, {}))))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, parts = work[-1]
            for part in parts:
                if part not in index:
                    index[part] = low[part] = len(index)
                    stack.append(part)
                    on_stack.add(part)
                    work.append((part, iter(sorted(bills.get(part, {})))))
                    break
                if part in on_stack:
                    low[node] = min(low[node], index[part])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component: list[int] = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                        on_stack.discard(component[-1])
                    ended += component
                    if len(component) > 1 or node in bills.get(node, {}):
                        loops.append(_in_turn(bills, component))
    return ended[::-1], loops


def _in_turn(bills: Mapping[int, Mapping[int, Decimal]], component: Iterable[int]) -> list[int]:
    """A loop's materials: once around it from the lowest number, then those that only hang on it."""
    inside = set(component)
    around, node = [], min(inside)
    while node not in around:
        around.append(node)
        node = min(part for part in bills[node] if part in inside)
    return around + sorted(inside - set(around))


def _net(
    inputs: Inputs, material: Material, needs: list[Need], receipts: list[Receipt], result: Plan
) -> list[Order]:
    """Needs in their turn take stock above the safety stock, then receipts in theirs, then planned lots."""
    pool = max(inputs.stock.get(material.id, _NONE), _NONE) - material.safety
    needs = sorted(needs, key=lambda need: (max(need.day, inputs.today), need.priority, need.kind, need.no))
    missing_safety = max(-pool, _NONE)
    pool = max(pool, _NONE)
    if missing_safety:
        day = needs[0].day if needs else inputs.last
        needs.insert(0, Need(material.id, day, missing_safety, "SAFETY_STOCK", material.code))
    supply = sorted(receipts, key=lambda one: (max(one.day, inputs.today), one.kind, one.no))
    left = [receipt.quantity for receipt in supply]
    used_for: dict[int, date] = {}
    short: dict[date, list[tuple[Need, Decimal]]] = {}
    place = 0
    for need in needs:
        day, rest = max(need.day, inputs.today), need.quantity
        taken = min(pool, rest)
        pool, rest = pool - taken, rest - taken
        while rest and place < len(supply):
            taken = min(left[place], rest)
            left[place], rest = left[place] - taken, rest - taken
            if taken:
                used_for.setdefault(place, day)
            if not left[place]:
                place += 1
        if rest:
            short.setdefault(_due(inputs, day), []).append((need, rest))
    only_safety = all(need.kind == "SAFETY_STOCK" for need in needs)
    result.warnings += _about_receipts(inputs, supply, used_for, told=not only_safety)
    return [] if only_safety else _in_lots(inputs, material, short, result)


def _about_receipts(
    inputs: Inputs, supply: list[Receipt], used_for: Mapping[int, date], *, told: bool
) -> Iterable[Warn]:
    """A receipt that comes too late, long before it is needed, or for nothing."""
    for place, receipt in enumerate(supply):
        comes, wanted = max(receipt.day, inputs.today), used_for.get(place)
        subject = f"{receipt.kind} {receipt.no}"
        if wanted is None:
            if comes <= inputs.last:
                yield Warn("CANCEL", subject, receipt.material, receipt.quantity, receipt.day, None)
        elif told and wanted < comes:
            yield Warn("EXPEDITE", subject, receipt.material, receipt.quantity, receipt.day, wanted)
        elif told and (wanted - comes).days > inputs.defer_days:
            yield Warn("DEFER", subject, receipt.material, receipt.quantity, receipt.day, wanted)


def _in_lots(
    inputs: Inputs, material: Material, short: Mapping[date, list[tuple[Need, Decimal]]], result: Plan
) -> list[Order]:
    """What is short on a day becomes an order of whole lots; what a lot has over serves the days after."""
    orders: list[Order] = []
    over = _NONE
    for due in sorted(short):
        wanted = sum((quantity for _, quantity in short[due]), _NONE)
        if wanted <= over:
            over -= wanted
            orders[-1].pegs += short[due]
            continue
        fresh = wanted - over
        quantity = fresh
        if material.lot > 0:
            quantity = (fresh / material.lot).to_integral_value(ROUND_CEILING) * material.lot
        over = quantity - fresh
        release = workdays_before(inputs.workdays, due, material.lead_days)
        order = Order(material.id, material.order_type, quantity, release, due, list(short[due]))
        codes = []
        if release < inputs.today:
            codes.append("RELEASE_LATE")
        if material.order_type == "MAKE" and material.id not in inputs.bills:
            codes.append("NO_BOM")
        if material.lead_days <= 0:
            codes.append("NO_LEAD_TIME")
        order.exception = codes[0] if codes else None
        subject = f"{material.order_type} {material.code} {due}"
        result.warnings += [Warn(code, subject, material.id, quantity, release, due) for code in codes]
        orders.append(order)
    return orders


def _parts(inputs: Inputs, order: Order) -> Iterable[Need]:
    """What an order to make, or to have made, needs on the day of its release."""
    if order.order_type != "BUY":
        code = inputs.materials[order.material].code
        for part, quantity in inputs.bills.get(order.material, {}).items():
            yield Need(part, order.release, quantity * order.quantity, "PLANNED_ORDER", f"{code} {order.due}")


def _due(inputs: Inputs, day: date) -> date:
    """The last workday up to a day, but not before today."""
    place = bisect_right(inputs.workdays, day)
    return max(inputs.workdays[place - 1] if place else day, inputs.today)


def workdays_before(workdays: Sequence[date], day: date, number: int) -> date:
    """So many workdays before a day; the first one known when that is too far back."""
    if number <= 0:
        return day
    return workdays[max(0, bisect_left(workdays, day) - number)]
