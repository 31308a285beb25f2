"""How is a day's production kept and told? One row for the plant and one a workshop and day. (rulebook job 23)"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, Text, and_, case, cast, func, literal, literal_column, not_, or_, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by, array, insert

from shared.erp.facts import facts
from shared.erp.production_stats import COUNTS, FIGURES, Span, daily_stats
from shared.erp.side_tables import production_daily_reports as reports
from shared.erp.tables import workshops
from shared.erp.tokens import user

TREND_DAYS = 7  # days that the picture shows
KEPT = (*FIGURES, *COUNTS, "summary")

_kept, _workshop = reports.c, workshops.c


def store(span: Span, now: datetime, execution: str) -> Select[Any]:
    """Make the span's reports what is true now; answers `created`, `updated`, `checked`.

    Confirmed ones stay as they are; one that says the same already is not written.
    """
    stats = daily_stats(span).cte("daily")
    found = _told(stats).cte("daily_told")
    columns = {name: found.c[name] for name in ("report_date", "workshop_id", *KEPT)} | {
        "status": literal("AUTO"), "execution_id": literal(execution, _kept.execution_id.type),
        "calculated_at": literal(now, _kept.calculated_at.type),
    }
    stands = _same_key(found.c) & or_(
        _kept.status == "CONFIRMED",
        tuple_(*(_kept[name] for name in KEPT)).is_not_distinct_from(tuple_(*(found.c[name] for name in KEPT))),
    )
    rows = insert(reports).from_select(
        list(columns), select(*columns.values()).where(~select(_kept.report_date).where(stands).exists())
    )
    written = rows.on_conflict_do_update(
        index_elements=["report_date", "workshop_id"],
        set_={name: rows.excluded[name] for name in (*KEPT, "execution_id", "calculated_at")},
        where=_kept.status == "AUTO",
    ).returning(literal_column("xmax = 0").label("is_new")).cte("daily_written")
    numbers: tuple[Any, ...] = (
        select(func.count()).select_from(found).scalar_subquery().label("checked"),
        func.count().filter(written.c.is_new).label("created"),
        func.count().filter(not_(written.c.is_new)).label("updated"),
    )
    return select(*numbers).select_from(written)


def confirmed_differences(span: Span) -> Select[Any]:
    """Reports that a supervisor confirmed and that would be different now: what, from how much to how much."""
    stats = daily_stats(span).cte("daily_again").c
    changes = [
        case((_kept[name].is_distinct_from(stats[name]), func.concat(name, " ", _number(_kept[name]), " -> ", _number(
            stats[name]
        )))) for name in (*FIGURES, *COUNTS)
    ]
    said = func.concat_ws(", ", *changes)
    key = func.concat(_kept.report_date, "/", func.coalesce(cast(_kept.workshop_id, Text), "plant"))
    columns: tuple[Any, ...] = (
        literal("PRODUCTION_DAILY_REPORT").label("item_type"), key.label("item_key"),
        func.concat("confirmed, and would now say ", said).label("error"),
    )
    return select(*columns).join_from(reports, stats.report_date.table, _same_key(stats)).where(
        _kept.status == "CONFIRMED", said != ""
    )


def workshop_digests(day: date, not_before: datetime) -> Select[Any]:
    """Each workshop's own day, for its manager."""
    key = func.concat("DIGEST_PRODUCTION|WORKSHOP|", _workshop.id, "|", literal(day), "|", _workshop.manager_id)
    told = {
        "day": literal(day), "workshop_name": _workshop.workshop_name, "own": facts(_figures(_kept)),
        "workshops": func.jsonb_build_array(),
        "trend": _trend(day, lambda past: past.workshop_id == _workshop.id),
    }
    return _digest(key, array([user(_workshop.manager_id)]), told, not_before).join_from(
        reports, workshops, _workshop.id == _kept.workshop_id
    ).where(_kept.report_date == day, _worth_telling(day))


