"""What does a page of another system say? Rows, each good or bad, and where the next page is.

`{"rows": [{"key": "M-1", "changed_at": "2026-03-02T08:00:00", "deleted": false, "data": {...}}], "next": "..."}`, the
last page with null for the cursor, rows in the order of `changed_at`; a time without a zone is in the source's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from shared.errors import BelfryError
from shared.sync.entities import Entity, checked


class SourceError(BelfryError):
    """The other system's page, or the source's own entry, is not what was agreed."""


@dataclass(frozen=True)
class Row:
    """A row of the other system. `error`: why it cannot be taken; then `values` are empty."""

    key: str
    changed_at: datetime | None
    deleted: bool
    values: Mapping[str, Any]
    payload: Mapping[str, Any]
    error: str | None = None

    @property
    def hash(self) -> str:
        """Of what the row says, not of when it was said."""
        return hashlib.sha256(json.dumps(self.values, sort_keys=True, default=str).encode()).hexdigest()

    def json(self) -> dict[str, Any]:
        """The row as a statement takes it."""
        return {
            "row_key": self.key, "row_changed_at": self.changed_at, "row_deleted": self.deleted, "row_hash": self.hash,
            **self.values,
        }  # fmt: skip


def read(content: Any, entity: Entity, zone: ZoneInfo) -> tuple[list[Row], str | None]:
    """The rows, one a key (the last one counts), and the cursor of the next page. Raises SourceError."""
    if not isinstance(content, dict) or not isinstance(content.get("rows"), list):
        raise SourceError("a page is an object with rows and next")
    cursor = content.get("next")
    if cursor is not None and not isinstance(cursor, str):
        raise SourceError("next is a text or null")
    rows = [row(item, entity, zone) for item in content["rows"]]
    return list({row.key: row for row in rows}.values()), cursor


def row(item: Any, entity: Entity, zone: ZoneInfo) -> Row:
    """One row, checked. Raises SourceError when it has no key to remember it by."""
    if not isinstance(item, dict) or not isinstance(item.get("key"), str | int) or not str(item["key"]).strip():
        raise SourceError("every row has a key")
    key = str(item["key"]).strip()
    if len(key) > 200 or not _storable(item):
        raise SourceError(f"a key or text that cannot be kept: {key[:50]!a}")
    deleted = item.get("deleted") is True
    moment, problem = _moment(item.get("changed_at"), zone)
    values: dict[str, Any] = {}
    if not deleted and problem is None:
        data = item.get("data")
        values, problem = checked(entity, data) if isinstance(data, dict) else ({}, "data is missing")
    return Row(key, moment, deleted, values, item, problem)


def without_twins(rows: Iterable[Row], entity: Entity) -> list[Row]:
    """The rows; of two that mean the same local row under different keys the second is bad."""
    words = [field.column for field in entity.fields if field.column in entity.key]
    seen: dict[tuple[Any, ...], str] = {}
    judged = []
    for item in rows:
        identity = tuple(item.values.get(column) for column in words)
        if item.error is None and not item.deleted and seen.setdefault(identity, item.key) != item.key:
            item = replace(item, error=f"{' '.join(map(str, identity))} belongs to {seen[identity]}", values={})
        judged.append(item)
    return judged


def _moment(value: Any, zone: ZoneInfo) -> tuple[datetime | None, str | None]:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None, f"changed_at is no time: {str(value)[:50]}"
    return moment if moment.tzinfo else moment.replace(tzinfo=zone), None


def _storable(item: Any) -> bool:
    try:
        return b"\\u0000" not in json.dumps(item).encode() and bool(json.dumps(item, ensure_ascii=False).encode())
    except ValueError:
        return False
