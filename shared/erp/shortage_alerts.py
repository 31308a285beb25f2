"""Whom do the open shortages concern, and how loudly? (rulebook job 14, step B)"""

from datetime import date
from typing import Any

from sqlalchemy import Integer, Select, Text, case, cast, func, literal, select, type_coerce, union_all
from sqlalchemy.dialects.postgresql import array

from shared.alerts import shift_level
from shared.erp import kits, ladders
from shared.erp.facts import facts
from shared.erp.shortages import is_open
from shared.erp.side_tables import material_shortages
from shared.erp.tables import materials, projects, work_orders, workshops
from shared.erp.tokens import user
from shared.rules.ladder import Ladder
from shared.rules.shortages import shortage_ladder

_short, _order, _project, _material = material_shortages.c, work_orders.c, projects.c, materials.c


def level(ladder: Ladder, days_left: Any, impact: Any, share: Any, minor_percent: int) -> Any:
    """shared.rules.shortages.shortage_level as an expression."""
    steps = cast(impact == "STOP", Integer) - cast(share < minor_percent, Integer)
    base = ladders.answer(ladder, days_left)
    return case((days_left.is_(None), literal(ladder.otherwise, Text)), else_=shift_level(base, steps))


def open_now(day: date, critical_days: int, warning_days: int, minor_percent: int) -> Select[Any]:
    """Open shortages by the days left to the day their material is required."""
    days = type_coerce(_short.required_date - literal(day), Integer)
    share = _short.shortage_qty * 100 / _short.required_qty
    ladder = shortage_ladder(critical_days, warning_days)
    loudness = level(ladder, days, _short.impact_type, share, minor_percent)
    urgent = [case((loudness == "URGENT", token)) for token in (user(workshops.c.manager_id), "ROLE:PROC")]
    told = {
        "material_code": _material.material_code, "material_name": _material.material_name, "unit": _material.unit,
        "work_order_no": _order.work_order_no, "task_name": _order.task_name, "plan_start": _order.plan_start_date,
        "project_code": _project.project_code, "project_name": _project.project_name,
        "workshop_name": workshops.c.workshop_name, "required_date": _short.required_date, "days_left": days,
        "required": func.trim_scale(_short.required_qty), "available": func.trim_scale(_short.available_qty),
        "in_transit": func.trim_scale(_short.in_transit_qty), "short": func.trim_scale(_short.shortage_qty),
        "eta": _short.eta_date, "impact": _short.impact_type, "delay_days": _short.est_delay_days,
    }
    return select(
        _short.id.label("target_id"), _material.material_code.label("target_no"),
        func.concat_ws(" · ", _material.material_name, _order.work_order_no).label("target_name"), _short.project_id,
        loudness.label("level"),
        array([user(_material.buyer_id), user(_project.pm_id), *urgent]).label("recipients"),
        facts(told).label("facts"),
        _short.shortage_qty.label("trigger_value"), ladders.limit(ladder, days).label("threshold_value"),
    ).outerjoin_from(material_shortages, materials, _material.id == _short.material_id).outerjoin(
        work_orders, _order.id == _short.work_order_id
    ).outerjoin(projects, _project.id == _short.project_id).outerjoin(
        workshops, workshops.c.id == _order.workshop_id
    ).where(is_open, _short.required_qty > 0)


def judged() -> Select[Any]:
    """Shortages that a level can be said of."""
    return select(_short.id.label("target_id")).where(_short.required_qty > 0)


def present() -> Select[Any]:
    """Shortages that somebody still waits for, or has waited for to the end."""
    return select(_short.id.label("target_id")).where(_short.status != "CANCELLED")


def unjudgeable(window: kits.Window) -> Select[Any]:
    """Orders whose bill contradicts itself, and open shortages of nothing."""
    nothing = select(
        literal("MATERIAL_SHORTAGE"), cast(_short.id, Text),
        func.concat("required quantity is ", func.trim_scale(_short.required_qty)),
    ).where(is_open, _short.required_qty <= 0)
    return select(union_all(kits.unjudgeable(window), nothing).subquery())


def defects(window: kits.Window) -> Select[Any]:
    """Doubtful stock and purchases, and open shortages without a required day, which are told as INFO."""
    undated = select(literal("MATERIAL_SHORTAGE"), cast(_short.id, Text), literal("no required date")).where(
        is_open, _short.required_qty > 0, _short.required_date.is_(None)
    )
    return select(union_all(kits.doubtful_supply(window), undated).subquery())
