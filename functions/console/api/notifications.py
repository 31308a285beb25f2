"""The caller's own inbox over the API."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from functions.console import idempotency, keyset
from functions.console.access import VIEW, needs, person
from functions.console.api import bodies
from functions.console.database import db
from functions.console.queries import inbox
from functions.console.wording import of_message
from shared.errors import InvalidRequest

routes = Blueprint("notifications_api", __name__, url_prefix="/api/v1/notifications")


@routes.get("")
@needs(VIEW)
def listed() -> Response:
    keyset.refuse_unknown("unread")
    limit, after = keyset.limit(), keyset.cursor("number")
    unread = keyset.one_of("unread", ("true", "false")) == "true"
    found = inbox.messages(db(), reader(), unread=unread, after=after[0] if after else None, limit=limit)
    page = keyset.page(found, limit, lambda message: (message.id,))
    return jsonify({"items": [as_json(message) for message in page.items], "next": page.next})


@routes.post("/read")
@needs(VIEW)
def read() -> Response:
    """{"ids": [...]} or {"all": true}."""
    body = bodies.read({"ids": list, "all": bool})
    ids = body.get("ids")
    if (ids is None) == (not body.get("all")):
        raise InvalidRequest(400, "invalid_field", "say which messages", field="ids", allowed='"ids" or "all": true')
    if ids is not None and not all(isinstance(i, int) and not isinstance(i, bool) and abs(i) < 2**63 for i in ids):
        raise InvalidRequest(400, "invalid_field", "ids are whole numbers", field="ids", allowed="ids of this inbox")

    def work() -> tuple[int, dict[str, Any]]:
        return 200, {"read": len(inbox.mark_read(db(), reader(), ids=ids))}

    return idempotency.once(work)


def reader() -> int:
    """Whose inbox; a program's token has none."""
    user_id = person().user_id
    if user_id is None:
        raise InvalidRequest(403, "no_inbox", "a token has no inbox; sign in as a person", field="Authorization")
    return user_id


def as_json(message: inbox.Message) -> dict[str, Any]:
    text = of_message(message)
    return {
        "id": message.id,
        "type": message.type,
        "occasion": message.occasion,
        "severity": message.severity,
        "title": text.title,
        "body": text.body,
        "alert_id": message.alert_id,
        "sent_at": message.sent_at,
        "read_at": message.read_at,
        "facts": message.facts,
    }
