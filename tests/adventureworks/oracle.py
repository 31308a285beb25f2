"""What must the jobs say of AdventureWorks? Figured from the files in plain Python, piece by piece, as the rulebook words it.

Shares no code with the product: no SQL, none of its rules. Quantities are Decimal, days are dates.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

LEVELS = ["INFO", "WARNING", "CRITICAL", "URGENT"]
Row = dict[str, str]


def read(place: Path, name: str) -> list[Row]:
    with (place / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def day_of(stamp: str) -> date:
    return date.fromisoformat(stamp[:10])


@dataclass
class Files:
    """The files, indexed."""

    place: Path
    orders: list[Row] = field(init=False)
    lines: dict[str, list[Row]] = field(init=False)
    products: dict[int, Row] = field(init=False)
    vendors: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.orders = read(self.place, "PurchaseOrderHeader")
        self.products = {int(row["ProductID"]): row for row in read(self.place, "Product")}
        self.vendors = {row["BusinessEntityID"]: row["Name"] for row in read(self.place, "Vendor")}
        self.lines = defaultdict(list)
        for row in read(self.place, "PurchaseOrderDetail"):
            self.lines[row["PurchaseOrderID"]].append(row)

    def open_lines(self, day: date) -> list[tuple[Row, Row, Decimal]]:
        """Order, line and remainder of everything on order that day: ORDERED, or complete although a line got less."""
        found = []
        for order in self.orders:
            if day_of(order["OrderDate"]) > day:
                continue
            rest = [(line, Decimal(line["OrderQty"]) - Decimal(line["ReceivedQty"])) for line in self.lines[order["PurchaseOrderID"]]]
            if order["Status"] == "2" or (order["Status"] == "4" and any(remainder > 0 for _, remainder in rest)):
                found += [(order, line, remainder) for line, remainder in rest if remainder > 0]
        return found


# ---------------------------------------------------------------- job 19
def delays(files: Files, day: date, short_materials: frozenset[int] = frozenset()) -> dict[int, dict[str, Any]]:
    """Per late order what its alert must hold."""
    by_order: dict[int, list[tuple[Row, Row, Decimal]]] = defaultdict(list)
    for order, line, remainder in files.open_lines(day):
        by_order[int(order["PurchaseOrderID"])].append((order, line, remainder))
    alerts = {}
    for number, rest in by_order.items():
        late = [(order, line, remainder) for order, line, remainder in rest if day_of(line["DueDate"]) < day]
        if not late:
            continue
        listed: list[dict[str, Any]] = []
        for _, line, remainder in late:
            product = files.products[int(line["ProductID"])]
            listed.append({
                "material_code": product["ProductNumber"], "material_name": product["Name"], "unit": None,
                "quantity": Decimal(line["OrderQty"]), "remainder": remainder, "required_date": str(day_of(line["DueDate"])),
                "promised_date": None, "days": (day - day_of(line["DueDate"])).days,
                "feeds_shortage": int(line["ProductID"]) in short_materials, "line": int(line["PurchaseOrderDetailID"]),
            })
        listed.sort(key=lambda item: (-item["days"], item["line"]))
        days = listed[0]["days"]
        feeds = any(item["feeds_shortage"] for item in listed)
        level = LEVELS[min(3, (3 if days >= 14 else 2 if days >= 7 else 1) + (1 if feeds else 0))]
        order = rest[0][0]
        alerts[number] = {
            "level": level, "trigger": days, "threshold": 14 if days >= 14 else 7 if days >= 7 else 1,
            "target_no": f"PO-{number}", "target_name": files.vendors[order["VendorID"]],
            "recipients": {f"USER:{order['EmployeeID']}"} | ({"ROLE:PROC"} if level in ("CRITICAL", "URGENT") else set()),
            "facts": {
                "order_title": None, "supplier_name": files.vendors[order["VendorID"]], "project_code": None, "project_name": None,
                "days_late": days, "late_lines": len(late), "open_lines": len(rest), "feeds_shortage": feeds, "last_receipt": None,
                "lines": [{name: value for name, value in item.items() if name != "line"} for item in listed],
            },
        }
    return alerts


# ---------------------------------------------------------------- jobs 18 and 14
@dataclass
class Item:
    """What one work order gets of one material."""

    required: Decimal
    on_hand: Decimal
    in_time: Decimal
    eta: date | None
    status: str

    @property
    def short(self) -> Decimal:
        return self.required - self.on_hand - self.in_time


def kits(files: Files, day: date) -> dict[int, dict[int, Item]]:
    """Per work order and material, all orders served one after the other: earlier start first, then the lower number."""
    bills: dict[int, dict[int, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in read(files.place, "BillOfMaterials"):
        current = day_of(row["StartDate"]) <= day and (not row["EndDate"] or day_of(row["EndDate"]) > day)
        if row["ProductAssemblyID"] and current:
            bills[int(row["ProductAssemblyID"])][int(row["ComponentID"])] += Decimal(row["PerAssemblyQty"])
    stock: dict[int, Decimal] = defaultdict(Decimal)
    for row in read(files.place, "ProductInventory"):
        stock[int(row["ProductID"])] += Decimal(row["Quantity"])
    coming: dict[int, list[list[Any]]] = defaultdict(list)
    for _, line, remainder in sorted(files.open_lines(day), key=lambda found: found[1]["DueDate"]):
        coming[int(line["ProductID"])].append([day_of(line["DueDate"]), remainder])
    served: dict[int, dict[int, Item]] = {}
    for number in sorted(bills, key=lambda n: (start_of(n, day), n)):
        served[number] = {
            material: _serve(quantity * 10, start_of(number, day), stock, material, coming[material])
            for material, quantity in bills[number].items()
        }
    return served


def start_of(number: int, day: date) -> date:
    return day + timedelta(days=number % 10)


def _serve(required: Decimal, start: date, stock: dict[int, Decimal], material: int, lots: list[list[Any]]) -> Item:
    on_hand = min(required, stock[material])
    stock[material] -= on_hand
    rest, in_time, late_until, last = required - on_hand, Decimal(0), None, None
    for lot in lots:
        if rest == 0:
            break
        taken = min(rest, lot[1])
        lot[1] -= taken
        rest -= taken
        if taken and lot[0] <= start:
            in_time, last = in_time + taken, lot[0]
        elif taken:
            late_until = last = lot[0]
    if rest > 0:
        return Item(required, on_hand, in_time, None, "SHORTAGE")
    return Item(required, on_hand, in_time, last, "IN_TRANSIT" if late_until else "FULFILLED")


def check(items: dict[int, Item], days_to_start: int) -> dict[str, Any]:
    """The kit check of one order, and the level of its alert."""
    total, fulfilled = len(items), sum(item.status == "FULFILLED" for item in items.values())
    from_stock = sum(item.on_hand == item.required for item in items.values())
    rate = percent(fulfilled, total)
    level = None
    if rate < 80:
        level = "CRITICAL" if days_to_start <= 2 else "WARNING"
    if days_to_start == 0 and from_stock < total:
        level = "URGENT"
    return {
        "total_items": total, "fulfilled_items": fulfilled, "in_transit_items": sum(i.status == "IN_TRANSIT" for i in items.values()),
        "shortage_items": sum(i.status == "SHORTAGE" for i in items.values()), "kit_rate": rate, "start_kit_rate": percent(from_stock, total),
        "kit_status": "COMPLETE" if fulfilled == total else "PARTIAL" if rate >= 80 else "SHORTAGE", "can_start": from_stock == total,
        "level": level,
    }


def percent(part: int, total: int) -> Decimal:
    return (Decimal(part) * 100 / total).quantize(Decimal("0.01"), ROUND_HALF_UP)


def lead_times(files: Files) -> dict[int, int]:
    """The shortest of a product's vendors, else the days to make it."""
    times = {number: int(row["DaysToManufacture"]) for number, row in files.products.items()}
    bought: dict[int, list[int]] = defaultdict(list)
    for row in read(files.place, "ProductVendor"):
        bought[int(row["ProductID"])].append(int(row["AverageLeadTime"]))
    return times | {number: min(found) for number, found in bought.items()}


def shortages(files: Files, day: date) -> dict[tuple[int, int], dict[str, Any]]:
    """Per work order and material what is short, with impact and level."""
    lead, found = lead_times(files), {}
    for number, items in kits(files, day).items():
        for material, item in items.items():
            if item.short == 0:
                continue
            start = start_of(number, day)
            delay = max(0, ((item.eta or day + timedelta(days=lead[material])) - start).days)
            left = (start - day).days
            level = 3 if left == 0 else 2 if left <= 3 else 1 if left <= 7 else 0
            if item.short * 100 / item.required < 5:
                level = max(0, level - 1)
            found[number, material] = {
                "required_qty": item.required, "available_qty": item.on_hand, "in_transit_qty": item.in_time, "shortage_qty": item.short,
                "required_date": start, "eta_date": item.eta, "est_delay_days": delay, "impact_type": "DELAY" if delay else "NONE",
                "level": LEVELS[level],
            }
    return found
