"""How is a day's kit check kept? One automatic check per order and day, with an item per material. (rulebook job 18)"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Delete, Numeric, Select, and_, case, cast, delete, func, insert, literal, or_, select

from shared.erp import kits
from shared.erp.side_tables import kit_check_items, kit_checks

KEPT = ("material_id", "required_qty", "on_hand_alloc", "in_transit_alloc", "shortage_qty", "eta_date", "item_status")

_check = kit_checks.c


def of_day(day: date) -> Any:
    """The automatic checks of a day; manual ones are nobody's to touch."""
    return and_(_check.check_date == day, _check.method == "AUTO")


def forget(day: date) -> Delete:
    """Remove the day's automatic checks with their items: a second run replaces them as a whole."""
    return delete(kit_checks).where(of_day(day))


def store(window: kits.Window, now: datetime, execution: str, min_rate: int) -> Select[Any]:
    """Write one automatic check per order with its items; answers how many (`checks`, `without_bom`)."""
    item = kits.allocation(window).cte("kit_rows")
    total, fulfilled = func.count(item.c.material_id), _having("FULFILLED", item)
    from_stock = func.count().filter(item.c.on_hand_alloc >= item.c.required_qty)
    key_missing = func.coalesce(func.bool_or(item.c.is_key & (item.c.item_status != "FULFILLED")), False)
    rate = _percent(fulfilled, total)
    check = {
        "work_order_id": item.c.work_order_id, "bom_id": func.max(item.c.bom_id), "check_date": literal(window.day),
        "check_time": literal(now), "method": literal("AUTO"), "total_items": total, "fulfilled_items": fulfilled,
        "in_transit_items": _having("IN_TRANSIT", item), "shortage_items": _having("SHORTAGE", item), "kit_rate": rate,
        "start_kit_rate": _percent(from_stock, total),
        "kit_status": status(rate, fulfilled, total, key_missing, min_rate),
        "can_start": and_(total > 0, from_stock == total), "execution_id": literal(execution, _check.execution_id.type),
    }
    checks = insert(kit_checks).from_select(
        list(check), select(*check.values()).group_by(item.c.work_order_id)
    ).returning(_check.id, _check.work_order_id, _check.kit_status).cte("kit_checked")
    items = insert(kit_check_items).from_select(
        ["kit_check_id", *KEPT],
        select(checks.c.id, *(item.c[name] for name in KEPT)).join_from(
            checks, item, and_(item.c.work_order_id == checks.c.work_order_id, item.c.material_id.is_not(None))
        ),
    ).returning(kit_check_items.c.kit_check_id).cte("kit_itemised")
    numbers: tuple[Any, ...] = (
        func.count().label("checks"), func.count().filter(checks.c.kit_status == "NO_BOM").label("without_bom"),
    )
    return select(*numbers).select_from(checks).add_cte(items)


def status(rate: Any, fulfilled: Any, total: Any, key_missing: Any, min_rate: int) -> Any:
    """shared.rules.kits.kit_status as an expression."""
    return case(
        (total == 0, "NO_BOM"), (fulfilled == total, "COMPLETE"), (or_(key_missing, rate < min_rate), "SHORTAGE"),
        else_="PARTIAL",
    )


def _having(item_status: str, item: Any) -> Any:
    return func.count().filter(item.c.item_status == item_status)


def _percent(part: Any, total: Any) -> Any:
    return func.round(part * literal(100) / cast(func.nullif(total, 0), Numeric), 2)
