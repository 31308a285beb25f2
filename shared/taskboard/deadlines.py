"""Whose deadline is near or past, and who is to be told of it now? (rulebook job 20)"""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    extract,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import INTERVAL, array

from shared.erp.facts import facts
from shared.erp.live import in_live_project
from shared.erp.tables import projects, users, work_tasks
from shared.erp.tokens import user
from shared.rules.tasks import LAST_CALL

_task, _project = work_tasks.c, projects.c
_waiting = and_(
    _task.status.in_([literal_column("'NEW'"), literal_column("'PENDING'"), literal_column("'PROCESSING'")]),
    _task.reminder_enabled, _task.deadline.is_not(None),
)


def reminder_tier(now: datetime, day: date, zone: ZoneInfo, from_hour: int) -> Any:
    """shared.rules.tasks.reminder_tier as an expression."""
    at, today = literal(now, _task.deadline.type), datetime.combine(day, time(), zone)
    before, left = _task.reminder_before_hours, _task.deadline - at
    told_now = literal(now.astimezone(zone).hour >= from_hour)
    over = case((or_(told_now, _task.deadline >= today), literal(f"OVER-{day}", Text)))
    within = left <= before * literal(timedelta(hours=1), INTERVAL)
    return case(
        (left <= timedelta(0), over),
        (and_(within, left <= LAST_CALL), literal("H2", Text)),
        (within, literal("H", Text) + cast(before, Text)),
    )


def reminders(now: datetime, day: date, zone: ZoneInfo, from_hour: int, creator_after_days: int) -> Select[Any]:
    """Messages of TASK_DEADLINE: one a task, assignee, deadline and tier, so a deadline that moves is told anew."""
    at = literal(now, _task.deadline.type)
    tier = reminder_tier(now, day, zone, from_hour)
    task = select(*_task, tier.label("tier")).where(_waiting, _task.reminder_before_hours >= 0).subquery("waiting").c
    over, left = task.deadline <= at, extract("epoch", task.deadline - at)
    late = at - task.deadline > timedelta(days=creator_after_days)
    key = func.concat_ws(
        "|", "TASK_DEADLINE|WORK_TASK", task.id, task.assignee_id,
        cast(extract("epoch", task.deadline), BigInteger), task.tier,
    )
    return select(
        key.label("dedupe_key"), task.project_id,
        array([user(task.assignee_id), case((late, user(task.creator_id)))], type_=Text).label("recipients"),
        case((or_(over, task.tier == "H2"), literal("WARNING", Text)), else_=literal("INFO", Text)).label("severity"),
        facts({
            "target_no": task.task_code, "target_name": task.title, "deadline": task.deadline, "overdue": over,
            "hours_left": cast(func.ceil(left / 3600), Integer), "days_late": cast(func.floor(-left / 86400), Integer),
            "priority": task.priority, "progress": task.progress, "assignee": users.c.real_name,
            "project_code": _project.project_code, "project_name": _project.project_name,
        }).label("facts"),
    ).outerjoin_from(task.id.table, projects, _project.id == task.project_id).outerjoin(
        users, users.c.id == task.assignee_id
    ).where(task.tier.is_not(None), in_live_project())


def waiting() -> Select[Any]:
    """How many unfinished tasks have a deadline that somebody wants to be reminded of (`tasks`)."""
    return select(func.count().label("tasks")).select_from(work_tasks).where(_waiting)


def unjudgeable() -> Select[Any]:
    """Tasks that ask for a reminder a negative time before their deadline."""
    columns: tuple[Any, ...] = (
        literal("WORK_TASK").label("item_type"), _task.task_code.label("item_key"),
        func.concat("reminder_before_hours is ", _task.reminder_before_hours).label("error"),
    )
    return select(*columns).where(_waiting, _task.reminder_before_hours < 0)
