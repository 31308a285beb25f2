"""Notifications and deliveries for tests, the pushes that carry them, and what became of them, on a virtual clock."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import StringIO
from itertools import count
from typing import Any

from sqlalchemy import Connection, text

from shared import logs
from shared.db import set_clock
from tests.conftest import PROJECT, load_function, request_to

NINE = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
FACTS = {"level": "WARNING", "target_no": "ISS-7", "target_name": "焊接缺陷", "alert_no": "AL-20260302-000007"}
_numbers = count(1)


def at(minutes: float = 0, *, start: datetime = NINE) -> datetime:
    """So many minutes after nine (or another start)."""
    return start + timedelta(minutes=minutes)


def notification(db: Connection, **columns: Any) -> int:
    """A thing to tell: WARNING, type TEST (so the text of ALERT), until tomorrow."""
    values = {
        "dedupe_key": f"test|{next(_numbers)}",
        "type": "TEST",
        "reason": "NEW",
        "severity": "WARNING",
        "facts": FACTS,
        "not_after": NINE + timedelta(hours=24),
        "fanned_out": True,
        "created_at": NINE,
        **columns,
    }
    return _insert(db, "belfry.notifications", {**values, "facts": json.dumps(values["facts"])})


def delivery(db: Connection, user: int, *, of: int | None = None, **columns: Any) -> int:
    """A queued e-mail of nine o'clock."""
    values = {
        "notification_id": notification(db) if of is None else of,
        "user_id": user,
        "channel": "email",
        "state": "queued",
        "next_attempt_at": NINE,
        "not_after": NINE + timedelta(hours=24),
        "created_at": NINE,
        **columns,
    }
    return _insert(db, "belfry.notification_deliveries", values)


def _insert(db: Connection, table: str, values: Mapping[str, Any]) -> int:
    names = ", ".join(values)
    slots = ", ".join(f"cast(:{name} as jsonb)" if name == "facts" else f":{name}" for name in values)
    return int(db.execute(text(f"insert into {table} ({names}) values ({slots}) returning id"), values).scalar_one())


def alert(db: Connection, *, rule: str = "ISSUE_OVERDUE", **columns: Any) -> int:
    """An open alert of nine o'clock."""
    number = next(_numbers)
    rule_id = db.execute(text("select id from belfry.alert_rules where rule_code = :r"), {"r": rule}).scalar_one()
    values = {
        "alert_no": f"AL-TEST-{number}",
        "rule_id": rule_id,
        "dedupe_key": f"{rule}|ISSUE|{number}",
        "target_type": "ISSUE",
        "target_id": number,
        "target_no": f"ISS-{number}",
        "base_level": columns.get("alert_level", "WARNING"),
        "alert_level": "WARNING",
        "facts": "{}",
        "triggered_at": NINE,
        "level_changed_at": NINE,
        **columns,
    }
    return _insert(db, "belfry.alert_records", values)


def envelope(channel: str, ids: Sequence[int], *, now: datetime | None = NINE, **message: Any) -> dict[str, Any]:
    """The body of a push, as Pub/Sub sends it."""
    payload = {"v": 1, "channel": channel, "delivery_ids": list(ids), "execution_id": None}
    attributes = {"channel": channel, **({"now": now.isoformat()} if now else {})}
    data = base64.b64encode(json.dumps(payload).encode()).decode()
    return {
        "subscription": f"projects/{PROJECT}/subscriptions/notify-{channel}",
        "message": {"data": data, "attributes": attributes, "messageId": "1", "publishTime": "2026-03-02T01:00:00Z"}
        | message,
    }


def push(channel: str, ids: Sequence[int], *, now: datetime | None = NINE) -> int:
    """Push these deliveries to the function of their channel, at that time; the HTTP status."""
    status: int = load_function(f"notify_{channel}")(request_to(envelope(channel, ids, now=now))).status_code
    return status


def look(db: Connection, delivery_id: int) -> Any:
    """The delivery's row."""
    found = db.execute(text("select * from belfry.notification_deliveries where id = :id"), {"id": delivery_id})
    return found.one()


def states(db: Connection, ids: Sequence[int]) -> list[str]:
    """The states of these deliveries, in their order."""
    return [look(db, i).state for i in ids]


def channel_state(db: Connection, channel: str) -> Any:
    """The breaker of a channel."""
    return db.execute(text("select * from belfry.channel_states where channel = :c"), {"c": channel}).one()


def announced(db: Connection) -> list[tuple[str, list[int]]]:
    """Channel and delivery ids of every message ever written to the outbox, oldest first."""
    rows = db.execute(
        text("select payload from belfry.outbox where topic = 'notifications' order by created_at, payload::text")
    )
    return [(r.payload["channel"], r.payload["delivery_ids"]) for r in rows]


def policy(db: Connection, **changes: Any) -> None:
    """Change how deliveries are tried, e.g. lease_s."""
    db.execute(
        text("update belfry.biz_config set value = value || cast(:c as jsonb) where key = 'deliveries'"),
        {"c": json.dumps(changes)},
    )


def clock(db: Connection, now: datetime) -> None:
    """Show this connection's SQL a time."""
    set_clock(db, now)


@contextmanager
def logged() -> Iterator[StringIO]:
    """Everything that Belfry logs meanwhile, as it would reach stdout."""
    lines = StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(logs.JsonFormatter())
    logger = logs.configure()
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
