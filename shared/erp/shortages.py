"""Which material is short for which work order, from the day's kit check? (rulebook job 14, step A)"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    Integer,
    Select,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    type_coerce,
    union_all,
    update,
)

from shared.erp import kits
from shared.erp.kit_checks import KEPT, of_day
from shared.erp.live import in_live_project
from shared.erp.side_tables import kit_check_items, kit_checks, material_shortages
from shared.erp.tables import bom_items, materials, projects, work_orders

_short, _order, _project, _check = material_shortages.c, work_orders.c, projects.c, kit_checks.c
is_open = _short.status.in_(("OPEN", "HANDLING"))
KEY = ("work_order_id", "bom_item_id", "material_id")
REFRESHED = (
    "project_id", "required_qty", "available_qty", "in_transit_qty", "shortage_qty", "required_date", "eta_date",
    "impact_type", "est_delay_days",
)


def refresh(window: kits.Window, now: datetime, execution: str) -> Select[Any]:
    """Open, update and close shortages in one statement; answers how many, and of how many orders.

    Today's stored checks are believed; orders without one (all of them when the kit check has not run) are calculated.
    """
    items = _items(window).cte("short_items")
    found = _found(items, window).cte("short_found")
    stamp = {"updated_at": literal(now), "execution_id": literal(execution, _short.execution_id.type)}
    same = _same(found)
    opened = insert(material_shortages).from_select(
        [*KEY, *REFRESHED, "created_at", *stamp],
        select(*(found.c[name] for name in (*KEY, *REFRESHED)), literal(now), *stamp.values()).where(
            ~exists().where(is_open, same)
        ),
    ).returning(_short.id).cte("short_opened")
    changed = tuple_(*(_short[n] for n in REFRESHED)).is_distinct_from(tuple_(*(found.c[n] for n in REFRESHED)))
    refreshed = update(material_shortages).values({n: found.c[n] for n in REFRESHED} | stamp).where(
        is_open, same, changed
    ).returning(_short.id).cte("short_refreshed")
    closed = _closed(items, found, window, stamp | {"resolved_at": literal(now)}).cte("short_closed")
    orders, fresh = func.count(items.c.work_order_id.distinct()), items.c.calculated
    count = {
        "orders": select(orders).select_from(items), "calculated": select(orders).select_from(items).where(fresh),
        "opened": select(func.count()).select_from(opened), "refreshed": select(func.count()).select_from(refreshed),
        "resolved": select(func.count()).select_from(closed).where(closed.c.status == "RESOLVED"),
        "cancelled": select(func.count()).select_from(closed).where(closed.c.status == "CANCELLED"),
    }
    return select(*(number.scalar_subquery().label(name) for name, number in count.items()))


def _items(window: kits.Window) -> Select[Any]:
    """Every order in the window with its items: as stored today, else as calculated."""
    calculated = kits.allocation(window).subquery("short_calculated").c
    stored_today = select(_check.work_order_id).where(of_day(window.day))
    stored = select(
        _check.work_order_id, _check.bom_id, literal(False).label("calculated"), *(kit_check_items.c[n] for n in KEPT)
    ).outerjoin_from(kit_checks, kit_check_items, kit_check_items.c.kit_check_id == _check.id).where(
        of_day(window.day), _check.work_order_id.in_(select(kits.orders(window).subquery().c.work_order_id))
    )
    return select(union_all(
        stored,
        select(
            calculated.work_order_id, calculated.bom_id, literal(True), *(calculated[n] for n in KEPT)
        ).where(calculated.work_order_id.not_in(stored_today)),
    ).subquery())


def _found(items: CTE, window: kits.Window) -> Select[Any]:
    """What is short at the start of its order, and what that does to it. It stands on the material's first line."""
    i, m, b = items.c, materials.c, bom_items.c
    line = select(
        b.bom_id, b.material_id, func.min(b.id).label("id"), func.bool_or(b.is_key_item).label("is_key")
    ).where(b.bom_id.in_(select(i.bom_id))).group_by(b.bom_id, b.material_id).subquery().c
    arrives = func.coalesce(i.eta_date, literal(window.day) + func.coalesce(m.lead_time_days, 0))
    wait = type_coerce(func.greatest(0, arrives - _order.plan_start_date), Integer)
    delay = case((_order.plan_start_date.is_not(None), wait))
    slack = _project.planned_end_date - func.coalesce(_order.plan_end_date, _order.plan_start_date)
    key_item = or_(func.coalesce(line.is_key, False), func.coalesce(m.is_key_material, False))
    return select(
        i.work_order_id, line.id.label("bom_item_id"), i.material_id, _order.project_id, i.required_qty,
        i.on_hand_alloc.label("available_qty"), i.in_transit_alloc.label("in_transit_qty"), i.shortage_qty,
        _order.plan_start_date.label("required_date"), i.eta_date,
        impact(_order.status == "STARTED", key_item, delay, slack).label("impact_type"), delay.label("est_delay_days"),
    ).join_from(items, work_orders, _order.id == i.work_order_id).outerjoin(
        projects, _project.id == _order.project_id
    ).outerjoin(materials, m.id == i.material_id).outerjoin(
        line.id.table, and_(line.bom_id == i.bom_id, line.material_id == i.material_id)
    ).where(i.shortage_qty > 0)


def impact(started: Any, key_item: Any, delay: Any, slack: Any) -> Any:
    """shared.rules.shortages.shortage_impact as an expression."""
    return case(
        (or_(started, key_item), "STOP"), (func.coalesce(delay, 0) == 0, "NONE"),
        (and_(slack.is_not(None), delay > func.greatest(0, slack)), "DELIVERY"), else_="DELAY",
    )


def _closed(items: CTE, found: CTE, window: kits.Window, stamp: dict[str, Any]) -> Any:
    """Cancelled with its order; resolved once the order has the material, is finished, or moved beyond the window.

    Shortages of orders that this run did not judge (paused, overdue beyond the window, contradictory) are left alone.
    """
    ours = _order.id == _short.work_order_id
    wanted = select(_order.id).outerjoin_from(work_orders, projects, _project.id == _order.project_id).where(
        ours, _order.status != "CANCELLED", in_live_project()
    ).correlate(material_shortages).exists()
    later = or_(_order.plan_start_date > window.last, _order.plan_start_date.is_(None))
    over = or_(_order.status.in_(kits.FINISHED), and_(_order.status.in_(kits.UNSTARTED), later))
    settled = or_(_short.work_order_id.in_(select(items.c.work_order_id)), exists().where(ours, over))
    return update(material_shortages).values(status=case((wanted, "RESOLVED"), else_="CANCELLED"), **stamp).where(
        is_open, _short.work_order_id.is_not(None), ~exists().where(_same(found)), or_(~wanted, settled)
    ).returning(_short.id, _short.status)


def _same(found: CTE) -> Any:
    """Equal keys as the unique index writes them; IS NOT DISTINCT FROM would compare each row with each."""
    return and_(*(func.coalesce(_short[name], 0) == func.coalesce(found.c[name], 0) for name in KEY))
