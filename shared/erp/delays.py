"""Which project tasks and work orders are past their planned end? (rulebook job 15)"""

from datetime import date
from typing import Any

from sqlalchemy import (
    Integer,
    Numeric,
    Select,
    Text,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import array

from shared.alerts import shift_level
from shared.erp import ladders
from shared.erp.facts import facts
from shared.erp.issues import unsolved
from shared.erp.lists import SAMPLED, first
from shared.erp.live import in_live_project
from shared.erp.tables import issues, project_tasks, projects, users, work_orders, workshops
from shared.erp.tokens import user
from shared.rules.delays import delay_ladder

_t, _o, _project, _shop = project_tasks.c, work_orders.c, projects.c, workshops.c
unfinished_task = _t.status.not_in([literal_column(f"'{status}'") for status in ("DONE", "CANCELLED")])
unfinished_order = _o.status.not_in(
    [literal_column(f"'{status}'") for status in ("COMPLETED", "APPROVED", "CANCELLED")]
)


def late_tasks(day: date, critical_days: int, urgent_days: int) -> Select[Any]:
    """Violations of TASK_DELAY; a blocked task says which unsolved issues of its own hold it up."""
    ladder, days = delay_ladder(critical_days, urgent_days), type_coerce(literal(day) - _t.plan_end, Integer)
    named = func.jsonb_build_object("id", issues.c.id, "name", func.concat(issues.c.issue_no, " ", issues.c.title))
    reason = select(first(SAMPLED, named, issues.c.is_blocking.desc(), issues.c.id).label("sample")).where(
        issues.c.task_id == _t.id, unsolved, _t.status == "BLOCKED"
    ).lateral("reason")
    told = {
        "project_code": _project.project_code, "project_name": _project.project_name, "owner": users.c.real_name,
        "plan_end": _t.plan_end, "days_late": days, "progress": _t.progress_percent, "is_critical": _t.is_critical,
        "blocked": _t.status == "BLOCKED", "blocked_by": reason.c.sample,
    }
    return select(
        _t.id.label("target_id"), _task_no().label("target_no"), _t.task_name.label("target_name"), _t.project_id,
        shift_level(ladders.answer(ladder, days), cast(_t.is_critical, Integer)).label("level"),
        array([user(_t.owner_id), user(_project.pm_id)], type_=Text).label("recipients"), facts(told).label("facts"),
        cast(days, Numeric).label("trigger_value"), ladders.limit(ladder, days).label("threshold_value"),
    ).select_from(
        project_tasks.join(projects, _project.id == _t.project_id).outerjoin(users, users.c.id == _t.owner_id)
        .join(reason, true())
    ).where(unfinished_task, _t.plan_end < day, in_live_project())


def late_orders(day: date, critical_days: int, urgent_days: int) -> Select[Any]:
    """Violations of WORK_ORDER_DELAY: the workshop's manager is told; without one, the project's."""
    ladder, days = delay_ladder(critical_days, urgent_days), type_coerce(literal(day) - _o.plan_end_date, Integer)
    told = {
        "project_code": _project.project_code, "project_name": _project.project_name,
        "workshop_name": _shop.workshop_name, "plan_end": _o.plan_end_date, "days_late": days, "status": _o.status,
        "plan_qty": func.trim_scale(func.coalesce(_o.plan_qty, 1)), "completed_qty": func.trim_scale(_o.completed_qty),
    }
    return select(
        _o.id.label("target_id"), _o.work_order_no.label("target_no"), _o.task_name.label("target_name"), _o.project_id,
        ladders.answer(ladder, days).label("level"),
        array([user(func.coalesce(_shop.manager_id, _project.pm_id))], type_=Text).label("recipients"),
        facts(told).label("facts"), cast(days, Numeric).label("trigger_value"),
        ladders.limit(ladder, days).label("threshold_value"),
    ).outerjoin_from(work_orders, projects, _project.id == _o.project_id).outerjoin(
        workshops, _shop.id == _o.workshop_id
    ).where(unfinished_order, _o.plan_end_date < day, in_live_project())


def all_tasks() -> Select[Any]:
    """Every task can be judged: one that is done, moved or without a planned end is not late."""
    return select(_t.id.label("target_id"))


def all_orders() -> Select[Any]:
    """Every work order can be judged."""
    return select(_o.id.label("target_id"))


def live_tasks() -> Select[Any]:
    """Tasks of projects that somebody still works for."""
    return select(_t.id.label("target_id")).join_from(project_tasks, projects, _project.id == _t.project_id).where(
        in_live_project()
    )


def live_orders() -> Select[Any]:
    """Work orders of such projects, or of none."""
    return select(_o.id.label("target_id")).outerjoin_from(
        work_orders, projects, _project.id == _o.project_id
    ).where(in_live_project())


def counted() -> Select[Any]:
    """How many unfinished tasks and work orders of live projects there are, and how many have no planned end."""
    task = _numbers("tasks", _t.plan_end).join_from(project_tasks, projects, _project.id == _t.project_id).where(
        unfinished_task, in_live_project()
    ).subquery()
    order = _numbers("orders", _o.plan_end_date).outerjoin_from(
        work_orders, projects, _project.id == _o.project_id
    ).where(unfinished_order, in_live_project()).subquery()
    return select(
        (task.c.tasks + order.c.orders).label("checked"), (task.c.undated + order.c.undated).label("undated")
    ).join_from(task, order, true())


def contradictions() -> Select[Any]:
    """Unfinished ones that have an actual end, or are to end before they begin, as data defects."""
    task = func.concat_ws(
        "; ", _said(_t.actual_end.is_not(None), "status is ", _t.status, ", but it ended on ", _t.actual_end),
        _said(_t.plan_end < _t.plan_start, "planned end ", _t.plan_end, " is before planned start ", _t.plan_start),
    )
    order = func.concat_ws("; ", _said(
        _o.plan_end_date < _o.plan_start_date, "planned end ", _o.plan_end_date, " is before planned start ",
        _o.plan_start_date,
    ))
    found = union_all(
        select(literal("PROJECT_TASK").label("item_type"), _task_no().label("item_key"), task.label("error")).join_from(
            project_tasks, projects, _project.id == _t.project_id
        ).where(unfinished_task, in_live_project(), task != ""),
        select(literal("WORK_ORDER"), _o.work_order_no, order).outerjoin_from(
            work_orders, projects, _project.id == _o.project_id
        ).where(unfinished_order, in_live_project(), order != ""),
    )
    return select(found.subquery("delay_defects"))


def _task_no() -> Any:
    return func.concat(_project.project_code, "-T", _t.id)


def _numbers(label: str, end: Any) -> Select[Any]:
    numbers: tuple[Any, ...] = (
        func.count(type_=Integer).label(label), func.count(type_=Integer).filter(end.is_(None)).label("undated"),
    )
    return select(*numbers)


def _said(wrong: Any, *words: Any) -> Any:
    return case((wrong, func.concat(*words)))
