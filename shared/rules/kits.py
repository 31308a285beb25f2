"""Who gets which material, and how complete is each work order's kit? (rulebook 6.2, job 18)

The jobs run these rules in SQL (shared/erp/kits.py); the same tables of cases test both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

PRIORITY = {"URGENT": 0, "HIGH": 1, "NORMAL": 2, "MEDIUM": 2, "LOW": 3}  # a word unknown here ranks as NORMAL


@dataclass(frozen=True)
class Need:
    """What one work order needs of one material, all lines of its bill summed."""

    order: int
    material: int
    required: Decimal
    start: date
    priority: str = "NORMAL"


@dataclass(frozen=True)
class Receipt:
    """What an open purchase line still brings, and when; without a date nothing can be built on it."""

    material: int
    quantity: Decimal
    eta: date | None


@dataclass(frozen=True)
class Item:
    """What a need got: from stock, from receipts in time, how much is short at the start, and when that arrives."""

    order: int
    material: int
    on_hand: Decimal
    in_transit: Decimal
    short: Decimal
    eta: date | None
    status: str


def allocate(needs: Iterable[Need], stock: Mapping[int, Decimal], receipts: Iterable[Receipt]) -> list[Item]:
    """The earlier start wins, then priority, then the older order; no piece is promised twice.

    Stock is taken first, negative stock counts as none. Then receipts by date: those up to the start make the item
    FULFILLED, later ones IN_TRANSIT, and what stays open makes it a SHORTAGE. `eta` is the day its last piece arrives.
    """
    lots: dict[int, list[tuple[date | None, Decimal]]] = defaultdict(list)
    for material, quantity in stock.items():
        lots[material].append((None, max(quantity, Decimal(0))))
    for receipt in sorted((r for r in receipts if r.eta), key=lambda r: (r.eta, r.quantity)):
        lots[receipt.material].append((receipt.eta, receipt.quantity))
    return [_take(need, lots[need.material]) for need in sorted(needs, key=_turn)]


def _turn(need: Need) -> tuple[date, int, int]:
    return need.start, PRIORITY.get(need.priority, PRIORITY["NORMAL"]), need.order


def _take(need: Need, lots: list[tuple[date | None, Decimal]]) -> Item:
    missing, on_hand, in_time, last = need.required, Decimal(0), Decimal(0), None
    while missing and lots:
        eta, quantity = lots.pop(0)
        taken = min(missing, quantity)
        if quantity > taken:
            lots.insert(0, (eta, quantity - taken))
        missing -= taken
        last = eta if taken else last
        if eta is None:
            on_hand += taken
        elif eta <= need.start:
            in_time += taken
    short = need.required - on_hand - in_time
    status = "SHORTAGE" if missing else "IN_TRANSIT" if short else "FULFILLED"
    return Item(need.order, need.material, on_hand, in_time, short, None if missing else last, status)


def kit_rate(fulfilled: int, total: int) -> Decimal:
    """Items that are complete at the start, in percent with two decimals."""
    return (Decimal(100) * fulfilled / total).quantize(Decimal("0.01"), ROUND_HALF_UP)


def kit_status(fulfilled: int, total: int, *, key_missing: bool, min_rate: int) -> str:
    """COMPLETE, PARTIAL, SHORTAGE, or NO_BOM without items. A missing key material is never better than SHORTAGE."""
    if total == 0:
        return "NO_BOM"
    if fulfilled == total:
        return "COMPLETE"
    return "SHORTAGE" if key_missing or kit_rate(fulfilled, total) < min_rate else "PARTIAL"


def kit_level(
    rate: Decimal, days_to_start: int | None, *, can_start: bool, started: bool, min_rate: int, critical_days: int
) -> str | None:
    """How loudly a kit is missed: a start that is due and impossible is URGENT whatever the rate; None: no alert."""
    if days_to_start is not None and days_to_start <= 0 and not can_start and not started:
        return "URGENT"
    if rate >= min_rate:
        return None
    return "CRITICAL" if days_to_start is not None and days_to_start <= critical_days else "WARNING"
