"""How does a page become rows? A fixed number of statements a page, whatever is in it.

Only names of this package and of shared/erp are put into SQL; values go as one JSON parameter. erp may be views, so
nothing here says ON CONFLICT to it: one run a job, and NOT EXISTS (design 4).
"""
# ruff: noqa: S608

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql

from shared.sync.entities import ENTITIES, Entity
from shared.sync.pages import Row
from shared.sync.sources import Source

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def misfits(db: Connection, source: Source, rows: Sequence[Row]) -> dict[str, str]:
    """What is wrong with good rows in the light of what is stored: key and reason."""
    found = db.execute(text(_misfits(source.entity)), {"source": source.id, "rows": _json(rows)})
    return {row.row_key: row.error for row in found}


def apply(db: Connection, source: Source, rows: Sequence[Row], now: datetime) -> dict[str, int]:
    """Write a page of good rows: created, updated, linked, kept, retired, unchanged."""
    counts = db.execute(
        text(_apply(source.entity)),
        {"source": source.id, "policy": source.conflict_policy, "now": now, "rows": _json(rows)},
    )
    return dict(counts.mappings().one())


def known(db: Connection, source: Source, keys: Sequence[str], deleted: Sequence[str]) -> tuple[int, int, int]:
    """How many rows of the source are alive here, how many of them are not among the keys, and how many are deleted."""
    row = db.execute(_KNOWN, {"source": source.id, "keys": json.dumps(keys), "deleted": json.dumps(deleted)}).one()
    return row.alive, row.vanished, row.deleted


def retire_vanished(db: Connection, source: Source, keys: Sequence[str], now: datetime) -> int:
    """Mark as deleted what the source does not have any more."""
    statement = text(_vanish(source.entity))
    return int(db.execute(statement, {"source": source.id, "keys": json.dumps(keys), "now": now}).scalar_one())


def quarantine(
    db: Connection, source: Source, rows: Sequence[tuple[str, Any, str]], now: datetime, wait: int, execution: str
) -> int:
    """Set bad rows (key, payload, error) aside; one that waits already with the same words is left alone."""
    values = [{"row_key": key, "payload": payload, "error": error[:500]} for key, payload, error in rows]
    return db.execute(
        _QUARANTINE,
        {
            "source": source.id,
            "rows": json.dumps(values, default=str),
            "now": now,
            "wait": wait,
            "execution": execution,
        },
    ).rowcount


def due(db: Connection, source: Source, now: datetime) -> list[tuple[str, Any, int]]:
    """Rows set aside whose time has come: key, payload, attempts."""
    found = db.execute(_DUE, {"source": source.id, "now": now, "most": source.batch_size})
    return [(row.external_key, row.payload, row.attempts) for row in found]


def failed_again(db: Connection, source: Source, rows: Sequence[tuple[str, str, int, datetime | None]]) -> None:
    """Rows that were tried again in vain: key, error, attempts by now, and when to try next (none: by hand)."""
    values = [
        {"row_key": key, "error": error[:500], "attempts": attempts, "next_retry_at": at}
        for key, error, attempts, at in rows
    ]
    db.execute(_AGAIN, {"source": source.id, "rows": json.dumps(values, default=str)})


def _json(rows: Sequence[Row]) -> str:
    return json.dumps([row.json() for row in rows], default=str)


_KNOWN = text("""
  select count(*) filter (where k.key is null)::int as vanished, count(d.key)::int as deleted, count(*)::int as alive
  from belfry.sync_external_refs r
  left join jsonb_array_elements_text(cast(:keys as jsonb)) k (key) on k.key = r.external_key
  left join jsonb_array_elements_text(cast(:deleted as jsonb)) d (key) on d.key = r.external_key
  where r.source_id = :source and not r.is_deleted""")
_QUARANTINE = text("""
  insert into belfry.sync_errors as e (source_id, external_key, payload, error, next_retry_at, execution_id)
  select :source, x.row_key, x.payload, x.error, cast(:now as timestamptz) + make_interval(mins => :wait),
    cast(:execution as uuid)
  from jsonb_to_recordset(cast(:rows as jsonb)) as x (row_key text, payload jsonb, error text)
  on conflict (source_id, external_key) do update set payload = excluded.payload, error = excluded.error, attempts = 1,
    next_retry_at = excluded.next_retry_at, resolved_at = null, execution_id = excluded.execution_id
  where e.resolved_at is not null or e.payload is distinct from excluded.payload""")
