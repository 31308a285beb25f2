"""How does a test get business rows? `Erp(db).issue(due_date=...)`: a method per table, defaults filled, answers ids.

Whatever a row must point to is made with it, unless it is given (`project_id=None` means none).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from sqlalchemy import Connection, Table, insert

from shared.erp import tables

TODAY = date(2026, 3, 2)  # a Monday; `perform` runs at 09:00 of it unless told otherwise
LONG_AGO = datetime(2026, 2, 1, 1, 0, tzinfo=UTC)

_numbers = count(1)


class Erp:
    """Rows of the company's own system, through one connection."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self._warehouse: int | None = None

    # People
    def department(self, **columns: Any) -> int:
        return self._row(tables.departments, columns, dept_code=_no("D"), dept_name="装配部")

    def position(self, **columns: Any) -> int:
        return self._row(tables.positions, columns, position_code=_no("P"), position_name="工程师")

    def user(self, real_name: str = "王芳", *, roles: Iterable[str] = (), **columns: Any) -> int:
        name = _no("user")
        user = self._row(tables.users, columns, username=name, real_name=real_name, email=f"{name}@example.com")
        for code in roles:
            self.role(code, users=[user])
        return user

    def role(self, role_code: str, *, users: Iterable[int] = (), **columns: Any) -> int:
        """The role of that code, made if it is missing, with these users added to it."""
        known = self.conn.execute(tables.roles.select().where(tables.roles.c.role_code == role_code)).first()
        role = known.id if known else self._row(tables.roles, columns, role_code=role_code, role_name=role_code)
        for user in users:
            self.conn.execute(insert(tables.user_roles).values(user_id=user, role_id=role))
        return role

    # Projects
    def customer(self, **columns: Any) -> int:
        return self._row(tables.customers, columns, customer_name="宁波海天电子有限公司")

    def project(self, **columns: Any) -> int:
        """A project in the middle of its time: nothing about it is late."""
        return self._row(
            tables.projects, columns, project_code=_no("PJ"), project_name="电池模组装配线", status="ST08",
            progress_pct=50, planned_start_date=date(2026, 1, 1), planned_end_date=date(2026, 6, 30),
            pm_id=lambda: self.user("李强"),
        )

    def machine(self, **columns: Any) -> int:
        return self._row(
            tables.machines, columns, project_id=self.project, machine_code=_no("M"), machine_name="自动上料机"
        )

    def milestone(self, **columns: Any) -> int:
        return self._row(
            tables.project_milestones, columns, project_id=self.project, milestone_code=_no("MS"),
            milestone_name="厂内验收", planned_date=TODAY, owner_id=lambda: self.user("赵敏"),
        )

    def task(self, **columns: Any) -> int:
        return self._row(
            tables.project_tasks, columns, project_id=self.project, task_name="电气接线", status="IN_PROGRESS"
        )

    def cost(self, **columns: Any) -> int:
        return self._row(
            tables.project_costs, columns, project_id=self.project, cost_type="MATERIAL", amount=1000, cost_date=TODAY
        )

    # Issues
    def issue(self, **columns: Any) -> int:
        """An open question of medium priority without a due date."""
        return self._row(
            tables.issues, columns, issue_no=_no("IS"), title="夹具定位偏差", issue_type="QUESTION", severity="MINOR",
            project_id=self.project, assignee_id=lambda: self.user("陈伟"), reporter_id=lambda: self.user("周婷"),
            created_at=LONG_AGO,
        )

    def issue_follow_up(self, **columns: Any) -> int:
        return self._row(
            tables.issue_follow_ups, columns, issue_id=self.issue, follow_up_type="COMMENT", content="已联系供应商"
        )

    # Materials and bills of material
    def supplier(self, **columns: Any) -> int:
        return self._row(tables.suppliers, columns, supplier_code=_no("S"), supplier_name="苏州精密机械有限公司")

    def warehouse(self, **columns: Any) -> int:
        return self._row(tables.warehouses, columns, warehouse_code=_no("W"), warehouse_name="原料仓")

    def material(self, **columns: Any) -> int:
        return self._row(
            tables.materials, columns, material_code=_no("MT"), material_name="直线导轨", unit="件",
            buyer_id=lambda: self.user("孙磊"),
        )

    def stock(self, material_id: int, quantity: Any = 100, **columns: Any) -> int:
        """Stock of a material, in the one warehouse of this test unless it is given."""
        return self._row(
            tables.inventories, columns, material_id=material_id, warehouse_id=self._the_warehouse, batch_no=_no("B"),
            quantity=quantity,
        )

    def bom(self, items: Iterable[Mapping[str, Any]] = (), **columns: Any) -> int:
        """A released bill with its items: `erp.bom([{"material_id": m, "quantity": 2}], machine_id=...)`."""
        bom = self._row(tables.bom_headers, columns, bom_no=_no("BOM"), status="RELEASED")
        for item in items:
            self._row(tables.bom_items, item, bom_id=bom, material_id=self.material, quantity=1)
        return bom

    # Purchasing
    def purchase_order(self, lines: Iterable[Mapping[str, Any]] = (), **columns: Any) -> int:
        """An order at the supplier's with its lines: `erp.purchase_order([{"quantity": 5}], required_date=...)`."""
        order = self._row(
            tables.purchase_orders, columns, order_no=_no("PO"), order_title="导轨采购", status="ORDERED",
            supplier_id=self.supplier, project_id=self.project, buyer_id=lambda: self.user("孙磊"),
        )
        for line in lines:
            self._row(tables.purchase_order_items, line, order_id=order, material_id=self.material, quantity=10)
        return order

    def goods_receipt(self, order_id: int, lines: Iterable[Mapping[str, Any]] = (), **columns: Any) -> int:
        """A receipt with its lines, which name their `order_item_id` and `received_qty`."""
        receipt = self._row(
            tables.goods_receipts, columns, receipt_no=_no("GR"), order_id=order_id, receipt_date=TODAY,
            status="RECEIVED",
        )
        for line in lines:
            self._row(tables.goods_receipt_items, line, receipt_id=receipt)
        return receipt

    # Production
    def workshop(self, **columns: Any) -> int:
        return self._row(
            tables.workshops, columns, workshop_code=_no("WS"), workshop_name="总装车间",
            manager_id=lambda: self.user("吴刚"),
        )

    def worker(self, **columns: Any) -> int:
        return self._row(
            tables.workers, columns, worker_no=_no("WK"), worker_name="郑浩", user_id=lambda: self.user("郑浩"),
            workshop_id=self.workshop,
        )

    def worker_leave(self, worker_id: int, day: date, **columns: Any) -> None:
        self.conn.execute(insert(tables.worker_leaves).values(worker_id=worker_id, day=day, **columns))

    def production_plan(self, **columns: Any) -> int:
        return self._row(
            tables.production_plans, columns, plan_no=_no("PP"), plan_name="三月总装计划", project_id=self.project,
            workshop_id=self.workshop, plan_start_date=TODAY, plan_end_date=date(2026, 3, 31), status="EXECUTING",
            owner_id=lambda: self.user("何静"),
        )

    def work_order(self, **columns: Any) -> int:
        """A work order that starts today; without `bom_id` and `machine_id` it has no bill of material."""
        return self._row(
            tables.work_orders, columns, work_order_no=_no("WO"), task_name="机架装配", project_id=self.project,
            workshop_id=self.workshop, plan_start_date=TODAY,
        )

    # People's time
    def allocation(self, **columns: Any) -> int:
        return self._row(
            tables.resource_allocations, columns, user_id=self.user, project_id=self.project, start_date=TODAY,
            end_date=date(2026, 3, 31),
        )

    def timesheet(self, **columns: Any) -> int:
        return self._row(
            tables.timesheets, columns, user_id=self.user, project_id=self.project, work_date=TODAY, hours=8
        )

    def _the_warehouse(self) -> int:
        self._warehouse = self._warehouse or self.warehouse()
        return self._warehouse

    def _row(self, table: Table, given: Mapping[str, Any], **defaults: Any) -> int:
        """One INSERT. A default that is a function makes the row to point to, and only when none is given."""
        row = {name: _made(value) for name, value in defaults.items() if name not in given} | dict(given)
        return int(self.conn.execute(insert(table).values(row).returning(table.c.id)).scalar_one())


def _no(prefix: str) -> str:
    return f"{prefix}-{next(_numbers):05d}"


def _made(value: Any | Callable[[], int]) -> Any:
    return value() if callable(value) else value
