"""What may a caller of the API send? A small JSON object, read strictly, with the fields this call knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import request

from shared.entrance.trigger import read_json
from shared.errors import InvalidRequest


def read(fields: Mapping[str, type]) -> dict[str, Any]:
    """The body of this request, each field of its type. Raises InvalidRequest 400 or 415."""
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise InvalidRequest(
            415, "unsupported_encoding", "the body must not be compressed", field="Content-Encoding", allowed="identity"
        )
    raw = request.get_data()
    if not raw.strip():
        return {}
    if request.mimetype != "application/json":
        raise InvalidRequest(
            415, "unsupported_media_type", "the body must be JSON", field="Content-Type", allowed="application/json"
        )
    body = read_json(raw)
    unknown = sorted(body.keys() - fields.keys())
    if unknown:
        raise InvalidRequest(
            400, "unknown_field", "this call does not take that field", field=unknown[0][:64], allowed=sorted(fields)
        )
    for name, value in body.items():
        kind = fields[name]
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool) != (kind is bool)):
            raise InvalidRequest(400, "invalid_field", f"{name} has the wrong type", field=name, allowed=_WORDS[kind])
    return {name: value for name, value in body.items() if value is not None}


def instant(body: Mapping[str, Any], name: str) -> datetime | None:
    """A zone-aware time of the body, None when it is not there. Raises InvalidRequest 400."""
    if name not in body:
        return None
    try:
        found = datetime.fromisoformat(body[name])
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidRequest(
            400,
            "invalid_field",
            f"{name} is not a time with an offset",
            field=name,
            allowed="2026-03-02T09:00:00+08:00",
        )
    return found


_WORDS = {str: "text", bool: "true or false", int: "a whole number", dict: "an object", list: "a list"}
