"""How is a day's kit check kept? One automatic check per order and day, with an item per material. (rulebook job 18)"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CTE, Numeric, Select, and_, case, cast, delete, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert

from shared.erp import kits
from shared.erp.side_tables import kit_check_items, kit_checks

KEPT = ("material_id", "required_qty", "on_hand_alloc", "in_transit_alloc", "shortage_qty", "eta_date", "item_status")

_check, _item = kit_checks.c, kit_check_items.c


def of_day(day: date) -> Any:
    """The automatic checks of a day; manual ones are nobody's to touch."""
    return and_(_check.check_date == day, _check.method == "AUTO")


def store(window: kits.Window, now: datetime, execution: str, min_rate: int) -> Select[Any]:
    """Make the day's automatic checks what is true now, items included; answers how many (`checks`, `without_bom`).

    A second run of the day replaces what the first one found, and drops checks of orders that are out of the window.
    """
    item = kits.allocation(window).cte("kit_rows")
    check = _summary(item, min_rate) | {
        "check_date": literal(window.day), "check_time": literal(now), "method": literal("AUTO"),
        "execution_id": literal(execution, _check.execution_id.type),
    }
    rows = insert(kit_checks).from_select(list(check), select(*check.values()).group_by(item.c.work_order_id))
    checks = rows.on_conflict_do_update(
        index_elements=["work_order_id", "check_date"], index_where=_check.method == "AUTO",
        set_={name: rows.excluded[name] for name in check},
    ).returning(_check.id, _check.work_order_id, _check.kit_status).cte("kit_checked")

    found = and_(item.c.work_order_id == checks.c.work_order_id, item.c.material_id.is_not(None))
    lines = insert(kit_check_items).from_select(
        ["kit_check_id", *KEPT], select(checks.c.id, *(item.c[name] for name in KEPT)).join_from(checks, item, found)
    )
    items = lines.on_conflict_do_update(
        index_elements=["kit_check_id", "material_id"], set_={name: lines.excluded[name] for name in KEPT}
    ).returning(_item.kit_check_id).cte("kit_itemised")
    kept = select(checks.c.id).join_from(checks, item, found).where(
        checks.c.id == _item.kit_check_id, item.c.material_id == _item.material_id
    )
    today = select(_check.id).where(of_day(window.day))
    no_line = delete(kit_check_items).where(_item.kit_check_id.in_(today), ~kept.exists()).returning(_item.material_id)
    out = delete(kit_checks).where(of_day(window.day), _check.work_order_id.not_in(select(item.c.work_order_id)))
    numbers: tuple[Any, ...] = (
        func.count().label("checks"), func.count().filter(checks.c.kit_status == "NO_BOM").label("without_bom"),
    )
    return select(*numbers).select_from(checks).add_cte(
        items, no_line.cte("kit_no_line"), out.returning(_check.id).cte("kit_out")
    )


def _summary(item: CTE, min_rate: int) -> dict[str, Any]:
    """One order's items as the columns of its check."""
    total, fulfilled = func.count(item.c.material_id), _having("FULFILLED", item)
    from_stock = func.count().filter(item.c.on_hand_alloc >= item.c.required_qty)
    key_missing = func.coalesce(func.bool_or(item.c.is_key & (item.c.item_status != "FULFILLED")), False)
    rate = _percent(fulfilled, total)
    return {
        "work_order_id": item.c.work_order_id, "bom_id": func.max(item.c.bom_id), "total_items": total,
        "fulfilled_items": fulfilled, "in_transit_items": _having("IN_TRANSIT", item),
        "shortage_items": _having("SHORTAGE", item), "kit_rate": rate, "start_kit_rate": _percent(from_stock, total),
        "kit_status": status(rate, fulfilled, total, key_missing, min_rate),
        "can_start": and_(total > 0, from_stock == total),
    }


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
