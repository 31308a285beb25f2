"""What waits in the database to be handed to Pub/Sub; the row is the truth, the message only says "look now"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class OutboxMessage:
    """One message that Pub/Sub is to carry; the database row is the truth."""

    id: str
    topic: str
    attributes: dict[str, str]
    payload: dict[str, Any]


def mark_published(db: Connection, ids: Sequence[str]) -> None:
    """Record that Pub/Sub took these messages; a crash before this publishes them once more, which is harmless (P4,
    P5)."""
    if ids:
        db.execute(
            text(
                """update belfry.outbox set published_at = clock_timestamp(), tries = tries + 1
                   where id = any(cast(:ids as uuid[]))"""
            ),
            {"ids": list(ids)},
        )
