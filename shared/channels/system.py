"""The inbox: a message is its delivery row, so telling is one transaction and happens exactly once (P6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from shared import deliveries


def deliver(db: Connection, ids: Sequence[int]) -> Mapping[str, int]:
    """Put these deliveries into their readers' inboxes."""
    return {"sent": deliveries.deliver_in_app(db, ids)}
