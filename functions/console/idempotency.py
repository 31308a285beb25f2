"""What if the same request comes twice? The first answer again: key, effect and answer are one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from flask import Response, jsonify, make_response, request
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from functions.console.access import person
from functions.console.database import db
from shared.db import sqlstate, transaction
from shared.errors import InvalidRequest

HEADER = "Idempotency-Key"
_LENGTHS = range(16, 256)
_LOCK_NOT_AVAILABLE = "55P03"

_TAKE = text("""insert into belfry.idempotency_keys (actor, key, request_hash, locked_at)
  values (:actor, :key, cast(:hash as bytea), clock_timestamp()) on conflict do nothing returning key""")
_KNOWN = text("select request_hash, status, body from belfry.idempotency_keys where actor = :actor and key = :key")
_KEEP = text("""update belfry.idempotency_keys set status = :status, body = cast(:body as jsonb), locked_at = null
  where actor = :actor and key = :key""")


def once(work: Callable[[], tuple[int, dict[str, Any]]]) -> Response:
    """Run `work` (status, body) in a transaction of its own unless this key has had its answer."""
    key = request.headers.get(HEADER, "")
    if len(key) not in _LENGTHS or not key.isascii() or not key.isprintable():
        raise InvalidRequest(
            400,
            "invalid_idempotency_key",
            "a write needs a key of its own",
            field=HEADER,
            allowed="16 to 255 ASCII characters",
        )
    asked = sha256(f"{request.method} {request.path}\n".encode() + request.get_data()).digest()
    named = {"actor": person().subject, "key": key}
    try:
        with transaction(db(), timeout=10):
            db().exec_driver_sql("set local lock_timeout = '3s'")
            if db().execute(_TAKE, {**named, "hash": asked}).scalar_one_or_none() is None:
                return _again(named, asked)
            status, body = work()
            db().execute(_KEEP, {**named, "status": status, "body": json.dumps(body)})
    except DBAPIError as error:
        if sqlstate(error) != _LOCK_NOT_AVAILABLE:
            raise
        raise InvalidRequest(
            409, "still_running", "the first request with this key is not done yet", field=HEADER
        ) from error
    return make_response(jsonify(body), status)


def _again(named: dict[str, str], asked: bytes) -> Response:
    known = db().execute(_KNOWN, named).one()
    if bytes(known.request_hash) != asked:
        raise InvalidRequest(422, "idempotency_key_reused", "this key belongs to another request", field=HEADER)
    answer = make_response(jsonify(known.body), known.status)
    answer.headers["Idempotent-Replay"] = "true"
    return answer
