"""Which planned payments are due soon, or past their day and not in? (rulebook jobs 4 and 29)"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Integer, Select, Text, and_, case, func, literal, literal_column, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import array

from shared.erp import ladders
from shared.erp.facts import facts
from shared.erp.live import in_live_project
from shared.erp.tables import contracts, customers, projects, users
from shared.erp.tables import project_milestones as milestones
from shared.erp.tables import project_payment_plans as plans
from shared.erp.tiers import due_tier, late_tier
from shared.erp.tokens import user
from shared.rules.reminders import due_ladder, late_ladder

_plan, _contract, _project, _milestone = plans.c, contracts.c, projects.c, milestones.c
_open = _plan.status.in_([literal_column(f"'{word}'") for word in ("PENDING", "INVOICED", "PARTIAL")])
_broken = or_(_plan.actual_amount < 0, _plan.planned_amount < 0)
_remaining = _plan.planned_amount - _plan.actual_amount


def upcoming(
    day: date, tiers: Sequence[int], *, high_days: int, urgent_days: int, copy_days: int
) -> Select[Any]:
    """Payments due within the first tier: contract owner and project manager, finance in copy from `copy_days` on."""
    left = type_coerce(_plan.planned_date - literal(day), Integer)
    told = [
        *_people(), case((left <= copy_days, "ROLE:FIN")),
        case((and_(_contract.owner_id.is_(None), _project.pm_id.is_(None)), "ROLE:SALES_MGR")),
    ]
    return _messages(
        "PAYMENT_PLAN_UPCOMING", func.concat("T", due_tier(left, tiers)), told,
        ladders.answer(due_ladder(high_days, urgent_days), left), {"days_left": left},
    ).where(_plan.planned_date.between(day, day + timedelta(days=max(tiers))))


def overdue(day: date, tiers: Sequence[int], every: int, *, high_days: int, urgent_days: int) -> Select[Any]:
    """Payments past their day by the first tier or more: owner, project manager, finance, sales managers."""
    late = type_coerce(literal(day) - _plan.planned_date, Integer)
    return _messages(
        "PAYMENT_OVERDUE", func.concat("D", late_tier(late, tiers, every)),
        [*_people(), literal("ROLE:FIN"), literal("ROLE:SALES_MGR")],
        ladders.answer(late_ladder(high_days, urgent_days), late), {"days_overdue": late},
    ).where(_plan.planned_date <= day - timedelta(days=min(tiers)))


def due_within(day: date, days: int) -> Any:
    """Planned for today or within so many days."""
    return _plan.planned_date.between(day, day + timedelta(days=days))


def past(day: date) -> Any:
    """Planned for a day that is over."""
    return _plan.planned_date < day


def unjudgeable(when: Any) -> Select[Any]:
    """Open plans of that time whose amounts contradict themselves."""
    said = ("planned amount is ", func.trim_scale(_plan.planned_amount), ", received ")
    return _items(func.concat(*said, func.trim_scale(_plan.actual_amount))).where(_broken, when)


def paid_but_open(when: Any) -> Select[Any]:
    """Plans of that time that are paid in full and still open, as data defects."""
    error = func.concat("everything is paid, and the plan is still ", _plan.status)
    return _items(error).where(~_broken, _remaining <= 0, when)


def counted() -> Select[Any]:
    """How many plans are open (`plans`), and how many of them have no day (`undated`)."""
    numbers: tuple[Any, ...] = (
        func.count().label("plans"), func.count().filter(_plan.planned_date.is_(None)).label("undated"),
    )
    return select(*numbers).select_from(_plans()).where(_open, in_live_project())


def _people() -> list[Any]:
    return [user(_contract.owner_id), user(_project.pm_id)]


def _plans() -> Any:
    return plans.outerjoin(contracts, _contract.id == _plan.contract_id).outerjoin(
        projects, _project.id == func.coalesce(_plan.project_id, _contract.project_id)
    )


def _items(error: Any) -> Select[Any]:
    of = func.coalesce(_contract.contract_code, _project.project_code)
    columns: tuple[Any, ...] = (
        literal("PAYMENT_PLAN").label("item_type"),
        func.concat(of, "/", _plan.payment_name, "#", _plan.id).label("item_key"), error.label("error"),
    )
    return select(*columns).select_from(_plans()).where(_open, in_live_project())


def _messages(type_: str, bucket: Any, told: list[Any], severity: Any, more: dict[str, Any]) -> Select[Any]:
    """One message a plan, planned day and tier: a plan that is moved is told anew."""
    about = {
        "payment_name": _plan.payment_name, "contract_code": _contract.contract_code,
        "customer_name": customers.c.customer_name, "owner": users.c.real_name,
        "project_code": _project.project_code, "project_name": _project.project_name,
        "planned_date": _plan.planned_date, "planned": func.trim_scale(_plan.planned_amount),
        "received": func.trim_scale(_plan.actual_amount), "remaining": func.trim_scale(_remaining),
        "milestone_name": _milestone.milestone_name, "milestone_reached": _milestone.status == "COMPLETED", **more,
    }
    return select(
        func.concat_ws("|", type_, "PAYMENT_PLAN", _plan.id, _plan.planned_date, bucket).label("dedupe_key"),
        array(told, type_=Text).label("recipients"), severity.label("severity"), facts(about).label("facts"),
        _project.id.label("project_id"),
    ).select_from(
        _plans().outerjoin(milestones, _milestone.id == _plan.milestone_id)
        .outerjoin(customers, customers.c.id == func.coalesce(_contract.customer_id, _project.customer_id))
        .outerjoin(users, users.c.id == _contract.owner_id)
    ).where(_open, in_live_project(), ~_broken, _remaining > 0)
