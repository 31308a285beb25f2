"""Which outsourcing orders are due soon, late, or will be late by their vendor's own word? (rulebook job 21)"""

from datetime import date
from typing import Any

from sqlalchemy import Integer, Select, Text, and_, case, func, literal, literal_column, select, type_coerce
from sqlalchemy.dialects.postgresql import array

from shared.erp import ladders
from shared.erp.facts import facts
from shared.erp.live import in_live_project
from shared.erp.tables import outsourcing_orders, projects, suppliers
from shared.erp.tokens import user
from shared.rules.ladder import Ladder
from shared.rules.outsourcing import outsourcing_ladder

_order, _project, _vendor = outsourcing_orders.c, projects.c, suppliers.c
# Written as literals, so that the planner can prove the partial index of running orders.
_running = _order.status.in_([literal_column("'CONFIRMED'"), literal_column("'IN_PROGRESS'")])


def level(ladder: Ladder, days_late: Any, estimated_late: Any) -> Any:
    """shared.rules.outsourcing.outsourcing_level as an expression."""
    return func.coalesce(ladders.answer(ladder, days_late), case((estimated_late, literal("WARNING", Text))))


def near_or_late(day: date, before_days: int, urgent_after_days: int) -> Select[Any]:
    """Running orders not delivered yet, by the days to or past their required day; one order has one alert."""
    late = type_coerce(literal(day) - _order.required_date, Integer)
    ladder = outsourcing_ladder(before_days, urgent_after_days)
    expected_late = func.coalesce(_order.estimated_date > _order.required_date, False)
    loudness = level(ladder, late, expected_late)
    told = {
        "order_title": _order.order_title, "vendor_name": _vendor.supplier_name,
        "project_code": _project.project_code, "project_name": _project.project_name, "status": _order.status,
        "required_date": _order.required_date, "estimated_date": _order.estimated_date, "days_late": late,
        "estimated_late": expected_late,
    }
    procurement = case((late > 0, "ROLE:PROC"))
    return select(
        _order.id.label("target_id"), _order.order_no.label("target_no"),
        func.coalesce(_order.order_title, _vendor.supplier_name).label("target_name"), _order.project_id,
        loudness.label("level"),
        array([user(_order.buyer_id), user(_project.pm_id), procurement]).label("recipients"),
        facts(told).label("facts"), late.label("trigger_value"), ladders.limit(ladder, late).label("threshold_value"),
    ).outerjoin_from(outsourcing_orders, suppliers, _vendor.id == _order.vendor_id).outerjoin(
        projects, _project.id == _order.project_id
    ).where(_running, in_live_project(), _order.actual_date.is_(None), loudness.is_not(None))


def judged(day: date) -> Select[Any]:
    """All orders, for one delivered, moved or closed ends its alert; but none that contradicts itself."""
    return select(_order.id.label("target_id")).where(~_impossible(day))


def present() -> Select[Any]:
    """Orders that somebody still wants."""
    return select(_order.id.label("target_id")).where(_order.status != "CANCELLED")


def unjudgeable(day: date) -> Select[Any]:
    """Running orders that say they were delivered on a day still to come: nobody knows whether they are here."""
    return _listed("delivered on ", _order.actual_date, ", which is still to come").where(_impossible(day))


def contradictions(day: date) -> Select[Any]:
    """Orders that have been delivered and still run, as data defects; their alert ends."""
    return _listed("delivered on ", _order.actual_date, ", and the order is still ", _order.status).where(
        _running, _order.actual_date <= day
    )


def counted() -> Select[Any]:
    """How many running orders there are (`orders`), and how many without a required day (`undated`)."""
    undated = and_(_order.required_date.is_(None), _order.actual_date.is_(None))
    numbers: tuple[Any, ...] = (func.count().label("orders"), func.count().filter(undated).label("undated"))
    return select(*numbers).outerjoin_from(
        outsourcing_orders, projects, _project.id == _order.project_id
    ).where(_running, in_live_project())


def _impossible(day: date) -> Any:
    return and_(_running, func.coalesce(_order.actual_date > day, False))


def _listed(*said: Any) -> Select[Any]:
    columns: tuple[Any, ...] = (
        literal("OUTSOURCING_ORDER").label("item_type"), _order.order_no.label("item_key"),
        func.concat(*said).label("error"),
    )
    return select(*columns).outerjoin_from(outsourcing_orders, projects, _project.id == _order.project_id).where(
        in_live_project()
    )
