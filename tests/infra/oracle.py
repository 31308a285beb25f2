"""What should the first ten jobs find? The rulebook once more, row by row in plain Python, apart from the product."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, text

LEVELS = ["INFO", "WARNING", "CRITICAL", "URGENT"]
OPEN = ("OPEN", "PROCESSING")
ORDERED = ("APPROVED", "ORDERED", "PARTIAL_RECEIVED")
Row = Any


def shifted(level: str, steps: int) -> str:
    return LEVELS[max(0, min(3, LEVELS.index(level) + steps))]


def ladder(value: float, *steps: tuple[float, str]) -> str | None:
    """The level of the last step that the value has reached."""
    reached = list(takewhile(lambda step: value >= step[0], steps))
    return reached[-1][1] if reached else None


def overdue_issue(issue: Row, day: date) -> str | None:
    if issue.status not in OPEN or issue.due_date is None:
        return None
    level = ladder((day - issue.due_date).days, (1, "INFO"), (3, "WARNING"), (7, "CRITICAL"))
    return shifted(level, 1) if level and issue.priority == "URGENT" else level


def blocking_issue(issue: Row, at: datetime) -> str | None:
    if issue.status not in OPEN or not (issue.is_blocking or issue.issue_type == "BLOCKER"):
        return None
    return ladder((at - issue.created_at) / timedelta(hours=1), (-1e9, "WARNING"), (24, "CRITICAL"), (72, "URGENT"))


def milestone(row: Row, project: Row, day: date) -> str | None:
    over = project.is_archived or not project.is_active or project.status in ("ST30", "ST99")
    if over or row.status in ("COMPLETED", "CANCELLED") or row.actual_date:
        return None
    window = 3 if row.reminder_days is None else row.reminder_days
    late = (day - row.planned_date).days
    level = ladder(late, (-window, "WARNING"), (1, "CRITICAL"), (8, "URGENT"))
    return level if row.is_key or level is None else shifted(level, -1)


def delivery(order: Row, lines: Iterable[Row], short: set[int], day: date) -> str | None:
    if order.status not in ORDERED:
        return None
    late, promised_late = [], False
    for line in (one for one in lines if one.received_qty < one.quantity):
        required = line.required_date or order.required_date
        promised = line.promised_date or order.promised_date
        if required and required < day:
            late.append(((day - required).days, line.material_id in short))
        elif required and promised and promised > required:
            promised_late = True
    if not late:
        return "INFO" if promised_late else None
    level = ladder(max(days for days, _ in late), (1, "WARNING"), (7, "CRITICAL"), (14, "URGENT"))
    assert level
    return shifted(level, 1) if any(feeds for _, feeds in late) else level


@dataclass
class Kit:
    """The kit of a work order: its rate (None without a bill), its alert, the shortages with theirs."""

    rate: Decimal | None
    can_start: bool
    level: str | None
    shortages: dict[int, tuple[str, str]] = field(default_factory=dict)  # material: item status, level


class Factory:
    """Every row of the demo, read once."""

    def __init__(self, db: Connection, day: date) -> None:
        self.day = day
        self._db = db
        self.projects = {row.id: row for row in self.rows("projects")}
        self.issues = self.rows("issues")
        self.tasks = self.rows("project_tasks")
        self.milestones = self.rows("project_milestones")
        self.orders = self.rows("purchase_orders")
        self.lines: dict[int, list[Row]] = defaultdict(list)
        for line in self.rows("purchase_order_items"):
            self.lines[line.order_id].append(line)
        self.work_orders = self.rows("work_orders")
        self.kits = self._kits()
        self.short = {material for kit in self.kits.values() for material in kit.shortages}

    def rows(self, table: str) -> list[Row]:
        return list(self._db.execute(text(f"select * from erp.{table} order by id")))

    def _kits(self) -> dict[int, Kit]:
        stock: dict[int, Decimal] = defaultdict(Decimal)
        for row in self.rows("inventories"):
            stock[row.material_id] += row.quantity - row.reserved_qty - row.frozen_qty
        stock = defaultdict(Decimal, {material: max(Decimal(0), quantity) for material, quantity in stock.items()})
        supply: dict[int, list[list[Any]]] = defaultdict(list)
        for order in (one for one in self.orders if one.status in ORDERED):
            for line in self.lines[order.id]:
                eta = line.promised_date or line.required_date or order.promised_date or order.required_date
                if line.received_qty < line.quantity and eta:
                    supply[line.material_id].append([eta, line.quantity - line.received_qty])
        items = defaultdict(list)
        for item in self.rows("bom_items"):
            items[item.bom_id].append(item)
        released = [bom for bom in self.rows("bom_headers") if bom.is_latest and bom.status == "RELEASED"]
        bill_of = {bom.machine_id: bom.id for bom in released}
        keys = {row.id for row in self.rows("materials") if row.is_key_material}
        checked = [
            order for order in self.work_orders
            if order.status == "STARTED"
            or (order.status in ("PENDING", "ASSIGNED") and 0 <= (order.plan_start_date - self.day).days <= 14)
        ]
        return {
            order.id: self._kit(order, items[order.bom_id or bill_of.get(order.machine_id)], stock, supply, keys)
            for order in sorted(checked, key=lambda order: (order.plan_start_date, order.priority, order.id))
        }

    def _kit(
        self, order: Row, items: list[Row], stock: dict[int, Decimal], supply: Any, key_materials: set[int],
    ) -> Kit:
        left = (order.plan_start_date - self.day).days
        if not items:
            return Kit(None, False, "WARNING" if left <= 7 else None)
        needs: dict[int, Decimal] = defaultdict(Decimal)
        for item in items:
            needs[item.material_id] += item.quantity * (1 if order.plan_qty is None else order.plan_qty)
        keys = {item.material_id for item in items if item.is_key_item} | key_materials
        on_hand = fulfilled = 0
        shortages: dict[int, tuple[str, str]] = {}
        for material, need in needs.items():
            took = min(stock[material], need)
            stock[material] -= took
            on_hand += took == need
            rest = need - took
            for lot in (one for one in sorted(supply[material]) if one[0] <= order.plan_start_date):
                took = min(lot[1], rest)
                lot[1] -= took
                rest -= took
            if not rest:
                fulfilled += 1
                continue
            level = ladder(-left, (-1000, "INFO"), (-7, "WARNING"), (-3, "CRITICAL"), (0, "URGENT"))
            assert level
            level = shifted(level, 1) if order.status == "STARTED" or material in keys else level
            level = shifted(level, -1) if rest * 20 < need else level
            later = sum(lot[1] for lot in supply[material] if lot[0] > order.plan_start_date)
            shortages[material] = ("IN_TRANSIT" if later >= rest else "SHORTAGE", level)
        rate = round(Decimal(fulfilled * 100) / len(needs), 2)
        alert = ladder(-left, (-7, "WARNING"), (-2, "CRITICAL")) if rate < 80 else None
        can_start = on_hand == len(needs)
        return Kit(rate, can_start, "URGENT" if left == 0 and not can_start else alert, shortages)

    def health(self, project: Row) -> str | None:
        """Rulebook 6.1, once the morning's kit check and shortage run are done."""
        if project.is_archived or not project.is_active:
            return None
        if project.status in ("ST30", "ST99"):
            return "H4"
        issues = [issue for issue in self.issues if issue.project_id == project.id and issue.status in OPEN]
        tasks = [task.status for task in self.tasks if task.project_id == project.id]
        orders = [order.id for order in self.work_orders if order.project_id == project.id]
        own = [kit for order, kit in self.kits.items() if order in orders]
        alerts = [kit.level for kit in own] + [level for kit in own for _, level in kit.shortages.values()]
        if (
            project.status in ("ST14", "ST19") or "BLOCKED" in tasks or {"CRITICAL", "URGENT"} & set(alerts)
            or any(issue.is_blocking or issue.issue_type == "BLOCKER" for issue in issues)
        ):
            return "H3"
        late = any(
            row.is_key and row.planned_date < self.day and row.status not in ("COMPLETED", "CANCELLED")
            for row in self.milestones if row.project_id == project.id
        )
        start, end = project.planned_start_date, project.planned_end_date
        behind = Decimal(0)
        if start and end and end > start:
            planned = Decimal((self.day - start).days * 100) / (end - start).days
            behind = max(Decimal(0), min(Decimal(100), planned)) - project.progress_pct
        if (
            project.status in ("ST22", "ST26") or late or "WARNING" in alerts or behind > 10
            or (end and (end - self.day).days <= 7) or any(issue.priority in ("HIGH", "URGENT") for issue in issues)
        ):
            return "H2"
        return "H1"
