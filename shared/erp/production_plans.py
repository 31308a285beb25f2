"""Which production plans will not make their end, fall behind, or have not begun? (rulebook job 16)"""

from datetime import date
from typing import Any

from sqlalchemy import Integer, Numeric, Select, Text, and_, case, cast, func, literal, null, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import array

from shared.alerts import level_rank, shift_level
from shared.erp import ladders
from shared.erp.facts import facts
from shared.erp.live import in_live_project
from shared.erp.tables import production_plans, projects, users, workshops
from shared.erp.tokens import user
from shared.rules.production import deviation_ladder, end_ladder

_plan, _project, _workshop = production_plans.c, projects.c, workshops.c
RUNNING = ("EXECUTING", "PUBLISHED")
progress = func.coalesce(_plan.progress, 0)
_nonsense = or_(_plan.plan_end_date < _plan.plan_start_date, _plan.plan_start_date.is_(None), progress < 0)
_broken = or_(_nonsense, _plan.plan_end_date.is_(None))


def elapsed(day: date) -> Any:
    """shared.rules.production.elapsed_percent as an expression."""
    span = type_coerce(_plan.plan_end_date - _plan.plan_start_date, Integer)
    passed = cast(type_coerce(literal(day) - _plan.plan_start_date, Integer) * 100, Numeric) / func.nullif(span, 0)
    one_day = case((literal(day) > _plan.plan_end_date, 100), else_=0)
    return case((span == 0, one_day), else_=func.least(100, func.greatest(0, passed)))


def worst(*levels: Any) -> Any:
    """The loudest of some levels; null when there is none."""
    rank = func.greatest(*(level_rank(func.coalesce(level, "")) for level in levels), type_=Integer)
    return case((rank > 0, shift_level(literal("INFO", Text), rank - 1)))


def deviating(
    day: date, *, min_progress: int, window_days: int, urgent_after_days: int, deviation_warning: int,
    deviation_critical: int, min_elapsed_percent: int, start_grace_days: int,
) -> Select[Any]:
    """Violations of PRODUCTION_PLAN; one plan has one alert, whose level moves."""
    late = type_coerce(literal(day) - _plan.plan_end_date, Integer)
    since_start = type_coerce(literal(day) - _plan.plan_start_date, Integer)
    expected = elapsed(day)
    behind = expected - progress
    near = and_(late >= -window_days, or_(progress < min_progress, late > urgent_after_days))
    by_end = case((near, ladders.answer(end_ladder(urgent_after_days), late)))
    counts = expected >= min_elapsed_percent
    by_line = case((counts, ladders.answer(deviation_ladder(deviation_warning, deviation_critical), behind)))
    unbegun = case((since_start > start_grace_days, literal("WARNING", Text)))
    level = case((_plan.status == "PUBLISHED", unbegun), else_=worst(by_end, by_line)).label("level")
    executing = _plan.status == "EXECUTING"
    told = {
        "project_code": _project.project_code, "project_name": _project.project_name,
        "workshop_name": _workshop.workshop_name, "owner": users.c.real_name, "status": _plan.status,
        "plan_start": _plan.plan_start_date, "plan_end": _plan.plan_end_date, "days_late": late,
        "days_since_start": since_start, "progress": func.trim_scale(progress),
        "expected": func.trim_scale(func.round(expected, 1)), "behind": func.trim_scale(func.round(behind, 1)),
        "near_end": and_(executing, by_end.is_not(None)), "off_line": and_(executing, by_line.is_not(None)),
    }
    found = select(
        _plan.id.label("target_id"), _plan.plan_no.label("target_no"), _plan.plan_name.label("target_name"),
        _plan.project_id, level, user(_plan.owner_id).label("owner"), user(_workshop.manager_id).label("manager"),
        user(_project.pm_id).label("pm"), facts(told).label("facts"), progress.label("trigger_value"),
        case((executing, case((by_end.is_not(None), min_progress), else_=func.round(expected, 1)))).label(
            "threshold_value"
        ),
    ).select_from(_plans()).outerjoin(workshops, _workshop.id == _plan.workshop_id).outerjoin(
        users, users.c.id == _plan.owner_id
    ).where(_plan.status.in_(RUNNING), in_live_project(), ~_broken, progress < 100).subquery().c
    production = case((found.level.in_(("CRITICAL", "URGENT")), "ROLE:PROD"), else_=null())
    return select(
        found.target_id, found.target_no, found.target_name, found.project_id, found.level,
        array([found.owner, found.manager, found.pm, production]).label("recipients"), found.facts,
        found.trigger_value, found.threshold_value,
    ).where(found.level.is_not(None))


def judged() -> Select[Any]:
    """Every plan that a run can judge, finished ones included: their alerts close."""
    return select(_plan.id.label("target_id")).where(or_(_plan.status.not_in(RUNNING), ~_broken))


def present() -> Select[Any]:
    """Plans that somebody still wants."""
    return select(_plan.id.label("target_id")).select_from(_plans()).where(
        _plan.status != "CANCELLED", in_live_project()
    )


def unjudgeable() -> Select[Any]:
    """Running plans that end before they begin, or whose progress is below nothing."""
    dates = func.concat("planned from ", _plan.plan_start_date, " to ", _plan.plan_end_date)
    reason = case((progress < 0, func.concat("progress is ", func.trim_scale(progress))), else_=dates)
    columns: tuple[Any, ...] = (
        literal("PRODUCTION_PLAN").label("item_type"), _plan.plan_no.label("item_key"), reason.label("error"),
    )
    return select(*columns).select_from(_plans()).where(_plan.status.in_(RUNNING), in_live_project(), _broken)


def counted() -> Select[Any]:
    """How many plans run."""
    return select(func.count()).select_from(_plans()).where(_plan.status.in_(RUNNING), in_live_project())


def _plans() -> Any:
    return production_plans.outerjoin(projects, _project.id == _plan.project_id)
