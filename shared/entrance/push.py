"""Receives a Pub/Sub push: checks who and what it is, hands its delivery ids to a channel, answers who acts next.

204 says that the database owns it (P13): the deliveries are in a committed state, or the message was poison and lies
in `dead_letters`, where somebody can look at it. 503 says: Pub/Sub, bring it again. Nothing that a message holds is
repeated in an answer or a log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

from flask import Request, Response
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from shared import db, logs, schedule
from shared.entrance import envelope, identity
from shared.entrance.envelope import PoisonError
from shared.errors import InvalidRequest
from shared.jobs import refusal

MAX_BODY, KEPT = 256 * 1024, 64 * 1024
Deliver = Callable[[Connection, Sequence[int]], Mapping[str, int]]
M = TypeVar("M", envelope.Message, envelope.Finished)


def receive(request: Request, function: str, channel: str, deliver: Deliver) -> Response:
    """Serve one push of a channel's subscription: hand the deliveries it names to the channel."""

    def act(connection: Connection, message: envelope.Message) -> Mapping[str, int]:
        # The subscription filters; an emulator may not.
        return deliver(connection, message.delivery_ids) if message.channel == channel else {}

    return serve(request, function, envelope.parse, act)


def serve(
    request: Request,
    function: str,
    parse: Callable[[bytes, str], M],
    act: Callable[[Connection, M], Mapping[str, int]],
) -> Response:
    """Serve one push request of the subscription that belongs to this function (`notify_email` -> `notify-email`)."""
    logs.clear()
    request_id = (request.headers.get("X-Cloud-Trace-Context") or uuid4().hex)[:64]
    logs.bind(trace=request_id, function=function)
    try:
        if request.method != "POST":
            raise InvalidRequest(405, "method_not_allowed", "a push is a POST", field="method", allowed="POST")
        identity.caller(request.headers.get("Authorization"), function=function, now=schedule.now())
        body = _read(request)
        try:
            if body.length > MAX_BODY:
                raise PoisonError("too_large")
            message = parse(body.content, function)
        except PoisonError as poison:
            _quarantine(body, function, poison.reason)
            return Response(status=204)
        with _connected(message.now) as connection:
            outcome = dict(act(connection, message))
        logs.event("push_served", outcome=outcome)
        return Response(status=204)
    except InvalidRequest as error:
        return refusal(error, request_id)
    except Exception as error:  # noqa: BLE001  the boundary: nothing of an error reaches the caller, Pub/Sub tries again
        unforeseen = None if db.is_retryable(error) else error
        logs.event("push_failed", level=40, error=type(error).__name__, exc_info=unforeseen)
        return Response(status=503, headers={"Retry-After": "10"})


@dataclass(frozen=True)
class Body:
    """The raw body: what was kept of it, and the digest of all of it."""

    content: bytes
    sha256: bytes
    length: int


def _read(request: Request) -> Body:
    # In pieces, past any limit of the framework: what is too large is put away; refused, it would come back for a week.
    request.max_content_length = None
    digest, kept, length = hashlib.sha256(), bytearray(), 0
    while piece := request.stream.read(KEPT):
        digest.update(piece)
        length += len(piece)
        kept += piece[: max(0, MAX_BODY - len(kept))]
    return Body(bytes(kept), digest.digest(), length)


def _quarantine(body: Body, function: str, reason: str) -> None:
    row = {
        "source": function,
        "reason": reason,
        "body": body.content[:KEPT],
        "sha256": body.sha256,
        "truncated": body.length > KEPT,
    }
    with _connected(None) as connection:
        connection.execute(_QUARANTINE, row)
    logs.event("push_quarantined", level=40, reason=reason)


@contextmanager
def _connected(now: datetime | None) -> Iterator[Connection]:
    # A pooled connection may have died while the instance slept: found out here, where a second try is harmless.
    for last in (False, True):
        with db.connect(now=now) as connection:
            try:
                connection.exec_driver_sql("select 1")
            except DBAPIError as error:
                if last or not error.connection_invalidated:
                    raise
                continue
            yield connection
            return


_QUARANTINE = text("""
    insert into belfry.dead_letters (source, reason, body, body_sha256, truncated)
    values (:source, :reason, :body, :sha256, :truncated)
    on conflict (source, body_sha256) do update set seen = dead_letters.seen + 1, last_seen_at = belfry.clock()""")
