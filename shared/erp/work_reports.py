"""On which work orders has nobody reported for too long? (rulebook job 17)"""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Date,
    DateTime,
    Integer,
    Numeric,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import array

from shared.erp import ladders, workdays
from shared.erp.facts import facts
from shared.erp.live import in_live_project
from shared.erp.tables import projects, work_orders, work_reports, workers, workshops
from shared.erp.tokens import user
from shared.rules.production import silence_ladder, start_ladder

_order, _report, _project, _worker, _workshop = work_orders.c, work_reports.c, projects.c, workers.c, workshops.c
WATCHED = ("STARTED", "ASSIGNED")
OLDEST = timedelta(days=3650)  # nobody counts workdays beyond ten years


def silent(
    now: datetime, day: date, zone: str, *, warning_hours: int, critical_hours: int, grace_workdays: int
) -> Select[Any]:
    """Violations of WORK_REPORT_TIMEOUT: started and silent, or assigned and not begun, counted in workdays."""
    watched = _watched(now, zone).cte("watched_orders")
    earliest = select(func.least(func.min(watched.c.since_day), literal(day))).scalar_subquery()
    days = workdays.calendar(earliest, day)
    then, today = days.alias("then"), days.alias("today")
    local_now = func.timezone(zone, cast(now, DateTime(timezone=True)))
    hours = workdays.hours_until(today.c, local_now) - workdays.hours_until(then.c, watched.c.since_local)
    # Workdays after the planned start, today's among them: the start itself is not past.
    passed = today.c.before + today.c.worked - then.c.before - then.c.worked
    started = watched.c.status == "STARTED"
    counted = cast(func.floor(hours / 24), Integer)
    by_silence, by_start = silence_ladder(warning_hours, critical_hours), start_ladder(grace_workdays)
    level = case((started, ladders.answer(by_silence, hours)), else_=ladders.answer(by_start, passed)).label("level")
    # The alert changes with its level and once a day, not every hour: facts say since when and how many whole days.
    told = {
        "status": watched.c.status, "since": case((started, watched.c.since)), "reported": watched.c.reported,
        "days_silent": case((started, counted)), "plan_start": watched.c.plan_start_date,
        "days_waiting": case((~started, passed)), "worker": _worker.worker_name,
        "workshop_name": _workshop.workshop_name, "project_code": watched.c.project_code,
        "project_name": watched.c.project_name,
    }
    found = select(
        watched.c.id.label("target_id"), watched.c.work_order_no.label("target_no"),
        watched.c.task_name.label("target_name"), watched.c.project_id, level,
        array([user(_worker.user_id), user(_workshop.manager_id)]).label("recipients"), facts(told).label("facts"),
        cast(case((started, counted * 24), else_=passed), Numeric).label("trigger_value"),
        case((started, ladders.limit(by_silence, hours)), else_=ladders.limit(by_start, passed)).label(
            "threshold_value"
        ),
    ).select_from(watched).join(then, then.c.day == watched.c.since_day).join(
        today, today.c.day == literal(day)
    ).outerjoin(workers, _worker.id == watched.c.assigned_worker_id).outerjoin(
        workshops, _workshop.id == watched.c.workshop_id
    ).subquery()
    return select(found).where(found.c.level.is_not(None))


def _watched(now: datetime, zone: str) -> Select[Any]:
    """Started orders with the last sign of life, assigned ones with their planned start; judgeable ones only."""
    at = cast(now, DateTime(timezone=True))
    last = select(func.max(_report.report_time)).where(
        _report.work_order_id == _order.id, _report.report_time <= at
    ).scalar_subquery()
    each = _orders(
        _order.id, _order.work_order_no, _order.task_name, _order.project_id, _order.status, _order.plan_start_date,
        _order.assigned_worker_id, _order.workshop_id, _project.project_code, _project.project_name,
        last.is_not(None).label("reported"), func.greatest(last, _order.actual_start_time).label("since"),
    ).where(or_(
        and_(_order.status == "STARTED", or_(_order.actual_start_time.is_not(None), _has_report(at))),
        and_(_order.status == "ASSIGNED", _order.plan_start_date < func.timezone(zone, at), ~_begun()),
    )).subquery().c
    midnight = cast(each.plan_start_date, DateTime)
    local = case((each.status == "STARTED", func.timezone(zone, func.least(each.since, at))), else_=midnight)
    oldest = func.timezone(zone, cast(now - OLDEST, DateTime(timezone=True)))
    return select(*each, func.greatest(local, oldest).label("since_local")).add_columns(
        cast(func.greatest(local, oldest), Date).label("since_day")
    )


def judged(now: datetime) -> Select[Any]:
    """All orders but started ones without any sign of life; a paused or finished one ends its alert."""
    return select(_order.id.label("target_id")).where(
        or_(_order.status != "STARTED", _order.actual_start_time.is_not(None), _has_report(literal(now)))
    )


def present() -> Select[Any]:
    """Orders that somebody still wants."""
    return _orders(_order.id.label("target_id"), where=_order.status != "CANCELLED")


def unjudgeable(now: datetime) -> Select[Any]:
    """Started orders that nobody knows the start of."""
    return _items("started, but without a start time and without any report").where(
        _order.status == "STARTED", _order.actual_start_time.is_(None), ~_has_report(literal(now))
    )


def contradictions() -> Select[Any]:
    """Assigned orders on which work has begun by their own report or start time, as data defects."""
    return _items("work has begun, and the order is still ASSIGNED").where(_order.status == "ASSIGNED", _begun())


def counted() -> Select[Any]:
    """How many started and assigned orders there are."""
    return _orders(func.count(), where=_order.status.in_(WATCHED))


def _has_report(at: Any) -> Any:
    return exists().where(_report.work_order_id == _order.id, _report.report_time <= at)


def _begun() -> Any:
    """Somebody said that work has begun, whatever the order's status."""
    start = exists().where(_report.work_order_id == _order.id, _report.report_type == "START")
    return or_(_order.actual_start_time.is_not(None), start)


def _items(error: str) -> Select[Any]:
    return _orders(
        literal("WORK_ORDER").label("item_type"), _order.work_order_no.label("item_key"), literal(error).label("error")
    )


def _orders(*columns: Any, where: Any = None) -> Select[Any]:
    found = select(*columns).select_from(work_orders.outerjoin(projects, _project.id == _order.project_id)).where(
        in_live_project()
    )
    return found if where is None else found.where(where)


