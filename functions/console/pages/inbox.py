"""What the reader was told here, and what of it they have not read."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from functions.console import keyset
from functions.console.access import VIEW, needs, person
from functions.console.api.notifications import reader
from functions.console.database import db
from functions.console.queries import inbox
from functions.console.wording import of_message
from shared.errors import InvalidRequest

routes = Blueprint("inbox", __name__)
ROWS = 30


@routes.get("/inbox")
@needs(VIEW)
def listed() -> str:
    """?unread=1 &cursor=; &live=1 gives the part that changes by itself."""
    after, unread = keyset.cursor("number"), request.args.get("unread") == "1"
    user_id = person().user_id
    found = (
        []
        if user_id is None
        else inbox.messages(db(), user_id, unread=unread, after=after[0] if after else None, limit=ROWS)
    )
    page = keyset.page(found, ROWS, lambda message: (message.id,))
    return render_template(
        "inbox_live.html" if request.args.get("live") else "inbox.html",
        rows=[(message, of_message(message)) for message in page.items],
        next=page.next,
        unread=unread,
    )


@routes.post("/inbox/read")
@needs(VIEW)
def read() -> Response:
    """A form: `id` = one message, `until` = everything up to that one."""
    id_, until = _number("id"), _number("until")
    if (id_ is None) == (until is None):
        raise InvalidRequest(400, "invalid_field", "say which messages", field="id", allowed="id or until")
    inbox.mark_read(db(), reader(), ids=None if id_ is None else [id_], until=until)
    return redirect(url_for("inbox.listed", unread=request.form.get("unread") or None), 303)


def _number(name: str) -> int | None:
    value = request.form.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None
