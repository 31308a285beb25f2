"""What may be done with an alert, from which state, and who may do it (rulebook 3.3 and 3.4)?"""

from __future__ import annotations

from dataclasses import dataclass

from flask import g
from sqlalchemy import Connection

from functions.console.access import HANDLE, Person
from functions.console.queries import alerts
from functions.console.queries.alerts import OPEN, Alert, Move
from shared.errors import InvalidRequest

MAX_NOTE = 1000


@dataclass(frozen=True)
class Action:
    """A button: where it starts, where it leads."""

    name: str
    event: str
    to: str
    allowed_from: tuple[str, ...]


ACTIONS = {
    action.name: action
    for action in (
        Action("acknowledge", "ACKNOWLEDGED", "ACKNOWLEDGED", ("PENDING",)),
        Action("start", "STARTED", "PROCESSING", ("PENDING", "ACKNOWLEDGED")),
        Action("resolve", "RESOLVED", "RESOLVED", OPEN),
        Action("ignore", "IGNORED", "IGNORED", ("PENDING", "ACKNOWLEDGED")),
        Action("close", "CLOSED", "CLOSED", (*OPEN, "RESOLVED", "IGNORED", "EXPIRED")),
    )
}


def possible(alert: Alert, person: Person) -> list[Action]:
    """The buttons this person sees on this alert."""
    if not _may(alert, person):
        return []
    return [action for action in ACTIONS.values() if alert.status in action.allowed_from]


def perform(
    db: Connection,
    alert_id: int,
    action: Action,
    person: Person,
    *,
    note: str | None = None,
    version: int | None = None,
) -> Move:
    """Move the alert, with its event and its audit, in one statement.

    Raises InvalidRequest: 404 no such alert, 403 not this person's, 409 not where the action starts, or moved.
    """
    note = (note or "").strip() or None
    if note is not None and len(note) > MAX_NOTE:
        raise InvalidRequest(400, "invalid_field", "note is too long", field="note", allowed=f"{MAX_NOTE} characters")
    may_all = HANDLE in person.may
    moved = alerts.move(
        db,
        alert_id,
        action=action.name,
        event=action.event,
        to=action.to,
        allowed_from=action.allowed_from,
        version=version,
        actor=person.subject,
        user_id=person.user_id,
        tokens=person.tokens,
        may_all=may_all,
        note=note,
        request_id=g.request_id,
    )
    if moved is None:
        raise InvalidRequest(404, "not_found", "there is no such alert")
    if moved.new_status is None:
        if not (may_all or moved.own):
            raise InvalidRequest(
                403, "forbidden", "only its recipients and handlers may do this", field="role", allowed=HANDLE
            )
        if version is not None and moved.version != version:
            raise InvalidRequest(
                409, "version_conflict", "somebody changed it meanwhile", field="version", allowed=moved.version
            )
        raise InvalidRequest(
            409, "wrong_status", f"the alert is {moved.status}", field="status", allowed=list(action.allowed_from)
        )
    return moved


def _may(alert: Alert, person: Person) -> bool:
    own = bool(person.tokens & set(alert.recipients)) or (
        person.user_id is not None and alert.handler_id == person.user_id
    )
    return HANDLE in person.may or own
