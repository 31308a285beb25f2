"""What a caller asks of a job: one HTTP request, checked in full before the database is opened (reliability 4)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

from flask import Request

from shared import schedule
from shared.config import config
from shared.entrance import identity
from shared.errors import InvalidRequest

MAX_BODY = 256 * 1024
KINDS = ("scheduled", "catchup", "manual", "dependency", "backfill")
_FIELDS = {"job", "run_at", "kind", "params", "dry_run", "requested_by", "reason", "execution_id"}
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Trigger:
    """A checked request. `at` is the tick as the caller names it (UTC); None: a manual run, now."""

    job_id: str
    at: datetime | None
    virtual_now: datetime | None = None
    kind: str = "scheduled"
    params: dict[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    requested_by: str | None = None
    reason: str | None = None
    execution_id: UUID | None = None
    in_body: bool = False  # where the time was named


def read(request: Request, function: str) -> Trigger:
    """Check method, path, identity, headers and body.

    Raises InvalidRequest with the status, the field and what is allowed.
    """
    if request.method != "POST":
        raise InvalidRequest(405, "method_not_allowed", "a trigger is a POST", field="method", allowed="POST")
    if request.path not in ("", "/"):
        raise InvalidRequest(404, "not_found", "this function serves one path", field="path", allowed="/")
    virtual_now = _virtual_now(request)
    by = identity.caller(request.headers.get("Authorization"), function=function, now=schedule.now())
    body = _body(request)
    unknown = sorted(body.keys() - _FIELDS)
    if unknown:
        raise InvalidRequest(
            400, "unknown_field", f"unknown field {unknown[0][:64]!r}", field=unknown[0][:64], allowed=sorted(_FIELDS)
        )
    scheduled = "X-CloudScheduler-ScheduleTime" in request.headers
    kind = _one_of(body, "kind", KINDS, "scheduled")
    dry_run = _typed(body, "dry_run", bool, False)
    at = (
        _instant(_single(request, "X-CloudScheduler-ScheduleTime"), "X-CloudScheduler-ScheduleTime")
        if scheduled
        else None
    )
    if "run_at" in body:
        at = _instant(_typed(body, "run_at", str, ""), "run_at")
    if at is None and kind != "manual" and not dry_run:
        raise InvalidRequest(
            400,
            "invalid_schedule_time",
            "the time of the tick is missing",
            field="X-CloudScheduler-ScheduleTime",
            allowed='an RFC 3339 time with offset, or "kind": "manual"',
        )
    return Trigger(
        job_id=_job(request, body, function),
        at=at,
        virtual_now=virtual_now,
        in_body="run_at" in body,
        kind=kind,
        dry_run=dry_run,
        params=_typed(body, "params", dict, {}),
        requested_by=_typed(body, "requested_by", str, None) or by,
        reason=_typed(body, "reason", str, None),
        execution_id=_uuid(body),
    )


def _job(request: Request, body: dict[str, Any], function: str) -> str:
    named = request.headers.get("X-CloudScheduler-JobName")
    in_body: str = _typed(body, "job", str, None) or named or function
    if named and named != in_body:
        raise InvalidRequest(
            403,
            "wrong_job",
            "header and body name different jobs",
            field="X-CloudScheduler-JobName",
            allowed=in_body[:64],
        )
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", in_body):
        raise InvalidRequest(403, "wrong_job", "this is not the name of a job", field="job", allowed=function)
    return in_body


def _virtual_now(request: Request) -> datetime | None:
    value = request.headers.get("X-Belfry-Now")
    if value is None:
        return None
    if not config().local_clock:
        raise InvalidRequest(400, "invalid_clock", "this instance keeps the real time", field="X-Belfry-Now")
    return _instant(value, "X-Belfry-Now")


def _single(request: Request, header: str) -> str:
    values = request.headers.getlist(header)
    if len(values) != 1 or "," in values[0]:
        raise InvalidRequest(
            400, "invalid_schedule_time", "the header must be there once", field=header, allowed="one RFC 3339 time"
        )
    return values[0]


def _instant(value: str, name: str) -> datetime:
    allowed = "RFC 3339 with an offset, e.g. 2026-03-02T09:00:00+08:00"
    seconds = (
        value if re.search(r"[Tt]\d\d:\d\d:", value) else re.sub(r"([Tt]\d\d:\d\d)(?!:)", r"\1:00", value, count=1)
    )
    if not _RFC3339.fullmatch(seconds):
        raise InvalidRequest(
            400, "invalid_schedule_time", f"{name} is not a time with an offset", field=name, allowed=allowed
        )
    try:
        instant = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", seconds.upper())).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            400, "invalid_schedule_time", f"{name} is not a real time", field=name, allowed=allowed
        ) from None
    if not 1970 <= instant.year <= 9998:
        raise InvalidRequest(
            400, "invalid_schedule_time", f"{name} is out of range", field=name, allowed="the years 1970 to 9998"
        )
    return instant


def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise InvalidRequest(
            415, "unsupported_encoding", "the body must not be compressed", field="Content-Encoding", allowed="identity"
        )
    if (request.content_length or 0) > MAX_BODY:
        raise InvalidRequest(413, "too_large", "the body is too large", field="body", allowed=f"{MAX_BODY} bytes")
    raw = request.stream.read(MAX_BODY + 1) if request.content_length is None else request.get_data(cache=True)
    if len(raw) > MAX_BODY:
        raise InvalidRequest(413, "too_large", "the body is too large", field="body", allowed=f"{MAX_BODY} bytes")
    if not raw.strip():
        return {}
    if request.mimetype not in ("application/json", "application/octet-stream", ""):
        raise InvalidRequest(
            415, "unsupported_media_type", "the body must be JSON", field="Content-Type", allowed="application/json"
        )
    return read_json(raw)


def read_json(raw: bytes) -> dict[str, Any]:
    """A JSON object, strictly: no duplicate keys, no NaN, no number that overflows, no text that Postgres cannot
    store."""

    def refuse(_: str) -> NoReturn:
        raise ValueError

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError
        return result

    def finite(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise ValueError
        return value

    try:
        body = json.loads(raw.decode("utf-8"), parse_constant=refuse, parse_float=finite, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise InvalidRequest(
            400, "invalid_json", "the body is not valid JSON", field="body", allowed="a JSON object"
        ) from None
    if not isinstance(body, dict):
        raise InvalidRequest(
            400, "invalid_json", "the body is not a JSON object", field="body", allowed="a JSON object"
        )
    refuse_bad_text(body)
    return body


def refuse_bad_text(value: Any) -> None:
    """Raise InvalidRequest when a string anywhere in a JSON value holds a lone surrogate or NUL."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack += [*item, *item.values()]
        elif isinstance(item, list):
            stack += item
        elif isinstance(item, str) and ("\x00" in item or any("\ud800" <= c <= "\udfff" for c in item)):
            raise InvalidRequest(
                400,
                "invalid_text",
                "text holds a lone surrogate or NUL",
                field="body",
                allowed="UTF-8 text without NUL",
            )


def _typed(body: dict[str, Any], name: str, kind: Callable[..., Any], default: Any) -> Any:
    value = body.get(name, default)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool) != (kind is bool)):  # type: ignore[arg-type]
        raise InvalidRequest(
            400, "invalid_field", f"{name} has the wrong type", field=name, allowed=getattr(kind, "__name__", "value")
        )
    return default if value is None else value


def _one_of(body: dict[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    value: str = _typed(body, name, str, default)
    if value not in allowed:
        raise InvalidRequest(400, "invalid_field", f"{name} is not known", field=name, allowed=allowed)
    return value


def _uuid(body: dict[str, Any]) -> UUID | None:
    value = _typed(body, "execution_id", str, None)
    try:
        return UUID(value) if value else None
    except ValueError:
        raise InvalidRequest(
            400, "invalid_field", "execution_id is not a UUID", field="execution_id", allowed="a UUID"
        ) from None
