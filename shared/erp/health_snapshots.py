"""What does each project's day look like in the record, and whose score fell within a week? (rulebook job 2)"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    DateTime,
    Executable,
    Integer,
    Select,
    Text,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, array, insert

from shared.erp import ladders
from shared.erp.lists import LISTED, first
from shared.erp.live import CLOSED
from shared.erp.project_figures import figures
from shared.erp.project_health import judged
from shared.erp.projects import kept
from shared.erp.side_tables import project_health_snapshots as snapshots
from shared.erp.tables import project_costs, projects, resource_allocations
from shared.rules import health_scores
from shared.rules.health import GREY, RED, YELLOW, Limits
from shared.rules.health_scores import ScoreLimits
from shared.rules.ladder import Ladder

KEY = ("project_id", "snapshot_date")
ENDED_ALLOCATIONS = ("COMPLETED", "CANCELLED")


def today(zone: str) -> Select[Any]:
    """The day that it is there now, whatever day a run is asked for."""
    return select(cast(func.timezone(zone, func.belfry.clock()), Date))


def in_record(day: date) -> Select[Any]:
    """Kept projects, and closed ones that are no longer kept until their last row is grey."""
    last = (
        select(snapshots.c.overall_health)
        .where(snapshots.c.project_id == projects.c.id, snapshots.c.snapshot_date < day)
        .order_by(snapshots.c.snapshot_date.desc())
        .limit(1)
        .scalar_subquery()
    )
    return select(projects.c.id.label("target_id")).where(or_(kept, projects.c.status.in_(CLOSED) & (last != GREY)))


def written(rows: Select[Any], *, force: bool) -> Executable:
    """Keep `snapshot` rows; answers the projects written. What stands there stays, unless it is forced."""
    names = [str(column.key) for column in rows.selected_columns]
    statement = insert(snapshots).from_select(names, rows)
    if not force:
        return statement.on_conflict_do_nothing().returning(snapshots.c.project_id)
    computed = {name: statement.excluded[name] for name in names if name not in KEY}
    return statement.on_conflict_do_update(index_elements=KEY, set_=computed).returning(snapshots.c.project_id)


def snapshot(day: date, limits: Limits, scores: ScoreLimits, top_risks: int, execution_id: str) -> Select[Any]:
    """One row a project: its colour, its four dimensions, its score and the figures behind them."""
    ids = in_record(day).cte("recorded")
    j = judged(figures(select(ids), day, with_kit_rate=True), limits).subquery("judged").c
    p, cost, load = projects.c, _costs(ids).subquery("costs"), _loads(ids, day).subquery("loads")
    spent = func.coalesce(cost.c.amount, p.actual_cost)
    used = spent * literal(Decimal(100)) / func.nullif(p.budget_amount, 0)
    known = {
        "milestone_late_days": j.milestone_late_days,
        "variance": j.variance,
        "budget_used_pct": used,
        "blocking_issues": j.blocking_issues,
        "urgent_issues": j.urgent_issues,
        "highest_load": func.coalesce(load.c.highest, 0),
    }
    colours = {
        f"{name}_health": dimension(j.new_health, known, asked)
        for name, asked in health_scores.dimensions(scores).items()
    }
    columns: dict[str, ColumnElement[Any]] = {
        "project_id": j.project_id,
        "snapshot_date": literal(day, Date),
        "overall_health": j.new_health,
        **colours,
        "health_score": score(j.new_health, j.red_reasons, j.yellow_reasons, j.open_alerts),
        "open_alerts": j.open_alerts,
        "blocking_issues": j.blocking_issues,
        "milestone_delayed": j.late_milestones,
        "milestone_on_track": j.milestones_on_track,
        "schedule_variance": func.round(j.variance, 2),
        "cost_variance": spent - p.budget_amount,
        "budget_used_pct": func.round(used, 2),
        "kit_rate": j.kit_rate,
        "top_risks": _worst(j.reasons, top_risks),
        "execution_id": cast(execution_id, snapshots.c.execution_id.type),
    }
    return (
        select(*(value.label(name) for name, value in columns.items()))
        .select_from(projects)
        .join(j.project_id.table, j.project_id == p.id)
        .outerjoin(cost, cost.c.project_id == p.id)
        .outerjoin(load, load.c.project_id == p.id)
    )


def dimension(health: Any, known: Mapping[str, Any], asked: Mapping[str, Ladder]) -> ColumnElement[Any]:
    """health_scores.dimension in SQL: the worst colour of its figures, grey for a closed project."""
    worst = func.greatest(*(ladders.answer(ladder, known[figure]) for figure, ladder in asked.items()), type_=Text)
    return case((health == GREY, literal(GREY, Text)), else_=worst)


def score(health: Any, red: Any, yellow: Any, alerts: Any) -> ColumnElement[Any]:
    """health_scores.score in SQL."""
    s = health_scores
    lost = (
        case((red > 0, s.RED_POINTS), else_=0)
        + s.YELLOW_POINTS * func.least(s.YELLOW_COUNTED, yellow)
        + func.least(s.ALERTS_COUNTED, alerts)
    )
    return case((health == GREY, None), else_=func.greatest(0, 100 - lost, type_=Integer))


def fallen(day: date, days: int, points: int, not_before: datetime) -> Select[Any]:
    """The message to the PMO: projects whose score fell that much within so many days, the deepest fall first."""
    now, then, p = snapshots.alias("now"), snapshots.alias("then"), projects.c
    fell = then.c.health_score - now.c.health_score
    item = func.jsonb_build_object(
        "project_code",
        p.project_code,
        "project_name",
        p.project_name,
        "before",
        then.c.health_score,
        "score",
        now.c.health_score,
        "health",
        now.c.overall_health,
        "reasons",
        now.c.top_risks,
    )
    facts = func.jsonb_build_object(
        "day",
        str(day),
        "days",
        days,
        "points",
        points,
        "count",
        func.count(),
        "items",
        first(LISTED, item, fell.desc(), p.project_code),
    )
    return (
        select(
            literal(f"DIGEST_HEALTH|{day}", Text).label("dedupe_key"),
            array([literal("ROLE:PMO", Text)]).label("recipients"),
            literal("INFO", Text).label("severity"),
            literal("DIGEST", Text).label("reason"),
            facts.label("facts"),
            literal(not_before, DateTime(timezone=True)).label("not_before"),
        )
        .join_from(now, then, then.c.project_id == now.c.project_id)
        .join(projects, p.id == now.c.project_id)
        .where(now.c.snapshot_date == day, then.c.snapshot_date == day - timedelta(days=days), fell >= points)
        .having(func.count() > 0)
    )


def _costs(ids: CTE) -> Select[Any]:
    """What each project has cost so far, by its cost rows; credit notes count as they are."""
    c = project_costs.c
    return (
        select(c.project_id, func.sum(c.amount).label("amount"))
        .where(c.project_id.in_(select(ids.c.target_id)))
        .group_by(c.project_id)
    )


def _loads(ids: CTE, day: date) -> Select[Any]:
    """Per project the load of its busiest member on that day, over all the member is allocated to; percent."""
    a = resource_allocations.c
    load = func.sum(a.allocation_percent).over(partition_by=a.user_id)
    allocated = (
        select(a.project_id, load.label("load"))
        .where(a.start_date <= day, a.end_date >= day, a.status.not_in(ENDED_ALLOCATIONS))
        .subquery()
        .c
    )
    return (
        select(allocated.project_id, func.max(allocated.load).label("highest"))
        .where(allocated.project_id.in_(select(ids.c.target_id)))
        .group_by(allocated.project_id)
    )


def _worst(reasons: Any, number: int) -> ColumnElement[Any]:
    """The first so many of a project's reasons, red before yellow."""
    if not number:
        return literal([], JSONB)
    grey, red, yellow = (
        func.jsonb_path_query_array(reasons, cast(f'$[*] ? (@.health == "{colour}")', JSONPATH), type_=JSONB)
        for colour in (GREY, RED, YELLOW)
    )
    return func.jsonb_path_query_array(grey + red + yellow, cast(f"$[0 to {number - 1}]", JSONPATH), type_=JSONB)