_DUE = text("""
  select external_key, payload, attempts from belfry.sync_errors
  where source_id = :source and resolved_at is null and next_retry_at <= :now order by next_retry_at, id limit :most""")
_AGAIN = text("""
  update belfry.sync_errors e set error = x.error, attempts = x.attempts, next_retry_at = x.next_retry_at
  from jsonb_to_recordset(cast(:rows as jsonb)) as x (row_key text, error text, attempts int, next_retry_at timestamptz)
  where e.source_id = :source and e.external_key = x.row_key""")


def _types(entity: Entity) -> dict[str, str]:
    """Each column's type as the row brings it: text where it points to another table."""
    return {
        field.column: "text" if field.points_to else str(entity.table.c[field.column].type.compile(_DIALECT))
        for field in entity.fields
    }


def _incoming(entity: Entity) -> str:
    """The page as rows, with ids for what points to another table."""
    types = _types(entity)
    columns = ", ".join(f"{column} {kind}" for column, kind in types.items())
    looked_up = [field for field in entity.fields if field.points_to]
    own = ", ".join(f"p.{column}" for column in types if column not in {field.column for field in looked_up})
    ids = "".join(
        f", t{n}.id as {field.column}, p.{field.column} as {field.column}_said" for n, field in enumerate(looked_up)
    )
    joins = "".join(
        f" left join {field.points_to[0].fullname} t{n} on t{n}.{field.points_to[1]} = p.{field.column}"
        for n, field in enumerate(looked_up)
        if field.points_to
    )
    head = "p.row_key, p.row_changed_at, p.row_deleted, p.row_hash"
    return f"""page as materialized (
        select * from jsonb_to_recordset(cast(:rows as jsonb)) as p (row_key text, row_changed_at timestamptz,
          row_deleted boolean, row_hash text, {columns})),
      incoming as materialized (select {head}{", " if own else ""}{own}{ids} from page p{joins})"""


def _mine(entity: Entity) -> str:
    """The id of the local row with the same natural key."""
    same = " and ".join(f"n.{column} = i.{column}" for column in entity.key)
    return f"(select min(n.id) from {entity.table.fullname} n where {same})"


def _print(entity: Entity, alias: str, *, retired: bool = False) -> str:
    """What a row says, or would once it is retired, as one short text: the same for every spelling of a number."""
    parts = []
    for field in entity.fields:
        name = entity.retired.get(field.column) if retired else None
        name = name or f"{alias}.{field.column}"
        parts.append(f"trim_scale({name}::numeric)" if field.kind in ("number", "count") else name)
    return f"md5(jsonb_build_array({', '.join(parts)})::text)"


@cache
def _misfits(name: str) -> str:
    entity = ENTITIES[name]
    missing = [
        f"when i.{f.column}_said is not null and i.{f.column} is null then "
        f"'{f.name} ' || i.{f.column}_said || ' is not known here'"
        for f in entity.fields
        if f.points_to
    ]
    taken = "when o.external_key is not null then 'the row here belongs to ' || o.external_key"
    return f"""
      with {_incoming(entity)},
      judged as (
        select i.row_key, case {" ".join(missing)} {taken} end as error
        from incoming i left join lateral (
          select r.external_key from belfry.sync_external_refs r
          where r.source_id = :source and r.local_table = '{entity.table.fullname}' and not r.is_deleted
            and r.external_key <> i.row_key and r.local_id = {_mine(entity)} limit 1) o on true
        where not i.row_deleted)
      select row_key, error from judged where error is not null"""


