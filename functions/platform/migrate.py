"""Brings the database to the newest schema before the functions that need it come; only forward, one at a time."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import uuid4

from flask import Request, Response
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from shared import db, logs, schedule
from shared.config import app_password, at_start, config
from shared.entrance import identity
from shared.entrance.trigger import read_json
from shared.errors import InvalidRequest
from shared.jobs import refusal
from shared.operator import migrating, restored

MAX_BODY = 1024
MACHINES = ("scheduler", "pubsub")  # the accounts that ring and push
at_start()


def migrate(request: Request) -> Response:
    """Serve a POST of `{}` or `{"to": revision}`; answers `{from, to, applied, newer}`.

    `{"restored_to": time}` says instead that the database was restored to that time; answers what is held.
    """
    logs.clear()
    request_id = (request.headers.get("X-Cloud-Trace-Context") or uuid4().hex)[:64]
    logs.bind(trace=request_id, function="migrate")
    try:
        if request.method != "POST":
            raise InvalidRequest(405, "method_not_allowed", "migrating is a POST", field="method", allowed="POST")
        caller = identity.caller(request.headers.get("Authorization"), function="migrate", now=schedule.now())
        if caller.partition("@")[0] in MACHINES:
            raise InvalidRequest(403, "caller_not_allowed", "people migrate, not machines", field="Authorization")
        to, restored_to = _asked(request)
        if restored_to is not None:
            with db.connect() as connection:
                held = restored.hold(connection, restored_to, actor=caller)
            logs.event("restored", caller=caller, **held)
            return _answer(200, held)
        url, password = config().database_url, app_password()
        done = migrating.migrate(url, to)
        migrating.grant(url, password)
        logs.event("migrated", caller=caller, **done.as_dict())
        return _answer(200, done.as_dict())
    except InvalidRequest as error:
        return refusal(error, request_id)
    except SQLAlchemyError as error:
        status, code = (503, "unavailable") if db.is_retryable(error) else (500, "migration_failed")
        said = db.refusal(error) if isinstance(error, DBAPIError) else type(error).__name__
        logs.event("migration_failed", level=40, error=type(error).__name__, said=said)
        return _answer(status, {"error": {"code": code, "message": said, "request_id": request_id}})


def _asked(request: Request) -> tuple[str | None, datetime | None]:
    """A revision, or the time of a restoration. Raises InvalidRequest 400, 413."""
    if (request.content_length or 0) > MAX_BODY:
        raise InvalidRequest(413, "too_large", "the body is too large", field="body", allowed=f"{MAX_BODY} bytes")
    raw = request.get_data()
    body = read_json(raw) if raw.strip() else {}
    to, restored_to = body.get("to"), body.get("restored_to")
    if body.keys() - {"to", "restored_to"} or len(body) > 1 or not isinstance(to, (str, type(None))):
        raise InvalidRequest(400, "invalid_field", "this call takes a revision", field="to", allowed='{"to": "0015_x"}')
    if restored_to is None:
        return to, None
    try:
        moment = datetime.fromisoformat(restored_to)
    except (ValueError, TypeError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidRequest(400, "invalid_field", "that is no time with an offset", field="restored_to",
                             allowed="2026-03-02T09:30:00+08:00")  # fmt: skip
    return None, moment


def _answer(status: int, content: dict[str, object]) -> Response:
    return Response(json.dumps(content, ensure_ascii=False) + "\n", status, mimetype="application/json")
