"""Where does a list go on? Behind the last row that was shown, never at an offset."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from flask import request

from shared.errors import InvalidRequest

LIMITS = range(1, 201)
Row = TypeVar("Row")
_READERS: dict[str, Callable[[Any], Any]] = {"text": str, "time": datetime.fromisoformat, "uuid": UUID, "number": int}


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows, and the cursor of those that follow; None at the end."""

    items: list[Row]
    next: str | None


def page(rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[object]]) -> Page[Row]:
    """Cut what a query for limit + 1 rows found."""
    items = list(rows[:limit])
    return Page(items, encode(key(items[-1])) if len(rows) > limit else None)


def limit(default: int = 50) -> int:
    """?limit= of this request."""
    text = request.args.get("limit")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) in LIMITS):
        raise InvalidRequest(400, "invalid_limit", "limit is not a number of rows", field="limit", allowed="1 to 200")
    return int(text)


def encode(values: Sequence[object]) -> str:
    parts = [value.isoformat() if isinstance(value, datetime) else str(value) for value in values]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def cursor(*kinds: str) -> tuple[Any, ...] | None:
    """?cursor= of this request, as values of these kinds (text, time, uuid, number); None: from the start.

    A forged one that is well-formed only chooses where the caller's own list begins.
    """
    text = request.args.get("cursor")
    if text is None:
        return None
    try:
        parts = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if not isinstance(parts, list) or len(parts) != len(kinds) or not all(isinstance(part, str) for part in parts):
            raise ValueError
        values = tuple(_READERS[kind](part) for kind, part in zip(kinds, parts, strict=True))
        if any(
            (isinstance(v, datetime) and v.tzinfo is None) or (isinstance(v, int) and abs(v) >= 2**63) for v in values
        ):
            raise ValueError
    except (ValueError, binascii.Error, RecursionError, OverflowError):
        raise InvalidRequest(
            400,
            "invalid_cursor",
            "this cursor was not given out here",
            field="cursor",
            allowed="`next` of the page before",
        ) from None
    return values


def one_of(name: str, allowed: Sequence[str]) -> str | None:
    """A filter of this request that takes a value out of a list; None when it is not there or empty."""
    value = request.args.get(name)
    if not value:
        return None
    if value not in allowed:
        raise InvalidRequest(
            400, "invalid_filter", f"{name} is not one of the values it takes", field=name, allowed=list(allowed)
        )
    return value


def refuse_unknown(*known: str) -> None:
    """A parameter that would be ignored is a mistake the caller should hear of."""
    unknown = sorted(set(request.args) - {*known, "limit", "cursor"})
    if unknown:
        raise InvalidRequest(
            400,
            "unknown_parameter",
            "this list does not take that parameter",
            field=unknown[0][:64],
            allowed=sorted({*known, "limit", "cursor"}),
        )


def text_of(name: str, longest: int = 100) -> str | None:
    """A filter of this request that takes any short text; None when it is not there or empty."""
    value = request.args.get(name, "").strip()
    if len(value) > longest:
        raise InvalidRequest(400, "invalid_filter", f"{name} is too long", field=name, allowed=f"{longest} characters")
    return value or None


def number_of(name: str) -> int | None:
    """A filter of this request that takes an id; None when it is not there or empty."""
    value = request.args.get(name)
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise InvalidRequest(400, "invalid_filter", f"{name} is not an id", field=name, allowed="a whole number")
    return int(value)
