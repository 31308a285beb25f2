"""Which purchase orders are late, or will be by their supplier's own word? (rulebook job 19)"""

from datetime import date
from typing import Any

from sqlalchemy import Integer, Select, Text, and_, case, cast, exists, func, literal, or_, select, true, type_coerce
from sqlalchemy.dialects.postgresql import aggregate_order_by, array

from shared.alerts import shift_level
from shared.erp import ladders
from shared.erp.facts import facts
from shared.erp.live import in_live_project
from shared.erp.materials import OPEN_ORDERS
from shared.erp.shortages import is_open
from shared.erp.side_tables import material_shortages
from shared.erp.tables import goods_receipts, materials, projects, purchase_order_items, purchase_orders, suppliers
from shared.erp.tokens import user
from shared.rules.ladder import Ladder
from shared.rules.purchasing import delivery_ladder

_order, _line, _material, _project = purchase_orders.c, purchase_order_items.c, materials.c, projects.c
_broken = or_(_line.quantity <= 0, _line.received_qty < 0)
_running = and_(_order.status.in_(OPEN_ORDERS), in_live_project())


def level(ladder: Ladder, days_late: Any, feeds_shortage: Any, promised_late: Any) -> Any:
    """shared.rules.purchasing.delivery_level as an expression."""
    base = ladders.answer(ladder, days_late)
    raised = shift_level(base, cast(feeds_shortage, Integer))
    return case((base.is_not(None), raised), (promised_late, literal("INFO", Text)))


def delayed(day: date, critical_days: int, urgent_days: int) -> Select[Any]:
    """Orders with lines still open past their required day, or promised for later than required."""
    line = _open_lines(day).cte("delivery_lines").c
    ladder = delivery_ladder(critical_days, urgent_days)
    late = line.days > 0
    days = func.max(line.days).filter(late)
    feeds = func.coalesce(func.bool_or(line.short).filter(late), False)
    promised_late = func.bool_or(line.promised_late)
    told = or_(late, line.promised_late)
    listed = func.jsonb_agg(aggregate_order_by(line.fact, line.days.desc(), line.line_id)).filter(told)
    per_order = select(
        line.order_id, days.label("days"), level(ladder, days, feeds, promised_late).label("level"),
        feeds.label("feeds"), func.count().filter(late).label("late"), func.count().label("open"),
        listed.label("lines"),
        func.array_agg(line.buyer.distinct()).filter(told).label("line_buyers"),
    ).group_by(line.order_id).cte("delivery_orders").c
    received = select(func.max(goods_receipts.c.receipt_date)).where(
        goods_receipts.c.order_id == per_order.order_id
    ).scalar_subquery()
    about = {
        "order_title": _order.order_title, "supplier_name": suppliers.c.supplier_name,
        "project_code": _project.project_code, "project_name": _project.project_name, "days_late": per_order.days,
        "late_lines": per_order.late, "open_lines": per_order.open, "feeds_shortage": per_order.feeds,
        "last_receipt": received, "lines": per_order.lines,
    }
    buyers = case((_order.buyer_id.is_not(None), array([user(_order.buyer_id)])), else_=per_order.line_buyers)
    procurement = case((per_order.level.in_(("CRITICAL", "URGENT")), "ROLE:PROC"))
    return select(
        _order.id.label("target_id"), _order.order_no.label("target_no"),
        func.coalesce(_order.order_title, suppliers.c.supplier_name).label("target_name"), _order.project_id,
        per_order.level, func.array_cat(buyers, array([user(_project.pm_id), procurement])).label("recipients"),
        facts(about).label("facts"),
        per_order.days.label("trigger_value"), ladders.limit(ladder, per_order.days).label("threshold_value"),
    ).join_from(purchase_orders, per_order.order_id.table, per_order.order_id == _order.id).outerjoin(
        suppliers, suppliers.c.id == _order.supplier_id
    ).outerjoin(projects, _project.id == _order.project_id).where(per_order.level.is_not(None))


def _open_lines(day: date) -> Select[Any]:
    """Each line that something is still missing of: its days past the required day, and the fact that tells of it."""
    required = func.coalesce(_line.required_date, _order.required_date)
    promised = func.coalesce(_line.promised_date, _order.promised_date)
    days = type_coerce(literal(day) - required, Integer)
    short = func.coalesce(_line.material_id.in_(select(material_shortages.c.material_id).where(is_open)), False)
    name = func.coalesce(_material.material_name, _line.specification, _line.model)
    fact = {
        "material_code": _material.material_code, "material_name": name, "unit": _material.unit,
        "quantity": func.trim_scale(_line.quantity), "remainder": func.trim_scale(_line.quantity - _line.received_qty),
        "required_date": required, "promised_date": promised, "days": days, "feeds_shortage": short,
    }
    return select(
        _line.order_id, _line.id.label("line_id"), days.label("days"), short.label("short"),
        func.coalesce(and_(days <= 0, promised > required), False).label("promised_late"),
        user(_material.buyer_id).label("buyer"),
        facts(fact).label("fact"),
    ).join_from(purchase_order_items, purchase_orders, _order.id == _line.order_id).outerjoin(
        projects, _project.id == _order.project_id
    ).outerjoin(materials, _material.id == _line.material_id).where(
        _running, ~_broken, _line.received_qty < _line.quantity
    )


def judged() -> Select[Any]:
    """All orders, for one received, closed or withdrawn ends its alert; but none with a line that cannot be judged."""
    return select(_order.id.label("target_id")).where(~_has_line(_broken))


def unjudgeable() -> Select[Any]:
    """Lines of running orders whose quantities contradict themselves; the order's other lines are judged."""
    said = ("quantity is ", func.trim_scale(_line.quantity), ", received ", func.trim_scale(_line.received_qty))
    columns: tuple[Any, ...] = (
        literal("PURCHASE_ORDER_ITEM").label("item_type"),
        func.concat(_order.order_no, "/", _line.id).label("item_key"), func.concat(*said).label("error"),
    )
    return select(*columns).join_from(purchase_order_items, purchase_orders, _order.id == _line.order_id).outerjoin(
        projects, _project.id == _order.project_id
    ).where(_running, _broken)


def contradictions() -> Select[Any]:
    """Orders that are still open although everything has come, as data defects."""
    return select(
        literal("PURCHASE_ORDER").label("item_type"), _order.order_no.label("item_key"),
        func.concat("everything has come, and the order is still ", _order.status).label("error"),
    ).outerjoin_from(purchase_orders, projects, _project.id == _order.project_id).where(
        _running, _has_line(true()), ~_has_line(_broken), ~_has_line(_line.received_qty < _line.quantity)
    )


def _has_line(condition: Any) -> Any:
    """Whether the order has such a line; asked per order, for the lines of all orders are many."""
    return exists().where(_line.order_id == _order.id, condition).correlate(purchase_orders)


def counted() -> Select[Any]:
    """How many running orders there are (`orders`), and lines nobody can call late: no required day (`undated`)."""
    undated = and_(
        _line.received_qty < _line.quantity, _line.required_date.is_(None), _order.required_date.is_(None)
    )
    numbers: tuple[Any, ...] = (
        func.count(_order.id.distinct()).label("orders"), func.count().filter(undated).label("undated"),
    )
    return select(*numbers).outerjoin_from(
        purchase_orders, purchase_order_items, _line.order_id == _order.id
    ).outerjoin(projects, _project.id == _order.project_id).where(_running)
