"""Brings the database to the newest schema before the functions that need it come; only forward, one at a time."""

from __future__ import annotations

import json
from uuid import uuid4

from flask import Request, Response
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from shared import db, identity, logs, migrating, schedule
from shared.config import app_password, at_start, config
from shared.errors import InvalidRequest
from shared.jobs import refusal
from shared.trigger import read_json

MAX_BODY = 1024
MACHINES = ("scheduler", "pubsub")  # the accounts that ring and push
at_start()


def migrate(request: Request) -> Response:
    """Serve a POST of `{}` or `{"to": revision}`; answers `{from, to, applied, newer}`."""
    logs.clear()
    request_id = (request.headers.get("X-Cloud-Trace-Context") or uuid4().hex)[:64]
    logs.bind(trace=request_id, function="migrate")
    try:
        if request.method != "POST":
            raise InvalidRequest(405, "method_not_allowed", "migrating is a POST", field="method", allowed="POST")
        caller = identity.caller(request.headers.get("Authorization"), function="migrate", now=schedule.now())
        if caller.partition("@")[0] in MACHINES:
            raise InvalidRequest(403, "caller_not_allowed", "people migrate, not machines", field="Authorization")
        url, password = config().database_url, app_password()
        done = migrating.migrate(url, _revision(request))
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


def _revision(request: Request) -> str | None:
    """Raises InvalidRequest 400, 413."""
    if (request.content_length or 0) > MAX_BODY:
        raise InvalidRequest(413, "too_large", "the body is too large", field="body", allowed=f"{MAX_BODY} bytes")
    raw = request.get_data()
    body = read_json(raw) if raw.strip() else {}
    to = body.get("to")
    if body.keys() - {"to"} or not isinstance(to, (str, type(None))):
        raise InvalidRequest(400, "invalid_field", "this call takes a revision", field="to", allowed='{"to": "0015_x"}')
    return to


def _answer(status: int, content: dict[str, object]) -> Response:
    return Response(json.dumps(content, ensure_ascii=False) + "\n", status, mimetype="application/json")