@cache
def _apply(name: str) -> str:
    entity = ENTITIES[name]
    table, columns = entity.table.fullname, [field.column for field in entity.fields]
    stamp = [entity.changed_at] if entity.changed_at else []
    listed = ", ".join([*columns, *stamp])
    given = ", ".join([*(f"k.{column}" for column in columns), *("k.row_changed_at" for _ in stamp)])
    changed = ", ".join(
        [*(f"{column} = k.{column}" for column in columns), *(f"{s} = k.row_changed_at" for s in stamp)]
    )
    same = " and ".join(f"n.{column} = k.{column}" for column in entity.key)
    ours = f"t.{entity.changed_at}" if entity.changed_at else "cast(null as timestamptz)"
    gone = ", ".join(f"{column} = {value}" for column, value in entity.retired.items())
    retired = (
        f"update {table} t set {gone} from known k where k.action = 'retire' and t.id = k.local_id returning t.id"
        if gone
        else "select 1 where false"
    )
    return f"""
      with {_incoming(entity)},
      found as materialized (
        select i.*, r.local_id, r.row_hash as old_hash, r.local_hash as old_print,
          coalesce(r.is_deleted, false) as was_deleted,
          coalesce((select x.id from {table} x where x.id = r.local_id), {_mine(entity)}) as row_id,
          case when not i.row_deleted then {_print(entity, "i")} end as their_print
        from incoming i left join belfry.sync_external_refs r on r.source_id = :source and r.external_key = i.row_key),
      known as materialized (
        select f.*, case
          when f.row_deleted then case when f.local_id is not null and not f.was_deleted then 'retire' else 'none' end
          when f.old_hash = f.row_hash and not f.was_deleted and f.row_id is not null then 'none'
          when f.row_id is null then 'insert'
          when {_print(entity, "t")} = f.their_print then 'link'
          when f.old_print = {_print(entity, "t")} then 'update'
          when cast(:policy as text) = 'SOURCE_WINS'
            or cast(:policy as text) = 'NEWEST' and ({ours} is null or f.row_changed_at > {ours}) then 'update'
          else 'keep' end as action,
          case when f.old_print = {_print(entity, "t")} then {_print(entity, "t", retired=True)} else f.old_print end
            as gone_print
        from found f left join {table} t on t.id = f.row_id),
      updated as (
        update {table} t set {changed} from known k where k.action = 'update' and t.id = k.row_id returning t.id),
      retired as ({retired}),
      inserted as (insert into {table} ({listed}) select {given} from known k where k.action = 'insert'
        returning id, {", ".join(entity.key)}),
      refs as (
        insert into belfry.sync_external_refs as r (source_id, external_key, local_table, local_id, row_hash,
          local_hash, synced_at, is_deleted)
        select :source, k.row_key, '{table}', coalesce(k.row_id, n.id, k.local_id),
          case when k.row_deleted then k.old_hash else k.row_hash end,
          case k.action when 'keep' then k.old_print when 'retire' then k.gone_print else k.their_print end, :now,
          k.row_deleted
        from known k left join inserted n on k.action = 'insert' and {same} where k.action <> 'none'
        on conflict (source_id, external_key) do update set local_id = excluded.local_id, row_hash = excluded.row_hash,
          local_hash = excluded.local_hash, synced_at = excluded.synced_at, is_deleted = excluded.is_deleted),
      settled as (
        update belfry.sync_errors e set resolved_at = :now from known k
        where e.source_id = :source and e.external_key = k.row_key and e.resolved_at is null)
      select count(*) filter (where action = 'insert')::int as created,
        count(*) filter (where action = 'update')::int as updated,
        count(*) filter (where action = 'link')::int as linked,
        count(*) filter (where action = 'keep')::int as kept, count(*) filter (where action = 'retire')::int as retired,
        count(*) filter (where action = 'none')::int as unchanged
      from known"""


@cache
def _vanish(name: str) -> str:
    entity = ENTITIES[name]
    gone = ", ".join(f"{column} = {value}" for column, value in entity.retired.items())
    retired = (
        f"update {entity.table.fullname} t set {gone} from marked m where t.id = m.local_id returning t.id"
        if gone
        else "select 1 where false"
    )
    return f"""
      with marked as (
        update belfry.sync_external_refs r set is_deleted = true, synced_at = :now,
          local_hash = coalesce((select {_print(entity, "t", retired=True)} from {entity.table.fullname} t
            where t.id = r.local_id and r.local_hash = {_print(entity, "t")}), r.local_hash)
        where r.source_id = :source and not r.is_deleted and not exists (
          select from jsonb_array_elements_text(cast(:keys as jsonb)) k (key) where k.key = r.external_key)
        returning r.local_id),
      retired as ({retired})
      select count(*)::int from marked"""