def plant_digest(day: date, not_before: datetime) -> Select[Any]:
    """The plant's day with a line a workshop, for production and the general manager."""
    shop = reports.alias("shop").c
    line = facts(_figures(shop) | {"workshop_name": _workshop.workshop_name})
    lines = select(
        func.coalesce(func.jsonb_agg(aggregate_order_by(line, _workshop.workshop_code)), func.jsonb_build_array())
    ).join_from(shop.report_date.table, workshops, _workshop.id == shop.workshop_id).where(
        shop.report_date == day
    ).scalar_subquery()
    told = {
        "day": literal(day), "workshop_name": literal(None, Text), "own": facts(_figures(_kept)), "workshops": lines,
        "trend": _trend(day, lambda past: past.workshop_id.is_(None)),
    }
    roles = array([literal("ROLE:PROD", Text), literal("ROLE:GM", Text)])
    return _digest(func.concat("DIGEST_PRODUCTION|PLANT|", literal(day)), roles, told, not_before).where(
        _kept.report_date == day, _kept.workshop_id.is_(None), _worth_telling(day)
    )


def _digest(key: Any, recipients: Any, told: dict[str, Any], not_before: datetime) -> Select[Any]:
    columns: tuple[Any, ...] = (
        key.label("dedupe_key"), recipients.label("recipients"), literal("INFO").label("severity"),
        array([literal("system", Text), literal("email", Text)]).label("channels"), facts(told).label("facts"),
        literal(not_before).label("not_before"),
    )
    return select(*columns)


def _worth_telling(day: date) -> Any:
    """A rest day on which nothing was planned and nobody did anything is not."""
    quiet = and_(
        _kept.plan_qty == 0, _kept.total_qty == 0, _kept.actual_hours == 0, _kept.new_exception_count == 0,
        _kept.resolved_exception_count == 0,
    )
    return or_(func.belfry.is_workday(day), ~quiet)


def _trend(day: date, same_group: Callable[[Any], Any]) -> Any:
    """The days up to this one, oldest first: planned and completed."""
    past = reports.alias("past").c
    point = facts({
        "day": past.report_date, "plan_qty": _number(past.plan_qty), "completed_qty": _number(past.completed_qty),
        "completion_rate": _number(past.completion_rate),
    })
    return select(func.jsonb_agg(aggregate_order_by(point, past.report_date), type_=JSONB)).where(
        past.report_date.between(day - timedelta(TREND_DAYS - 1), day), same_group(past)
    ).scalar_subquery()


def _figures(row: Any) -> dict[str, Any]:
    return {name: _number(row[name]) for name in FIGURES} | {name: row[name] for name in COUNTS}


def _number(value: Any) -> Any:
    return func.trim_scale(value)


def _same_key(row: Any) -> Any:
    return and_(_kept.report_date == row.report_date, _kept.workshop_id.is_not_distinct_from(row.workshop_id))


def _told(stats: Any) -> Select[Any]:
    """The figures with one sentence in each language."""
    row, n = stats.c, {name: cast(_number(stats.c[name]), Text) for name in FIGURES}
    zh = (
        func.coalesce(row.workshop_name, "全厂"), " ", cast(row.report_date, Text), " 计划 ", n["plan_qty"],
        " 件，完成 ", n["completed_qty"], " 件（", n["completion_rate"], "%），实际工时 ", n["actual_hours"],
        " 小时，效率 ",
        func.coalesce(n["efficiency"] + "%", "—"), "，新增异常 ", row.new_exception_count, " 起。",
    )
    en = (
        func.coalesce(row.workshop_name, "Plant"), " ", cast(row.report_date, Text), ": planned ", n["plan_qty"],
        ", completed ", n["completed_qty"], " (", n["completion_rate"], " %), ", n["actual_hours"], " hours worked, "
        "efficiency ", func.coalesce(n["efficiency"] + " %", "—"), ", new exceptions ", row.new_exception_count, ".",
    )
    summary = facts({"zh": func.concat(*zh), "en": func.concat(*en)})
    return select(*row, summary.label("summary"))
