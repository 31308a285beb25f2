"""Which machines are due for maintenance, and which are overdue? (rulebook job 35)"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Integer, Numeric, Select, Text, and_, case, cast, func, literal, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import array

from shared.alerts import shift_level
from shared.erp import ladders, lists
from shared.erp.facts import facts
from shared.erp.tables import equipment, users, work_orders, workshops
from shared.erp.tokens import user
from shared.rules.maintenance import overdue_ladder

_machine, _workshop, _keeper, _order = equipment.c, workshops.c, users.c, work_orders.c
OPEN = ("PENDING", "ASSIGNED", "STARTED", "PAUSED")
in_use = and_(_machine.is_active, _machine.status != "SCRAPPED")
due = func.coalesce(
    _machine.next_maintenance_date, _machine.last_maintenance_date + _machine.maintenance_cycle_days
)
_broken = or_(
    _machine.maintenance_cycle_days <= 0,
    and_(due.is_(None), _machine.maintenance_cycle_days.is_not(None)),
)


def overdue(day: date, critical_days: int, listed_days: int) -> Select[Any]:
    """Violations of EQUIPMENT_MAINTENANCE: machines past their due date; a key machine counts one level more."""
    late = type_coerce(literal(day) - due, Integer)
    ladder = overdue_ladder(critical_days)
    return select(
        _machine.id.label("target_id"), _machine.equipment_code.label("target_no"),
        _machine.equipment_name.label("target_name"), cast(None, _machine.id.type).label("project_id"),
        shift_level(ladders.answer(ladder, late), cast(_machine.is_key, Integer)).label("level"),
        _people().label("recipients"), facts(_about(day, late, listed_days)).label("facts"),
        cast(late, Numeric).label("trigger_value"), ladders.limit(ladder, late).label("threshold_value"),
    ).select_from(_machines()).where(_judgeable(), due < day)


def due_soon(day: date, tiers: Sequence[int], warning_days: int, listed_days: int) -> Select[Any]:
    """One reminder a machine, due date and tier, on exactly that day; moving the date arms it anew."""
    left = type_coerce(due - literal(day), Integer)
    key = func.concat("EQUIPMENT_MAINTENANCE_REMINDER|EQUIPMENT|", _machine.id, "|", due, "|T", left)
    told = _about(day, -left, listed_days) | {
        "target_no": _machine.equipment_code, "target_name": _machine.equipment_name,
    }
    return select(
        key.label("dedupe_key"), func.array_append(_people(), "ROLE:EQUIP").label("recipients"),
        case((left <= warning_days, literal("WARNING", Text)), else_="INFO").label("severity"),
        facts(told).label("facts"),
    ).select_from(_machines()).where(_judgeable(), due.in_([day + timedelta(days=tier) for tier in tiers]))


def judged() -> Select[Any]:
    """Every machine whose due date can be known."""
    return select(_machine.id.label("target_id")).where(~func.coalesce(_broken, False))


def present() -> Select[Any]:
    """Machines that somebody still uses."""
    return select(_machine.id.label("target_id")).where(in_use)


def unjudgeable() -> Select[Any]:
    """Machines with a cycle that leads to no date."""
    cycle = func.concat("maintenance cycle is ", _machine.maintenance_cycle_days, " days")
    undated = "a maintenance cycle, but neither a last nor a next date"
    return _items(case((_machine.maintenance_cycle_days <= 0, cycle), else_=undated)).where(in_use, _broken)


def contradictions() -> Select[Any]:
    """Machines maintained after the day they are next due, as data defects; judged by the planned date."""
    last = _machine.last_maintenance_date
    error = func.concat("maintained on ", last, ", and still due on ", _machine.next_maintenance_date)
    return _items(error).where(in_use, last > _machine.next_maintenance_date)


def counted() -> Select[Any]:
    """How many machines there are to look after."""
    return select(func.count()).select_from(equipment).where(in_use)


def _judgeable() -> Any:
    return and_(in_use, ~func.coalesce(_broken, False))


def _machines() -> Any:
    return equipment.outerjoin(workshops, _workshop.id == _machine.workshop_id).outerjoin(
        users, _keeper.id == _machine.keeper_id
    )


def _people() -> Any:
    return array([user(_machine.keeper_id), user(_workshop.manager_id)])


def _about(day: date, late: Any, listed_days: int) -> dict[str, Any]:
    """What a message says of a machine, with the open orders planned on it until the listed day."""
    until = day + timedelta(days=listed_days)
    line = facts({
        "work_order_no": _order.work_order_no, "task_name": _order.task_name, "plan_start": _order.plan_start_date,
        "plan_end": _order.plan_end_date,
    })
    orders = select(
        func.coalesce(lists.first(lists.LISTED, line, _order.plan_start_date, _order.id), func.jsonb_build_array())
    ).where(
        _order.equipment_id == _machine.id, _order.status.in_(OPEN), _order.plan_start_date <= until
    ).scalar_subquery()
    return {
        "due_date": due, "days_late": late, "last_date": _machine.last_maintenance_date,
        "cycle_days": _machine.maintenance_cycle_days, "is_key": _machine.is_key, "keeper": _keeper.real_name,
        "workshop_name": _workshop.workshop_name, "orders": orders,
    }


def _items(error: Any) -> Select[Any]:
    return select(
        literal("EQUIPMENT").label("item_type"), _machine.equipment_code.label("item_key"), error.label("error")
    ).select_from(equipment)
