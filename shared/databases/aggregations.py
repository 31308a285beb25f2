"""What do a period's sizes come to, and which periods must be summed up again? (rulebook W5)

One statement a period and table makes or refreshes its rows; a row that says the same already is not written.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import TextClause, text

from shared.rules.capacity import LATE_DAYS, TREND_PERCENT, Period, previous

_CHANGE = "case when b.{0} is not null then n.{0} - b.{0} end"
_PERCENT = "round((n.{0} - b.{0}) * 100 / nullif(b.{0}, 0), 2)"
_TREND = f"""case when {{0}} > {TREND_PERCENT} then 'GROWING' when {{0}} < -{TREND_PERCENT} then 'SHRINKING'
      when {{0}} is not null then 'STABLE' end"""
_FINAL = """cast(:last as date) <= cast(:day as date)
      and (n.data_count >= :expected or cast(:last as date) <= cast(:day as date) - cast(:late as int))"""

_DATABASE_SUMS = """
    select instance_id, database_name, count(*)::int as data_count, round(avg(size_mb), 2) as avg_size_mb,
      max(size_mb) as max_size_mb, min(size_mb) as min_size_mb, round(avg(data_size_mb), 2) as avg_data_size_mb,
      max(data_size_mb) as max_data_size_mb, min(data_size_mb) as min_data_size_mb
    from belfry.database_size_stats where collected_date between {0} and {1} group by 1, 2"""
_INSTANCE_SUMS = """
    select instance_id, count(*)::int as data_count, round(avg(total_size_mb), 2) as avg_total_mb,
      max(total_size_mb) as max_total_mb, min(total_size_mb) as min_total_mb,
      round(sum(total_size_mb) / nullif(sum(database_count), 0), 2) as avg_size_per_db_mb,
      round(avg(database_count), 2) as avg_database_count, max(database_count) as max_database_count,
      min(database_count) as min_database_count
    from belfry.instance_size_stats where collected_date between {0} and {1} group by 1"""

_ALL = "period_start period_end is_final data_count expected_count trend"
_DATABASE_COLUMNS = f"""{_ALL} avg_size_mb max_size_mb min_size_mb avg_data_size_mb max_data_size_mb min_data_size_mb
  size_change_mb size_change_percent data_size_change_mb data_size_change_percent growth_rate""".split()
_INSTANCE_COLUMNS = f"""{_ALL} avg_total_mb max_total_mb min_total_mb avg_size_per_db_mb avg_database_count
  max_database_count min_database_count total_change_mb total_change_percent database_count_change
  database_count_change_percent""".split()


def _statement(table: str, key: str, columns: Sequence[str], sums: str, made: dict[str, str]) -> str:
    """The upsert of one table: this period's sums beside those of the one before."""
    given = {
        "period_start": "cast(:first as date)", "period_end": "cast(:last as date)", "is_final": _FINAL,
        "expected_count": "cast(:expected as int)", **made,
    }
    listed = ", ".join(columns)
    values = ", ".join(given.get(name, f"n.{name}") for name in columns)
    on = " and ".join(f"b.{name} = n.{name}" for name in key.split(", "))
    kept = ", ".join(f"a.{name}" for name in columns)
    new = ", ".join(f"excluded.{name}" for name in columns)
    return f"""
  with n as ({sums.format("cast(:first as date)", "cast(:last as date)")}),
  b as ({sums.format("cast(:before_first as date)", "cast(:before_last as date)")}),
  written as (
    insert into belfry.{table} as a ({key}, period_type, {listed}, calculated_at)
    select {", ".join(f"n.{name}" for name in key.split(", "))}, :kind, {values}, belfry.clock()
    from n left join b on {on}
    on conflict ({key}, period_type, period_start) do update set
      {", ".join(f"{name} = excluded.{name}" for name in columns if name != "period_start")},
      calculated_at = excluded.calculated_at
    where ({kept}) is distinct from ({new})
    returning 1)
  select (select count(*) from n)::int as summed, (select count(*) from written)::int as written"""  # noqa: S608  names of this file


_DATABASES = _statement("database_size_aggregations", "instance_id, database_name", _DATABASE_COLUMNS, _DATABASE_SUMS, {
    "size_change_mb": _CHANGE.format("avg_size_mb"), "size_change_percent": _PERCENT.format("avg_size_mb"),
    "data_size_change_mb": _CHANGE.format("avg_data_size_mb"),
    "data_size_change_percent": _PERCENT.format("avg_data_size_mb"), "growth_rate": _PERCENT.format("avg_size_mb"),
    "trend": _TREND.format(_PERCENT.format("avg_size_mb")),
})  # fmt: skip
_INSTANCES = _statement("instance_size_aggregations", "instance_id", _INSTANCE_COLUMNS, _INSTANCE_SUMS, {
    "total_change_mb": _CHANGE.format("avg_total_mb"), "total_change_percent": _PERCENT.format("avg_total_mb"),
    "database_count_change": _CHANGE.format("avg_database_count"),
    "database_count_change_percent": _PERCENT.format("avg_database_count"),
    "trend": _TREND.format(_PERCENT.format("avg_total_mb")),
})  # fmt: skip

# Past periods whose sums are older than a size of theirs, that have none yet, or that may be called final now.
_STALE = """
  with kinds (kind, unit) as (
    values ('DAILY', 'day'), ('WEEKLY', 'week'), ('MONTHLY', 'month'), ('QUARTERLY', 'quarter')),
  collected as (
    select k.kind, date_trunc(k.unit, s.collected_date::timestamp)::date as first, max(s.collected_at) as at
    from kinds k cross join belfry.instance_size_stats s
    where k.kind = any(cast(:kinds as text[])) and s.collected_date >= :from_day
      and s.collected_date < date_trunc(k.unit, cast(:day as timestamp)) group by 1, 2),
  summed as (
    select period_type as kind, period_start as first, max(calculated_at) as at,
      bool_or(not is_final and period_end <= cast(:day as date) - cast(:late as int)) as ripe
    from belfry.instance_size_aggregations where period_start >= :from_day group by 1, 2)
  select c.kind, c.first from collected c left join summed s using (kind, first)
  where c.first >= :from_day and (s.at is null or c.at > s.at or s.ripe) order by c.first, c.kind limit :most"""


def stale(day: date, kinds: Sequence[str], days: int, most: int) -> TextClause:
    """Periods (kind, first) that are over, began within so many days and must be summed up again; at most so many."""
    return text(_STALE).bindparams(
        kinds=list(kinds), day=day, from_day=day - timedelta(days=days), late=LATE_DAYS, most=most
    )


def databases(period: Period, day: date) -> TextClause:
    """Sum up a period for every database that has sizes in it, watched or not any more; answers summed, written."""
    return text(_DATABASES).bindparams(**_bound(period, day))


def instances(period: Period, day: date) -> TextClause:
    """The same for every instance, over its daily totals."""
    return text(_INSTANCES).bindparams(**_bound(period, day))


def _bound(period: Period, day: date) -> dict[str, Any]:
    before = previous(period)
    return {
        "kind": period.kind, "first": period.start, "last": period.end, "before_first": before.start,
        "before_last": before.end, "expected": period.days, "day": day, "late": LATE_DAYS,
    }  # fmt: skip
