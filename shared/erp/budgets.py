"""Which projects have spent, or will spend, more of their budget than they should? (rulebook 6.5, jobs 11 and 37)"""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Integer, Numeric, Select, Text, and_, case, func, literal, literal_column, or_, select
from sqlalchemy.dialects.postgresql import array

from shared.alerts import level_rank
from shared.erp import ladders
from shared.erp.facts import facts
from shared.erp.lists import LISTED, first
from shared.erp.live import CLOSED
from shared.erp.materials import OPEN_ORDERS
from shared.erp.projects import kept
from shared.erp.tables import project_costs, projects, purchase_order_items, purchase_orders, users
from shared.erp.tokens import user
from shared.rules.budget import BudgetLimits, budget_ladder

_p, _cost, _order, _line = projects.c, project_costs.c, purchase_orders.c, purchase_order_items.c
_HUNDRED = literal(Decimal(100))
_open_line = and_(
    _order.status.in_([literal_column(f"'{status}'") for status in OPEN_ORDERS]), _order.project_id.is_not(None),
    _line.received_qty < _line.quantity, _line.received_qty >= 0,
)


def overruns(limits: BudgetLimits, scope: Select[Any] | None = None) -> Select[Any]:
    """Violations of COST_OVERRUN among kept projects, or those of them that `scope` selects; one alert a project."""
    known = _figures(scope).cte("budget_figures").c
    ladder = budget_ladder(limits)
    used, forecast = known.actual * _HUNDRED / known.budget, known.forecast * _HUNDRED / known.budget
    by_cost = ladders.answer(ladder, used)
    will_be = and_(used < limits.forecast_percent, forecast >= limits.forecast_percent)
    by_forecast = and_(will_be, func.coalesce(level_rank(by_cost), 0) < 2)
    level = case((by_forecast, literal("WARNING", Text)), else_=by_cost)
    loud = level.in_(("CRITICAL", "URGENT"))
    told = {
        "manager": users.c.real_name, "budget": known.budget, "actual": known.actual, "committed": known.committed,
        "forecast": known.forecast, "used_percent": func.trim_scale(func.trunc(used, 2)),
        "forecast_percent": func.trim_scale(func.trunc(forecast, 2)), "by_forecast": by_forecast,
    }
    limit = case((by_forecast, limits.forecast_percent), else_=ladders.limit(ladder, used))
    more = case((and_(loud, _p.pm_id.is_not(None)), literal("MGR:", Text) + _p.pm_id.cast(Text)))
    return select(
        _p.id.label("target_id"), _p.project_code.label("target_no"), _p.project_name.label("target_name"),
        _p.id.label("project_id"), level.label("level"),
        array([user(_p.pm_id), case((loud, "ROLE:PMO")), more], type_=Text).label("recipients"),
        facts(told).label("facts"), func.trunc(used, 2, type_=Numeric).label("trigger_value"),
        limit.label("threshold_value"),
    ).join_from(projects, known.project_id.table, known.project_id == _p.id).outerjoin(
        users, users.c.id == _p.pm_id
    ).where(level.is_not(None))


def _figures(scope: Select[Any] | None) -> Select[Any]:
    """Per project with a budget what its cost rows add up to, and what its open purchases will cost."""
    cost, order = _actual(scope).subquery("actuals"), _committed(scope).subquery("commitments")
    actual, committed = func.coalesce(cost.c.amount, 0), func.coalesce(order.c.amount, 0)
    return select(
        _p.id.label("project_id"), func.trim_scale(_p.budget_amount, type_=Numeric).label("budget"),
        func.trim_scale(actual, type_=Numeric).label("actual"),
        func.trim_scale(committed, type_=Numeric).label("committed"),
        func.trim_scale(actual + committed, type_=Numeric).label("forecast"),
    ).outerjoin_from(projects, cost, cost.c.project_id == _p.id).outerjoin(order, order.c.project_id == _p.id).where(
        kept, _p.budget_amount > 0, *_within(_p.id, scope)
    )


