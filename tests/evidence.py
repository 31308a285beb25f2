"""What did a run leave behind? Alerts, messages, every row, and the statements it took."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event, text


def everything(db: Connection) -> dict[str, str]:
    """The content of every table of both schemas, as one checksum a table."""
    tables = db.execute(
        text(
            "select schemaname || '.' || relname from pg_stat_user_tables where schemaname in ('erp', 'belfry') order by 1"
        )
    ).scalars()
    checksum = "select '{0}', coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {0} t"
    found = db.execute(text(" union all ".join(checksum.format(name) for name in tables)))
    return {str(row[0]): str(row[1]) for row in found}


def alerts(db: Connection) -> list[Mapping[str, Any]]:
    """Every alert as it stands; without what changes when nothing does."""
    rows = db.execute(
        text("""select a.id, r.rule_code, a.target_id, a.target_no, a.base_level, a.alert_level,
                  belfry.level_rank(a.alert_level) as rank, a.status, a.facts, a.recipients, a.trigger_value,
                  a.threshold_value, a.project_id, a.version
                from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id order by a.id""")
    )
    return [dict(row) for row in rows.mappings()]


def messages(db: Connection) -> list[Mapping[str, Any]]:
    """Every thing told, to whom and on which channel."""
    rows = db.execute(
        text("""select n.id, n.type, n.reason, n.severity, n.alert_id, n.facts, n.dedupe_key,
                  array_agg(d.user_id || ' ' || d.channel order by d.id) filter (where d.id is not null) as told
                from belfry.notifications n left join belfry.notification_deliveries d on d.notification_id = n.id
                group by n.id order by n.id""")
    )
    return [dict(row) for row in rows.mappings()]


def events(db: Connection) -> list[tuple[Any, ...]]:
    """The history of every alert."""
    return [tuple(row) for row in db.execute(text("select id, alert_id, event from belfry.alert_events order by id"))]


@contextmanager
def counted_statements(db: Connection) -> Iterator[list[str]]:
    """The first words of every statement that this thread sends over other connections meanwhile. The lease's own
    thread is left out: how often it beats depends on the machine."""
    seen, here = list[str](), threading.get_ident()

    def count(conn: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        if conn.engine is not db.engine and threading.get_ident() == here:
            seen.append(re.sub(r"'[^']*'|[\d\s]+", " ", statement)[:60])

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", count)
