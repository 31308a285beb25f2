"""How are the sizes of a day kept, and which database has grown too fast? (rulebook W4)"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Numeric, Select, Text, TextClause, and_, cast, func, literal, select, text
from sqlalchemy.dialects.postgresql import distinct_on

from shared.databases.tables import database_size_stats, db_instances
from shared.erp.facts import facts
from shared.rules.capacity import GIGABYTE_MB

TABLES = ("belfry.database_size_stats", "belfry.instance_size_stats")
REMEMBERED = 31  # days for which a database that is gone still counts as looked at: its alert ends
_size, _instance = database_size_stats.c, db_instances.c

# The day's rows are this collection's, whole: a database that went between two runs of a day is not in the total.
_STORE = """
  with seen as (
    select * from jsonb_to_recordset(cast(:sizes as jsonb))
      as s (database_name text, size_mb bigint, data_size_mb bigint, log_size_mb bigint)),
  last as (
    select max(collected_date) as day from belfry.instance_size_stats
    where instance_id = :instance and collected_date < :day and collected_date >= cast(:day as date) - 7),
  gone as (
    delete from belfry.database_size_stats d where d.instance_id = :instance and d.collected_date = :day
      and not exists (select from seen s where s.database_name = d.database_name)),
  kept as (
    insert into belfry.database_size_stats as d
      (instance_id, database_name, collected_date, size_mb, data_size_mb, log_size_mb, collected_at)
    select :instance, database_name, :day, size_mb, data_size_mb, log_size_mb, belfry.clock() from seen
    on conflict (instance_id, database_name, collected_date) do update set size_mb = excluded.size_mb,
      data_size_mb = excluded.data_size_mb, log_size_mb = excluded.log_size_mb, collected_at = excluded.collected_at
    where (d.size_mb, d.data_size_mb, d.log_size_mb)
      is distinct from (excluded.size_mb, excluded.data_size_mb, excluded.log_size_mb)
    returning 1),
  total as (
    insert into belfry.instance_size_stats as t
      (instance_id, collected_date, total_size_mb, database_count, collected_at)
    select :instance, :day, coalesce(sum(size_mb), 0), count(*), belfry.clock() from seen
    on conflict (instance_id, collected_date) do update set total_size_mb = excluded.total_size_mb,
      database_count = excluded.database_count, collected_at = excluded.collected_at
    where (t.total_size_mb, t.database_count) is distinct from (excluded.total_size_mb, excluded.database_count)
      or exists (select from kept)
    returning 1)
  select (select count(*) from seen)::int as databases, (select count(*) from kept)::int as written,
    (select coalesce(sum(size_mb), 0) from seen)::bigint as total_mb,
    array(select b.database_name from belfry.database_size_stats b join last on b.collected_date = last.day
          where b.instance_id = :instance and not exists (select from seen s where s.database_name = b.database_name)
          order by 1) as missing"""


def store(instance: int, day: date, sizes: Sequence[Mapping[str, Any]]) -> TextClause:
    """Make an instance's day these sizes; answers databases, written, total_mb, and which names are missing."""
    return text(_STORE).bindparams(instance=instance, day=day, sizes=json.dumps(sizes))


def reaches(change: Any, before: Any, percent: int, gigabytes: int) -> Any:
    """shared.rules.capacity.grew_fast as an expression; without an earlier size it is null."""
    return and_(change >= gigabytes * GIGABYTE_MB, change * 100 >= percent * before)


def grown(instance: int, day: date, percent: int, gigabytes: int, lookback_days: int) -> Select[Any]:
    """Databases of an instance that grew too fast against the newest size of the last days, as violations."""
    earlier = (
        select(_size.database_name, _size.size_mb, _size.collected_date)
        .ext(distinct_on(_size.database_name))
        .where(
            _size.instance_id == instance, _size.collected_date < day,
            _size.collected_date >= day - timedelta(days=lookback_days),
        )
        .order_by(_size.database_name, _size.collected_date.desc())
        .cte("earlier_sizes").c
    )  # fmt: skip
    change = _size.size_mb - earlier.size_mb
    about = {
        "instance": _instance.name, "database": _size.database_name, "size_mb": _size.size_mb,
        "before_mb": earlier.size_mb, "before_day": earlier.collected_date, "change_mb": change,
        "change_percent": func.round(cast(change, Numeric) * 100 / func.nullif(earlier.size_mb, 0), 2),
    }
    columns: tuple[Any, ...] = (
        literal(None, BigInteger).label("target_id"),
        func.concat(_instance.name, "/", _size.database_name).label("target_no"),
        _size.database_name.label("target_name"), literal(None, BigInteger).label("project_id"),
        literal("WARNING", Text).label("level"), literal(["ROLE:DBA"], ARRAY(Text)).label("recipients"),
        facts(about).label("facts"), cast(change, Numeric).label("trigger_value"),
        literal(gigabytes * GIGABYTE_MB, Numeric).label("threshold_value"),
    )
    return select(*columns).join_from(database_size_stats, db_instances, _instance.id == _size.instance_id).join(
        earlier.database_name.table, earlier.database_name == _size.database_name
    ).where(
        _size.instance_id == instance, _size.collected_date == day, reaches(change, earlier.size_mb, percent, gigabytes)
    )


def looked_at(instance: int, day: date) -> Select[Any]:
    """The databases of an instance that this run has judged: those it has, and those it had of late."""
    return select(func.concat(_instance.name, "/", _size.database_name).label("target_no")).distinct().join_from(
        database_size_stats, db_instances, _instance.id == _size.instance_id
    ).where(_size.instance_id == instance, _size.collected_date.between(day - timedelta(days=REMEMBERED), day))
