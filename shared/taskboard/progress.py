"""How far are tasks in work, by their time and by their own word? (rulebook jobs T2 and T3)"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Integer,
    Numeric,
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
    update,
)
from sqlalchemy.dialects.postgresql import array

from shared.erp.facts import facts
from shared.erp.live import in_live_project
from shared.erp.tables import projects, users, work_tasks
from shared.erp.tokens import user
from shared.rules.tasks import ProgressLimits
from shared.taskboard.tables import task_cycles

_task, _project = work_tasks.c, projects.c
_processing = and_(
    _task.status == literal_column("'PROCESSING'"), _task.expected_start.is_not(None), _task.expected_end.is_not(None)
)
_reversed = _task.expected_end < _task.expected_start


def time_percent(now: datetime) -> Any:
    """shared.rules.tasks.time_percent as an expression over a task that does not end before it starts."""
    at = literal(now, _task.expected_start.type)
    gone = extract("epoch", at - _task.expected_start) * 100
    whole = extract("epoch", _task.expected_end - _task.expected_start)
    return case(
        (at < _task.expected_start, 0), (at >= _task.expected_end, 100),
        else_=cast(func.floor(gone / func.nullif(whole, 0)), Integer),
    )


def progress_level(time_gone: Any, limits: ProgressLimits) -> Any:
    """shared.rules.tasks.progress_level as an expression."""
    return case(*(
        (and_(time_gone >= limit, _task.progress < limit), literal(level, Text)) for limit, level in limits.steps
    ))


def refreshed(now: datetime) -> Select[Any]:
    """Write the time progress of tasks in work where it differs: one row of how many were `checked` and `updated`."""
    percent = time_percent(now)
    written = (
        update(work_tasks).values(time_progress=percent)
        .where(_processing, ~_reversed, _task.time_progress.is_distinct_from(percent))
        .returning(_task.id).cte("written")
    )
    checked = select(func.count()).select_from(work_tasks).where(_processing).scalar_subquery()
    return select(checked.label("checked"), func.count().label("updated")).select_from(written)


def behind(now: datetime, limits: ProgressLimits) -> Select[Any]:
    """Violations of TASK_PROGRESS_WARNING: tasks in work whose time has gone further than they have.

    Nothing that only the clock moves is among the facts: an alert is written again when its level or the task changes.
    """
    level = progress_level(time_percent(now), limits)
    task = select(*_task, level.label("level")).where(_processing, ~_reversed).subquery("judged_tasks").c
    needed = case(*((task.level == level, limit) for limit, level in limits.steps))
    cycles = select(task_cycles.c.task_id, func.max(task_cycles.c.cycle_no).label("over")).group_by(
        task_cycles.c.task_id
    ).subquery("cycles").c
    cycle = func.coalesce(cycles.over, 0) + 1
    creator = case((task.level.in_(("CRITICAL", "URGENT")), user(task.creator_id)))
    return select(
        task.id.label("target_id"), task.task_code.label("target_no"), task.title.label("target_name"),
        task.project_id, task.level, array([user(task.assignee_id), creator], type_=Text).label("recipients"),
        facts({
            "category": task.category, "assignee": users.c.real_name, "progress": task.progress, "needed": needed,
            "expected_start": task.expected_start, "expected_end": task.expected_end, "cycle_no": cycle,
            "project_code": _project.project_code, "project_name": _project.project_name,
        }).label("facts"),
        cast(task.progress, Numeric).label("trigger_value"), cast(needed, Numeric).label("threshold_value"),
        cast(cycle, Text).label("discriminator"),
    ).outerjoin_from(task.id.table, projects, _project.id == task.project_id).outerjoin(
        users, users.c.id == task.assignee_id
    ).outerjoin(cycles.task_id.table, cycles.task_id == task.id).where(task.level.is_not(None), in_live_project())


def judged() -> Select[Any]:
    """All tasks but those in work whose times contradict each other; an alert of one that is done or stopped ends."""
    return select(_task.id.label("target_id")).where(
        or_(_task.status != "PROCESSING", func.coalesce(_task.expected_end >= _task.expected_start, True))
    )


def present() -> Select[Any]:
    """Every task; alerts of tasks that are gone expire."""
    return select(_task.id.label("target_id"))


def in_work() -> Select[Any]:
    """How many tasks are in work with both times (`tasks`)."""
    return select(func.count().label("tasks")).select_from(work_tasks).where(_processing)


def unjudgeable() -> Select[Any]:
    """Tasks in work that should end before they start."""
    error = func.concat("expected_end ", _task.expected_end, " lies before expected_start ", _task.expected_start)
    columns: tuple[Any, ...] = (
        literal("WORK_TASK").label("item_type"), _task.task_code.label("item_key"), error.label("error"),
    )
    return select(*columns).where(_processing, _reversed)
