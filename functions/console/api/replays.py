"""Notifications brought again over the API: a delivery, an execution, or subscriptions since a time or a snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify

from functions.console import idempotency
from functions.console.access import MANAGE, needs, person
from functions.console.api import bodies
from functions.console.database import db
from functions.console.moments import utc_now
from shared.config import config
from shared.db import set_patience
from shared.errors import InvalidRequest
from shared.operator import replay, seek
from shared.operator.replay import Plan
from shared.operator.replay_request import Asked, checked
from shared.operator.seek import Seeker

routes = Blueprint("replays_api", __name__, url_prefix="/api/v1/replays")
PATIENCE = 30.0  # seconds for a count, half of what the function may take
TEXTS = ("since", "until", "channel", "subscription", "snapshot", "execution", "reason")
FIELDS = {**dict.fromkeys(TEXTS, str), "delivery": int, "resend": bool, "apply": bool}


@routes.post("")
@needs(MANAGE)
def create() -> Response:
    """Counts alone, unless `apply`. With `resend`, and a `reason`, what was sent goes out once more."""
    body = bodies.read(FIELDS)
    asked = checked(_asked(body), utc_now(), config().project)
    reached: AbstractContextManager[Seeker | None] = nullcontext()
    if asked.scope == "subscription":
        reached = seek.connected()
    with reached as seeker, _patience():
        found = replay.plan(db(), asked, seeker)
        if not body.get("apply"):
            return jsonify(found.as_dict())
        return _apply(asked, found, seeker)


@contextmanager
def _patience() -> Iterator[None]:
    """The count of a month takes longer than other answers may."""
    set_patience(db(), PATIENCE)
    try:
        yield
    finally:
        if not db().invalidated:
            set_patience(db(), config().socket_timeout)


def _apply(asked: Asked, found: Plan, seeker: Seeker | None) -> Response:
    actor = person().subject

    def work() -> tuple[int, dict[str, Any]]:
        done = replay.record(db(), asked, found, actor=actor) if found.again else found
        return 200, done.as_dict()

    answer = idempotency.once(work)
    # For a repeated request too: the first may have ended between the commit and this.
    if seeker is not None and found.again:
        replay.bring(asked, found, seeker)
    return answer


def _asked(body: dict[str, Any]) -> Asked:
    return Asked(
        delivery=body.get("delivery"),
        execution=_execution(body.get("execution")),
        since=bodies.instant(body, "since"),
        until=bodies.instant(body, "until"),
        channel=body.get("channel"),
        subscription=body.get("subscription"),
        snapshot=body.get("snapshot"),
        resend=body.get("resend", False),
        reason=body.get("reason", ""),
    )


def _execution(value: str | None) -> UUID | None:
    try:
        return UUID(value) if value is not None else None
    except ValueError:
        raise InvalidRequest(
            400, "invalid_field", "that is no execution's id", field="execution", allowed="the id of an execution"
        ) from None