def _actual(scope: Select[Any] | None = None) -> Select[Any]:
    """What each project has cost so far by its cost rows; credit notes are subtracted."""
    amount = func.sum(_cost.amount, type_=Numeric).label("amount")
    return select(_cost.project_id, amount).where(*_within(_cost.project_id, scope)).group_by(_cost.project_id)


def _committed(scope: Select[Any] | None = None) -> Select[Any]:
    """What is ordered for each project and has not come; a line without a price is worth nothing here."""
    value = func.sum((_line.quantity - _line.received_qty) * _line.unit_price)
    return select(_order.project_id, func.round(func.coalesce(value, 0), 2, type_=Numeric).label("amount")).join_from(
        purchase_orders, purchase_order_items, _line.order_id == _order.id
    ).where(_open_line, *_within(_order.project_id, scope)).group_by(_order.project_id)


def _within(column: Any, scope: Select[Any] | None) -> tuple[Any, ...]:
    return () if scope is None else (column.in_(scope),)


def judged(scope: Select[Any] | None = None) -> Select[Any]:
    """Projects whose budget says something, or that have none; not those whose budget is below nothing."""
    return select(_p.id.label("target_id")).where(
        kept, func.coalesce(_p.budget_amount, 0) >= 0, *_within(_p.id, scope)
    )


def unjudgeable(scope: Select[Any] | None = None) -> Select[Any]:
    """Kept projects with a budget below nothing."""
    return _items(func.concat("budget is ", _p.budget_amount)).where(kept, _p.budget_amount < 0, *_within(_p.id, scope))


def differences(percent: int) -> Select[Any]:
    """Kept projects whose stored cost is not what the cost rows add up to, as data defects: the rows are believed."""
    cost = _actual().subquery("actuals")
    actual = func.coalesce(cost.c.amount, 0)
    error = func.concat("actual_cost is ", _p.actual_cost, ", its cost rows add up to ", actual)
    return _items(error).outerjoin(cost, cost.c.project_id == _p.id).where(
        kept, func.abs(_p.actual_cost - actual) * _HUNDRED > percent * func.abs(actual)
    )


def counted() -> Select[Any]:
    """How many kept projects there are, how many open ones have no budget, and open purchase lines without a price."""
    unpriced = select(func.count(type_=Integer)).join_from(
        purchase_orders, purchase_order_items, _line.order_id == _order.id
    ).join(projects, _p.id == _order.project_id).where(_open_line, _line.unit_price.is_(None), kept).scalar_subquery()
    numbers: tuple[Any, ...] = (
        func.count().label("projects"), func.count().filter(_unplanned).label("no_budget"), unpriced.label("unpriced"),
    )
    return select(*numbers).where(kept)


def missing(day: date) -> Select[Any]:
    """The week's message to the PMO: open projects without a budget, the dearest first."""
    cost = _actual().subquery("actuals")
    actual = func.coalesce(cost.c.amount, 0)
    item = func.jsonb_build_object(
        "project_code", _p.project_code, "project_name", _p.project_name, "manager", users.c.real_name,
        "actual", func.trim_scale(actual),
    )
    told = {
        "day": literal(str(day)), "count": func.count(), "items": first(LISTED, item, actual.desc(), _p.project_code),
    }
    return select(
        literal(f"DIGEST_NO_BUDGET|{day}", Text).label("dedupe_key"),
        array([literal("ROLE:PMO", Text)]).label("recipients"),
        literal("INFO", Text).label("severity"), literal("DIGEST", Text).label("reason"),
        array([literal("system", Text), literal("email", Text)]).label("channels"), facts(told).label("facts"),
    ).outerjoin_from(projects, cost, cost.c.project_id == _p.id).outerjoin(users, users.c.id == _p.pm_id).where(
        kept, _unplanned
    ).having(func.count() > 0)


_unplanned = and_(or_(_p.budget_amount.is_(None), _p.budget_amount == 0), _p.status.not_in(CLOSED))


def _items(error: Any) -> Select[Any]:
    return select(literal("PROJECT").label("item_type"), _p.project_code.label("item_key"), error.label("error"))
