"""What is bought and kept?"""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.erp import tables
from tests.factories.projects import Projects
from tests.factories.rows import LONG_AGO, TODAY, number


class Materials(Projects):
    """Materials, stock and its ledger, bills of material, what they must be like, purchases, receipts, outsourcing."""

    def supplier(self, **columns: Any) -> int:
        return self._row(tables.suppliers, columns, supplier_code=number("S"), supplier_name="苏州精密机械有限公司")

    def warehouse(self, **columns: Any) -> int:
        return self._row(tables.warehouses, columns, warehouse_code=number("W"), warehouse_name="原料仓")

    def material(self, **columns: Any) -> int:
        return self._row(
            tables.materials, columns, material_code=number("MT"), material_name="直线导轨", unit="件",
            buyer_id=lambda: self.user("孙磊"),
        )

    def stock(self, material_id: int, quantity: Any = 100, **columns: Any) -> int:
        """Stock of a material, in the one warehouse of this test unless it is given."""
        return self._row(
            tables.inventories, columns, material_id=material_id, warehouse_id=self._the_warehouse, batch_no=number("B"),
            quantity=quantity,
        )

    def bom(self, items: Iterable[Mapping[str, Any]] = (), **columns: Any) -> int:
        """A released bill with its items: `erp.bom([{"material_id": m, "quantity": 2}], machine_id=...)`."""
        bom = self._row(tables.bom_headers, columns, bom_no=number("BOM"), status="RELEASED")
        for item in items:
            self._row(tables.bom_items, item, bom_id=bom, material_id=self.material, quantity=1)
        return bom

    def purchase_order(self, lines: Iterable[Mapping[str, Any]] = (), **columns: Any) -> int:
        """An order at the supplier's with its lines: `erp.purchase_order([{"quantity": 5}], required_date=...)`."""
        order = self._row(
            tables.purchase_orders, columns, order_no=number("PO"), order_title="导轨采购", status="ORDERED",
            supplier_id=self.supplier, project_id=self.project, buyer_id=lambda: self.user("孙磊"),
        )
        for line in lines:
            self._row(tables.purchase_order_items, line, order_id=order, material_id=self.material, quantity=10)
        return order

    def goods_receipt(self, order_id: int, lines: Iterable[Mapping[str, Any]] = (), **columns: Any) -> int:
        """A receipt with its lines, which name their `order_item_id` and `received_qty`."""
        receipt = self._row(
            tables.goods_receipts, columns, receipt_no=number("GR"), order_id=order_id, receipt_date=TODAY,
            status="RECEIVED",
        )
        for line in lines:
            self._row(tables.goods_receipt_items, line, receipt_id=receipt)
        return receipt

    def outsourcing_order(self, **columns: Any) -> int:
        """An order at a vendor's; without `required_date` nobody can call it late."""
        return self._row(
            tables.outsourcing_orders, columns, order_no=number("OS"), order_title="支架表面处理", status="IN_PROGRESS",
            vendor_id=self.supplier, project_id=self.project, buyer_id=lambda: self.user("孙磊"),
        )

    def requirement(self, **columns: Any) -> int:
        """What a project's contract asks of a material."""
        return self._row(
            tables.spec_requirements, columns, project_id=self.project, material_name="直线导轨", specification="HG20 精密级",
            key_parameters={},
        )

    def movement(self, inventory_id: int, quantity: Any, **columns: Any) -> int:
        """A line of the stock ledger: what came in unless `type` says otherwise."""
        return self._row(
            tables.inventory_transactions, columns, inventory_id=inventory_id, quantity=quantity, type="IN",
            occurred_at=LONG_AGO,
        )

    def shortage_report(self, **columns: Any) -> int:
        """What a workshop reported by hand as missing."""
        return self._row(tables.shortage_reports, columns, report_no=number("SR"), status="OPEN", report_time=LONG_AGO)

    def _the_warehouse(self) -> int:
        self._warehouse = self._warehouse or self.warehouse()
        return self._warehouse
