"""Which pending milestones come up within days, or are past their day? (rulebook job 4)"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Integer, Select, Text, and_, case, func, literal, select, type_coerce
from sqlalchemy.dialects.postgresql import array

from shared.erp import ladders
from shared.erp.facts import facts
from shared.erp.live import in_live_project
from shared.erp.milestones import is_open
from shared.erp.tables import project_milestones as milestones
from shared.erp.tables import projects, users
from shared.erp.tiers import due_tier, late_tier
from shared.erp.tokens import user
from shared.rules.reminders import due_ladder

_milestone, _project = milestones.c, projects.c


def upcoming(day: date, tiers: Sequence[int], high_days: int) -> Select[Any]:
    """Milestones within the first tier: their owner, else the project manager; once a tier."""
    left = type_coerce(_milestone.planned_date - literal(day), Integer)
    return _messages(
        "MILESTONE_UPCOMING", day, func.concat("T", due_tier(left, tiers)),
        [user(func.coalesce(_milestone.owner_id, _project.pm_id))], ladders.answer(due_ladder(high_days), left),
        {"days_left": left},
    ).where(_milestone.planned_date.between(day, day + timedelta(days=max(tiers))))


def overdue(day: date, daily_days: int, every: int) -> Select[Any]:
    """Milestones past their day: owner and project manager, every day at first, then every so many days."""
    late = type_coerce(literal(day) - _milestone.planned_date, Integer)
    return _messages(
        "MILESTONE_OVERDUE", day, func.concat("D", late_tier(late, range(1, daily_days + 1), every)),
        [user(_milestone.owner_id), user(_project.pm_id)], literal("URGENT", Text), {"days_overdue": late},
    ).where(_milestone.planned_date < day)


def _messages(
    type_: str, day: date, bucket: Any, told: list[Any], severity: Any, more: dict[str, Any]
) -> Select[Any]:
    nobody = case((and_(_milestone.owner_id.is_(None), _project.pm_id.is_(None)), "ROLE:SALES_MGR"))
    about = {
        "milestone_code": _milestone.milestone_code, "milestone_name": _milestone.milestone_name,
        "is_key": _milestone.is_key, "project_code": _project.project_code, "project_name": _project.project_name,
        "planned_date": _milestone.planned_date, "owner": users.c.real_name, **more,
    }
    return select(
        func.concat_ws("|", type_, "MILESTONE", _milestone.id, _milestone.planned_date, bucket).label("dedupe_key"),
        array([*told, nobody], type_=Text).label("recipients"), severity.label("severity"),
        facts(about).label("facts"), _milestone.project_id,
    ).join_from(milestones, projects, _project.id == _milestone.project_id).outerjoin(
        users, users.c.id == _milestone.owner_id
    ).where(_milestone.status == "PENDING", is_open(day), in_live_project())
