"""Which partitions are there, and what is done with one? (rulebook W1, W6)

Names come from the list below and the catalog, never from input. What changes a table is a function of the database
(0014_databases.sql), which quotes every name and checks it once more.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    Date,
    DateTime,
    Numeric,
    Select,
    Text,
    TextClause,
    bindparam,
    column,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import BigInteger

# The tables of sizes, and the parameter that says how many months of each are kept.
KEPT: Mapping[str, str] = {
    "belfry.database_size_stats": "stats_months",
    "belfry.instance_size_stats": "stats_months",
    "belfry.database_size_aggregations": "aggregations_months",
    "belfry.instance_size_aggregations": "aggregations_months",
}
# Every table of monthly partitions. What is too old of the company's log is cleanup_logs' alone.
PARENTS = (*KEPT, "erp.system_logs")
# A lock that is not free, a deadlock, a partition that may not go: tomorrow again.
REFUSED = ("55P03", "40P01", "BF010")
_names = list(PARENTS)

# One row a table that is there and is partitioned: its partitions, and what stands beside them.
_STATE = text("""
  with parent as (
    select name, to_regclass(name) as id from unnest(cast(:parents as text[])) name
    where exists (select from pg_partitioned_table p where p.partrelid = to_regclass(name)))
  select p.name as parent_table,
    coalesce((select jsonb_agg(jsonb_build_object('name', v.partition_name, 'short_name', v.short_name,
                'start', v.range_start, 'end', v.range_end, 'size', v.size_bytes) order by v.range_start)
              from belfry.v_partitions v where v.parent_id = p.id and not v.is_default), '[]') as partitions,
    coalesce((select belfry.has_rows(v.partition_id::regclass)
              from belfry.v_partitions v where v.parent_id = p.id and v.is_default), false) as default_has_rows,
    array(select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
          join pg_class parent on parent.oid = p.id
          where c.relnamespace = parent.relnamespace and c.relkind = 'r' and not c.relispartition
            and starts_with(c.relname, parent.relname || '_')
            and substr(c.relname, length(parent.relname) + 2) ~ '^[0-9]{4}_[0-9]{2}$'
            and not exists (select from belfry.partition_registry r
                            where r.partition_name = n.nspname || '.' || c.relname and r.status = 'DETACHED')
          order by 1) as strays,
    array(select r.partition_name from belfry.partition_registry r
          where r.parent_table = p.name and r.status = 'ACTIVE'
            and not exists (select from belfry.v_partitions v where v.partition_name = r.partition_name)
          order by 1) as vanished
  from parent p order by p.name""").bindparams(bindparam("parents", _names, ARRAY(Text)))

_REGISTER = """
  with there as (
    select * from belfry.v_partitions where parent_table = any(cast(:parents as text[])) and range_start is not null),
  gone as (
    update belfry.partition_registry r set status = 'DROPPED', dropped_at = :now, checked_at = :now
    where r.status = 'ACTIVE' and not exists (select from there t where t.partition_name = r.partition_name)
    returning 1)
  insert into belfry.partition_registry as r (parent_table, partition_name, range_start, range_end, status,
    row_estimate, size_bytes, checked_at)
  select parent_table, partition_name, range_start, range_end, 'ACTIVE', row_estimate, size_bytes, :now from there
  on conflict (partition_name) do update set parent_table = excluded.parent_table,
    range_start = excluded.range_start, range_end = excluded.range_end, status = 'ACTIVE',
    row_estimate = excluded.row_estimate, size_bytes = excluded.size_bytes, checked_at = excluded.checked_at,
    announced_at = case when r.status = 'ACTIVE' then r.announced_at end, detached_at = null, dropped_at = null"""


def state() -> TextClause:
    """Each table of `PARENTS` that is there: parent_table, partitions, default_has_rows, strays, vanished."""
    return _STATE


def make(months: Sequence[tuple[str, date]]) -> Select[Any]:
    """Make each of these (table, month); answers parent_table, month, outcome and detail.

    The outcome is exists, created, healed or failed.
    """
    asked = func.jsonb_to_recordset(
        literal([{"parent_table": parent, "month": month.isoformat()} for parent, month in months], JSONB)
    ).table_valued(column("parent_table", Text), column("month", Date)).render_derived("asked", with_types=True)
    made = func.belfry.make_partition(asked.c.parent_table, asked.c.month).table_valued(
        "outcome", "detail", name="made"
    ).lateral()
    return select(asked.c.parent_table, asked.c.month, made.c.outcome, made.c.detail).select_from(asked).join(
        made, literal(True)
    )


def register(now: datetime) -> TextClause:
    """Make the registry say what the catalog says; a partition that went without us is DROPPED."""
    return text(_REGISTER).bindparams(bindparam("parents", _names, ARRAY(Text)), now=now)


def violations(judged: Sequence[Mapping[str, Any]]) -> Select[Any]:
    """What the rule found wrong (target_no, target_name, level, facts, trigger_value), as rows for `raise_alerts`."""
    rows = func.jsonb_to_recordset(literal(list(judged), JSONB)).table_valued(
        column("target_no", Text), column("target_name", Text), column("level", Text), column("facts", JSONB),
        column("trigger_value", Numeric),
    ).render_derived("judged", with_types=True).c
    nothing = literal(None, BigInteger)
    columns: tuple[Any, ...] = (
        nothing.label("target_id"), rows.target_no, rows.target_name, nothing.label("project_id"), rows.level,
        literal(["ROLE:DBA"], ARRAY(Text)).label("recipients"), rows.facts, rows.trigger_value,
        literal(None, Numeric).label("threshold_value"),
    )
    return select(*columns)


def tables(names: Sequence[str]) -> Select[Any]:
    """These names as targets that were judged."""
    return select(func.unnest(literal(list(names), ARRAY(Text))).label("target_no"))


# ---------------------------------------------------------------- the end of a partition
_PAST = """
  select r.parent_table, r.partition_name, r.range_start, r.status, r.announced_at, r.detached_at, r.exported_at,
    r.row_estimate, r.size_bytes,
    case r.status when 'DETACHED' then 'drop' when 'ACTIVE' then case
      when r.announced_at is null then 'announce' else 'detach' end end as step
  from belfry.partition_registry r
  join jsonb_to_recordset(cast(:limits as jsonb)) as l (parent_table text, kept_from date) using (parent_table)
  where r.status = 'ACTIVE' and r.range_end <= l.kept_from
      and (r.announced_at is null or (r.announced_at at time zone :zone)::date <= cast(:announced_by as date))
    or r.status = 'DETACHED' and r.detached_at <= :detached_by and (r.exported_at is not null or not :needs_export)
  order by r.range_start, r.parent_table"""


def past(
    kept_from: Mapping[str, date], *, announced_by: date, zone: str, detached_by: datetime, needs_export: bool
) -> TextClause:
    """Partitions past their retention, and the next step of each: announce, detach (told by that day), drop."""
    limits = [{"parent_table": parent, "kept_from": day.isoformat()} for parent, day in kept_from.items()]
    return text(_PAST).bindparams(
        limits=json.dumps(limits), announced_by=announced_by, zone=zone, detached_by=detached_by,
        needs_export=needs_export,
    )


def announce(names: Sequence[str], now: datetime) -> TextClause:
    """Note that the end of these was told."""
    return text(
        "update belfry.partition_registry set announced_at = :now where partition_name = any(cast(:names as text[]))"
    ).bindparams(bindparam("names", list(names), ARRAY(Text)), now=now)


def detach(name: str) -> TextClause:
    """Take one out of its table; refused by the database unless it is a whole month of the past."""
    return text("select belfry.detach_partition(:name)").bindparams(name=name)


def drop(name: str, kept_days: int) -> TextClause:
    """Drop one that was detached so many days ago."""
    return text("select belfry.drop_partition(:name, make_interval(days => :days))").bindparams(
        name=name, days=kept_days
    )


def note(name: str, status: str, now: datetime) -> TextClause:
    """Write into the registry what became of one."""
    at = {"DETACHED": "detached_at", "DROPPED": "dropped_at"}[status]
    return text(
        f"update belfry.partition_registry set status = :status, {at} = :now, checked_at = :now "  # noqa: S608  two names of this file
        "where partition_name = :name"
    ).bindparams(name=name, status=status, now=now)


def audit(job_id: str, action: str, targets: Sequence[str]) -> TextClause:
    """One row of the audit log a partition: who did what to it."""
    return text("""insert into belfry.audit_log (actor, action, job_id, target)
      select 'job:' || :job, :action, :job, t from unnest(cast(:targets as text[])) t""").bindparams(
        bindparam("targets", list(targets), ARRAY(Text)), job=job_id, action=action
    )


def message(key: str, facts: Mapping[str, Any], not_before: datetime) -> Select[Any]:
    """What the database administrators are told of a run that changed partitions."""
    columns: tuple[Any, ...] = (
        literal(key, Text).label("dedupe_key"), literal(["ROLE:DBA"], ARRAY(Text)).label("recipients"),
        literal("INFO", Text).label("severity"), literal(dict(facts), JSONB).label("facts"),
        literal(not_before, DateTime(timezone=True)).label("not_before"),
    )
    return select(*columns)
