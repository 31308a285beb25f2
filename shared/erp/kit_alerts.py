"""Whom does the day's kit check concern, and how loudly? (rulebook job 18)"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Numeric, Select, Text, and_, case, cast, func, literal, null, or_, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by, array

from shared.erp import kits
from shared.erp.facts import facts
from shared.erp.kit_checks import of_day
from shared.erp.live import in_live_project
from shared.erp.side_tables import kit_check_items, kit_checks
from shared.erp.tables import machines, materials, projects, work_orders, workshops
from shared.erp.tokens import user

WORST = 10  # lines that an alert lists; the check itself keeps all

_order, _project, _workshop, _check = work_orders.c, projects.c, workshops.c, kit_checks.c


def level(rate: Any, days_to_start: Any, can_start: Any, started: Any, *, min_rate: int, critical_days: int) -> Any:
    """shared.rules.kits.kit_level as an expression."""
    return case(
        (and_(days_to_start <= 0, ~can_start, ~started), literal("URGENT", Text)),
        (rate >= min_rate, null()),
        (days_to_start <= critical_days, "CRITICAL"),
        else_="WARNING",
    )



def low(day: date, min_rate: int, critical_days: int) -> Select[Any]:
    """Orders whose kit is not good enough for their start, with the worst of what they miss."""
    missing = _missing_lines()
    days = _order.plan_start_date - literal(day)
    started = _order.status == "STARTED"
    loudness = level(
        _check.kit_rate, days, _check.can_start, started, min_rate=min_rate, critical_days=critical_days
    ).label("level")
    told = _about_order() | {
        "days_to_start": days, "started": started, "can_start": _check.can_start,
        "kit_rate": func.trim_scale(_check.kit_rate), "start_kit_rate": func.trim_scale(_check.start_kit_rate),
        "min_rate": min_rate, "total_items": _check.total_items, "fulfilled_items": _check.fulfilled_items,
        "in_transit_items": _check.in_transit_items, "shortage_items": _check.shortage_items,
        "lines": func.coalesce(missing.c.lines, func.jsonb_build_array()),
    }
    found = select(
        _order.id.label("target_id"), _order.work_order_no.label("target_no"), _order.task_name.label("target_name"),
        _order.project_id, loudness, func.array_cat(_people(), missing.c.buyers).label("recipients"),
        facts(told).label("facts"), _check.kit_rate.label("trigger_value"), literal(min_rate).label("threshold_value"),
    ).select_from(_checked_orders(day).join(missing, true())).where(
        of_day(day), _check.kit_status != "NO_BOM"
    ).subquery()
    return select(found).where(found.c.level.is_not(None))


def without_bom(day: date) -> Select[Any]:
    """Orders that nothing can be said about, because nobody released a bill of material for them."""
    told = _about_order() | {"machine_code": machines.c.machine_code}
    return select(
        _order.id.label("target_id"), _order.work_order_no.label("target_no"), _order.task_name.label("target_name"),
        _order.project_id, literal("WARNING").label("level"), _people().label("recipients"), facts(told).label("facts"),
        cast(null(), Numeric).label("trigger_value"), cast(null(), Numeric).label("threshold_value"),
    ).select_from(_checked_orders(day).outerjoin(machines, machines.c.id == _order.machine_id)).where(
        of_day(day), _check.kit_status == "NO_BOM"
    )


def judged(window: kits.Window) -> Select[Any]:
    """Orders checked today, finished, or not due yet. Paused ones and those that could not be judged are left alone."""
    checked = select(_check.work_order_id).where(of_day(window.day))
    later = or_(_order.plan_start_date > window.last, _order.plan_start_date.is_(None))
    return select(_order.id.label("target_id")).where(
        or_(_order.id.in_(checked), _order.status.in_(kits.FINISHED), and_(_order.status.in_(kits.UNSTARTED), later))
    )


def present() -> Select[Any]:
    """Orders that somebody still wants."""
    return select(_order.id.label("target_id")).outerjoin_from(
        work_orders, projects, _project.id == _order.project_id
    ).where(_order.status != "CANCELLED", in_live_project())


def startable(day: date, not_before: datetime) -> Select[Any]:
    """Per workshop the orders due to start, today or since longer, whose material lies ready: for its manager."""
    line = facts({
        "work_order_no": _order.work_order_no, "task_name": _order.task_name, "project_name": _project.project_name,
        "plan_qty": func.trim_scale(func.coalesce(_order.plan_qty, 1)), "plan_start": _order.plan_start_date,
    })
    listed = func.jsonb_agg(aggregate_order_by(line, _order.plan_start_date, _order.work_order_no))
    key = func.concat("DIGEST_KIT|WORKSHOP|", _workshop.id, "|", literal(day), "|", _workshop.manager_id)
    return select(
        key.label("dedupe_key"),
        array([user(_workshop.manager_id)]).label("recipients"), literal("INFO").label("severity"),
        facts({
            "workshop_name": _workshop.workshop_name, "day": literal(day), "total": func.count(), "orders": listed,
        }).label("facts"),
        literal(not_before).label("not_before"),
    ).select_from(_checked_orders(day)).where(
        of_day(day), _check.can_start, _order.status.in_(kits.UNSTARTED), _order.plan_start_date <= day,
        _workshop.id.is_not(None),
    ).group_by(_workshop.id, _workshop.workshop_name, _workshop.manager_id)


def _checked_orders(day: date) -> Any:
    return kit_checks.join(work_orders, _order.id == _check.work_order_id).outerjoin(
        projects, _project.id == _order.project_id
    ).outerjoin(workshops, _workshop.id == _order.workshop_id)


def _people() -> Any:
    return array([user(_workshop.manager_id), user(_project.pm_id)])


def _about_order() -> dict[str, Any]:
    return {
        "project_code": _project.project_code, "project_name": _project.project_name,
        "workshop_name": _workshop.workshop_name, "plan_start": _order.plan_start_date,
    }


def _missing_lines() -> Any:
    """A check's worst lines, shortages before what is on its way, and the buyers of all of them.

    Looked up check by check: this run has just written the lines, and no statistics know yet how many there are.
    """
    i, m = kit_check_items.c, materials.c
    place = func.row_number().over(
        order_by=(i.item_status.desc(), (i.shortage_qty / func.nullif(i.required_qty, 0)).desc(), m.material_code)
    )
    line = facts({
        "material_code": m.material_code, "material_name": m.material_name, "unit": m.unit, "status": i.item_status,
        "required": func.trim_scale(i.required_qty), "short": func.trim_scale(i.shortage_qty), "eta": i.eta_date,
    })
    each = select(line.label("line"), place.label("place"), user(m.buyer_id).label("buyer")).join_from(
        kit_check_items, materials, m.id == i.material_id
    ).where(i.kit_check_id == _check.id, i.item_status != "FULFILLED").correlate(kit_checks).subquery().c
    return select(
        func.jsonb_agg(aggregate_order_by(each.line, each.place)).filter(each.place <= WORST).label("lines"),
        func.array_agg(each.buyer.distinct()).label("buyers"),
    ).lateral("kit_missing")
