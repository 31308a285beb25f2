"""What was a person told in the console itself, and have they read it?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from functions.console.queries.rows import read

_LIST = text("""
  select d.id, d.state, d.sent_at, d.read_at, n.type, n.reason as occasion, n.severity, n.facts, n.alert_id,
    a.alert_no, a.alert_level, a.target_no, a.target_name, a.status as alert_status, n.execution_id, d.created_at
  from belfry.notification_deliveries d
  join belfry.notifications n on n.id = d.notification_id left join belfry.alert_records a on a.id = n.alert_id
  where d.user_id = :user and d.channel = 'system' and d.state in ('sent', 'delivered')
    and (not :unread or d.read_at is null) and (cast(:after as bigint) is null or d.id < :after)
  order by d.id desc limit :limit""")
_READ = text("""update belfry.notification_deliveries set read_at = belfry.clock()
  where user_id = :user and channel = 'system' and state in ('sent', 'delivered') and read_at is null
    and (cast(:ids as bigint[]) is null or id = any(cast(:ids as bigint[])))
    and (cast(:until as bigint) is null or id <= :until)
  returning id""")


@dataclass(frozen=True)
class Message:
    """One in-app message."""

    id: int
    state: str
    sent_at: datetime | None
    read_at: datetime | None
    type: str
    occasion: str
    severity: str
    facts: dict[str, Any]
    alert_id: int | None
    alert_no: str | None
    alert_level: str | None
    target_no: str | None
    target_name: str | None
    alert_status: str | None
    execution_id: Any
    created_at: datetime


def messages(db: Connection, user_id: int, *, unread: bool, after: int | None, limit: int) -> list[Message]:
    """A person's messages, newest first; one more than `limit` says that there are more."""
    rows = db.execute(_LIST, {"user": user_id, "unread": unread, "after": after, "limit": limit + 1})
    return [read(Message, row) for row in rows]


def mark_read(db: Connection, user_id: int, *, ids: list[int] | None, until: int | None = None) -> list[int]:
    """Mark a person's own messages as read: these, or all (up to one, so that what came meanwhile stays unread)."""
    return list(db.execute(_READ, {"user": user_id, "ids": ids, "until": until}).scalars())
