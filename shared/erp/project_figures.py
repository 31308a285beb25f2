"""What must be known of a project to judge its health? Counts, samples and variance, one row each (rulebook 6.1)."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Numeric,
    Select,
    case,
    func,
    literal,
    literal_column,
    select,
    type_coerce,
)

from shared.erp import alert_tables, milestones
from shared.erp.alert_tables import alert_records, alert_rules
from shared.erp.issues import blocks, unsolved
from shared.erp.lists import SAMPLED, first
from shared.erp.side_tables import kit_checks
from shared.erp.tables import issues, project_milestones, project_tasks, projects, work_orders

FINISHED_ORDERS = ("COMPLETED", "APPROVED", "CANCELLED")


def figures(scope: Select[Any], day: date, *, with_kit_rate: bool) -> Select[Any]:
    """One row for every project whose id `scope` selects (`target_id`): what the reasons of the rule look at."""
    ids = scope.cte("scope")
    p = projects.c
    parts = [_issues(ids), _tasks(ids), _milestones(ids, day), _alerts(ids)] + (
        [_kit_rate(ids)] if with_kit_rate else []
    )
    source: Any = projects.join(ids, ids.c.target_id == p.id)
    columns: list[ColumnElement[Any]] = []
    for part in parts:
        known = part.subquery()
        source = source.outerjoin(known, known.c.project_id == p.id)
        columns += [
            func.coalesce(c, 0).label(c.key) if isinstance(c.type, Integer) else c
            for c in known.c
            if c.key != "project_id"
        ]
    return select(
        p.id.label("project_id"),
        p.status,
        p.health,
        p.planned_end_date,
        type_coerce(p.planned_end_date - literal(day), Integer).label("days_left"),
        _variance(day).label("variance"),
        *columns,
    ).select_from(source)


def _variance(day: date) -> ColumnElement[Any]:
    """Planned minus actual progress, in points; null for a plan or a progress that contradicts itself."""
    p = projects.c
    gone = type_coerce(literal(day) - p.planned_start_date, Numeric)
    planned = gone * literal(Decimal(100)) / type_coerce(p.planned_end_date - p.planned_start_date, Numeric)
    measurable = (p.planned_end_date > p.planned_start_date) & p.progress_pct.between(0, 100)
    return case((measurable, func.least(100, func.greatest(0, planned), type_=Numeric) - p.progress_pct))


def _counted(table: Any, name: Any, conditions: Mapping[str, Any]) -> list[ColumnElement[Any]]:
    """Per condition how many rows fulfil it, and the first few of them as {id, name}."""
    named = func.jsonb_build_object("id", table.c.id, "name", name)
    columns: list[ColumnElement[Any]] = []
    for label, condition in conditions.items():
        columns += [
            func.count(type_=Integer).filter(condition).label(label),
            first(SAMPLED, named, table.c.id, where=condition).label(f"{label}_sample"),
        ]
    return columns


def _issues(ids: CTE) -> Select[Any]:
    urgent = issues.c.priority.in_(("HIGH", "URGENT"))
    return (
        select(
            issues.c.project_id,
            *_counted(issues, issues.c.issue_no, {"blocking_issues": blocks, "urgent_issues": urgent}),
        )
        .where(unsolved, issues.c.project_id.in_(select(ids.c.target_id)))
        .group_by(issues.c.project_id)
    )


def _tasks(ids: CTE) -> Select[Any]:
    t = project_tasks
    blocked = t.c.status == literal_column("'BLOCKED'")
    return (
        select(t.c.project_id, *_counted(t, t.c.task_name, {"blocked_tasks": blocked}))
        .where(blocked, t.c.project_id.in_(select(ids.c.target_id)))
        .group_by(t.c.project_id)
    )


def _milestones(ids: CTE, day: date) -> Select[Any]:
    m = project_milestones
    late = m.c.planned_date < day
    return (
        select(
            m.c.project_id,
            *_counted(m, m.c.milestone_name, {"late_milestones": late}),
            func.count(type_=Integer).filter(~late).label("milestones_on_track"),
            func.max(type_coerce(literal(day) - m.c.planned_date, Integer), type_=Integer)
            .filter(late)
            .label("milestone_late_days"),
        )
        .where(m.c.is_key, milestones.is_open(day), m.c.project_id.in_(select(ids.c.target_id)))
        .group_by(m.c.project_id)
    )


def _alerts(ids: CTE) -> Select[Any]:
    """Open alerts by what the data says, not by what lateness made of them: slow handling changes no colour (D-25)."""
    a, shortage = alert_records, alert_rules.c.rule_type == "MATERIAL_SHORTAGE"
    rank = func.belfry.level_rank(a.c.base_level, type_=Integer)
    name = func.coalesce(a.c.target_name, a.c.target_no)
    return (
        select(
            a.c.project_id,
            func.count(type_=Integer).label("open_alerts"),
            *_counted(
                a, name, {"critical_shortages": shortage & (rank >= 3), "warning_shortages": shortage & (rank == 2)}
            ),
        )
        .join_from(a, alert_rules, alert_rules.c.id == a.c.rule_id)
        .where(alert_tables.is_open, a.c.project_id.in_(select(ids.c.target_id)))
        .group_by(a.c.project_id)
    )


def _kit_rate(ids: CTE) -> Select[Any]:
    """The mean kit rate of the unfinished work orders by their last checks, each order counting once (rulebook 18)."""
    w, k = work_orders, kit_checks
    last = (
        select(k.c.kit_rate)
        .where(k.c.work_order_id == w.c.id)
        .order_by(k.c.check_date.desc(), k.c.check_time.desc())
        .limit(1)
        .lateral("last_check")
    )
    return (
        select(w.c.project_id, func.round(func.avg(last.c.kit_rate), 2).label("kit_rate"))
        .join_from(w, last, literal(True))
        .where(w.c.status.not_in(FINISHED_ORDERS), w.c.project_id.in_(select(ids.c.target_id)))
        .group_by(w.c.project_id)
    )
