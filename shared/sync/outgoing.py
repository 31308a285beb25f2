"""What is told to other systems? Local rows as they would be sent, those first that changed first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.sync.sources import Source

# Each: id, row_key, changed_at and data of every row that changed since :since, or whose failed sending is due again.
_QUERIES = {
    "shortages": """
      select s.id, 'SHORTAGE-' || s.id as row_key, s.updated_at as changed_at, jsonb_build_object(
          'material', m.material_code, 'name', m.material_name, 'unit', m.unit, 'work_order', o.work_order_no,
          'required', trim_scale(s.required_qty), 'short', trim_scale(s.shortage_qty), 'needed_on', s.required_date,
          'expected_on', s.eta_date, 'impact', s.impact_type, 'status', s.status) as data
      from belfry.material_shortages s join erp.materials m on m.id = s.material_id
        left join erp.work_orders o on o.id = s.work_order_id""",
}
_TABLES = {"shortages": "belfry.material_shortages"}
PUSHES = frozenset(_QUERIES)

# A row is sent when the other side has not accepted it as it is now, and is not waiting after a refusal of just that.
_NEXT = """
  with known as ({query}
      where s.updated_at >= cast(:since as timestamptz) or 'SHORTAGE-' || s.id in (
        select external_key from belfry.sync_errors where source_id = :source and resolved_at is null))
  select k.id, k.row_key, k.changed_at, k.data, md5(k.data::text) as row_hash from known k
  where not exists (select from belfry.sync_external_refs r where r.source_id = :source and r.external_key = k.row_key
      and r.row_hash = md5(k.data::text))
    and not exists (select from belfry.sync_errors e where e.source_id = :source and e.external_key = k.row_key
      and e.resolved_at is null and e.payload = k.data and coalesce(e.next_retry_at > :now, true))
  order by k.changed_at, k.id limit :most"""
_ACCEPTED = text("""
  with a as (select * from jsonb_to_recordset(cast(:rows as jsonb)) as x (id bigint, row_key text, row_hash text)),
  settled as (update belfry.sync_errors e set resolved_at = :now from a
    where e.source_id = :source and e.external_key = a.row_key and e.resolved_at is null)
  insert into belfry.sync_external_refs as r (source_id, external_key, local_table, local_id, row_hash, synced_at)
  select :source, row_key, :table, id, row_hash, :now from a
  on conflict (source_id, external_key) do update set row_hash = excluded.row_hash, synced_at = excluded.synced_at""")
_ATTEMPTS = text("""
  select external_key, attempts from belfry.sync_errors where source_id = :source and resolved_at is null
    and external_key in (select jsonb_array_elements_text(cast(:keys as jsonb)))""")


@dataclass(frozen=True)
class Outgoing:
    """A local row as it would be sent."""

    id: int
    row_key: str
    changed_at: datetime
    data: Any
    row_hash: str

    def json(self) -> dict[str, Any]:
        return {"key": self.row_key, "changed_at": self.changed_at, "data": self.data}


def following(db: Connection, source: Source, since: datetime, now: datetime) -> list[Outgoing]:
    """The next page of rows to send."""
    query = text(_NEXT.format(query=_QUERIES[source.entity]))
    found = db.execute(query, {"source": source.id, "since": since, "now": now, "most": source.batch_size})
    return [Outgoing(**row) for row in found.mappings()]


def accepted(db: Connection, source: Source, rows: Sequence[Outgoing], now: datetime) -> None:
    """The other side has these as they are."""
    values = [{"id": r.id, "row_key": r.row_key, "row_hash": r.row_hash} for r in rows]
    table = _TABLES[source.entity]
    db.execute(_ACCEPTED, {"source": source.id, "rows": json.dumps(values), "table": table, "now": now})


def attempts(db: Connection, source: Source, keys: Sequence[str]) -> dict[str, int]:
    """How often rows that wait after a refusal have been tried."""
    found = db.execute(_ATTEMPTS, {"source": source.id, "keys": json.dumps(keys)})
    return {row.external_key: row.attempts for row in found}
