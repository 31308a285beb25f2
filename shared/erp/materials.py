"""What is there of a material, and what is still to come?"""

from typing import Any

from sqlalchemy import CompoundSelect, Select, func, literal, select, union_all

from shared.erp.tables import inventories, materials, purchase_order_items, purchase_orders

OPEN_ORDERS = ("APPROVED", "ORDERED", "PARTIAL_RECEIVED")

_material, _stock, _line, _order = materials.c, inventories.c, purchase_order_items.c, purchase_orders.c
_available = func.sum(_stock.quantity - _stock.reserved_qty - _stock.frozen_qty)
_remainder = _line.quantity - _line.received_qty


def on_hand() -> Select[Any]:
    """Per material the stock neither reserved nor frozen (material_id, quantity); negative stock counts as none."""
    return select(_stock.material_id, func.greatest(_available, 0).label("quantity")).group_by(_stock.material_id)


def on_hand_beside_each_row() -> Any:
    """What on_hand says of a material, as a column beside each of its stock rows."""
    return func.greatest(_available.over(partition_by=_stock.material_id), 0)


def receipts() -> Select[Any]:
    """What each open purchase line still brings (order_no, line_id, material_id, eta, quantity); eta may be null."""
    eta = func.coalesce(_line.promised_date, _line.required_date, _order.promised_date, _order.required_date)
    return select(
        _order.order_no, _line.id.label("line_id"), _line.material_id, eta.label("eta"), _remainder.label("quantity")
    ).join_from(purchase_order_items, purchase_orders, _order.id == _line.order_id).where(
        _order.status.in_(OPEN_ORDERS), _remainder > 0, _line.material_id.is_not(None)
    )


def defects(wanted: Select[Any]) -> CompoundSelect[Any]:
    """Of these materials: stock below zero, which counts as 0, and lines without a date, which count as not coming."""
    undated = receipts().subquery().c
    return union_all(
        select(
            literal("MATERIAL").label("item_type"), _material.material_code.label("item_key"),
            func.concat("stock is ", func.trim_scale(_available), ", counted as 0").label("error"),
        ).join_from(inventories, materials, _material.id == _stock.material_id).where(
            _stock.material_id.in_(wanted)
        ).group_by(_material.material_code).having(_available < 0),
        select(
            literal("PURCHASE_ORDER_ITEM"), func.concat(undated.order_no, "/", undated.line_id),
            literal("no promised or required date, counted as not coming"),
        ).where(undated.material_id.in_(wanted), undated.eta.is_(None)),
    )
