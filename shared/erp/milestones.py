"""Which milestones are near or overdue? (rulebook job 9)"""

from datetime import date
from typing import Any

from sqlalchemy import (
    Integer,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import array

from shared.alerts import shift_level
from shared.erp import ladders, tokens
from shared.erp.live import in_live_project
from shared.erp.tables import project_milestones as milestones
from shared.erp.tables import projects, users
from shared.rules.milestones import milestone_ladder

unfinished = milestones.c.status.not_in([literal_column("'COMPLETED'"), literal_column("'CANCELLED'")])


def is_open(day: date) -> Any:
    """Neither completed nor cancelled; one with an actual date up to `day` is done whatever its status says."""
    return and_(unfinished, or_(milestones.c.actual_date.is_(None), milestones.c.actual_date > day))


def near_or_overdue(day: date, before_days: int, urgent_after_days: int) -> Select[Any]:
    """Violations of MILESTONE_DUE; one milestone has one alert, whose level moves."""
    m, remind = milestones.c, func.coalesce(milestones.c.reminder_days, before_days)
    late = type_coerce(literal(day) - m.planned_date, Integer)
    ladder = milestone_ladder(urgent_after_days)
    pmo = case((late > 0, "ROLE:PMO"))
    return (
        select(
            m.id.label("target_id"),
            m.milestone_code.label("target_no"),
            m.milestone_name.label("target_name"),
            m.project_id,
            shift_level(ladders.answer(ladder, late), case((m.is_key, 0), else_=-1)).label("level"),
            func.array_remove(
                array([tokens.user(m.owner_id), tokens.user(projects.c.pm_id), pmo], type_=Text), None
            ).label("recipients"),
            func.jsonb_build_object(
                "planned_date",
                cast(m.planned_date, Text),
                "days_late",
                late,
                "is_key",
                m.is_key,
                "owner",
                users.c.real_name,
                "project_code",
                projects.c.project_code,
                "project_name",
                projects.c.project_name,
            ).label("facts"),
            cast(late, Numeric).label("trigger_value"),
            func.coalesce(ladders.limit(ladder, late), cast(-remind, Numeric)).label("threshold_value"),
        )
        .select_from(milestones)
        .join(projects, projects.c.id == m.project_id)
        .outerjoin(users, users.c.id == m.owner_id)
        .where(is_open(day), in_live_project(), remind >= 0, m.planned_date <= literal(day) + remind)
    )


def judgeable() -> Select[Any]:
    """Every milestone that a run can judge, finished ones included: their alerts close."""
    return select(milestones.c.id.label("target_id")).where(~and_(unfinished, _nonsense))


def of_live_projects() -> Select[Any]:
    """Every milestone that somebody still works for."""
    return (
        select(milestones.c.id.label("target_id"))
        .join_from(milestones, projects, projects.c.id == milestones.c.project_id)
        .where(in_live_project())
    )


def contradictions(day: date) -> Select[Any]:
    """Open milestones whose reminder window is negative: nobody can say when they are near."""
    return _items(func.concat("reminder_days is ", milestones.c.reminder_days)).where(is_open(day), _nonsense)


def done_but_open(day: date) -> Select[Any]:
    """Milestones with an actual date whose status was left open: judged as done, recorded as data defects."""
    error = func.concat("status is ", milestones.c.status, ", but it was reached on ", milestones.c.actual_date)
    return _items(error).where(unfinished, milestones.c.actual_date <= day)


_nonsense = func.coalesce(milestones.c.reminder_days, 0) < 0


def _items(error: Any) -> Select[Any]:
    return (
        select(
            literal("MILESTONE").label("item_type"),
            func.concat(projects.c.project_code, "/", milestones.c.milestone_code, "#", milestones.c.id).label(
                "item_key"
            ),
            error.label("error"),
        )
        .join_from(milestones, projects, projects.c.id == milestones.c.project_id)
        .where(in_live_project())
    )
