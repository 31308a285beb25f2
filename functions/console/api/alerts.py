"""Alerts over the API: list, look, move on."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from functions.console import alert_moves, idempotency, keyset
from functions.console.access import VIEW, needs, person
from functions.console.api import bodies
from functions.console.database import db
from functions.console.queries import alerts
from functions.console.queries.alerts import Alert, Filters
from functions.console.wording import of_alert
from shared.errors import InvalidRequest

routes = Blueprint("alerts_api", __name__, url_prefix="/api/v1/alerts")


@routes.get("")
@needs(VIEW)
def listed() -> Response:
    """?status= one status, `open` (the default) or `done`."""
    keyset.refuse_unknown("status", "level", "rule", "project")
    limit = keyset.limit()
    asked = keyset.one_of("status", ("open", "done", *alerts.STATUSES)) or "open"
    filters = Filters(
        level=keyset.one_of("level", alerts.LEVELS),
        rule=keyset.text_of("rule"),
        project=keyset.number_of("project"),
        status=asked if asked in alerts.STATUSES else None,
    )
    if asked == "open" or asked in alerts.OPEN:
        found = alerts.still_open(db(), filters, after=keyset.cursor("number", "time", "number"), limit=limit)
        page = keyset.page(found, limit, open_key)
    else:
        found = alerts.done(db(), filters, after=keyset.cursor("time", "number"), limit=limit)
        page = keyset.page(found, limit, done_key)
    return jsonify({"items": [as_json(alert) for alert in page.items], "next": page.next})


@routes.get("/<int:alert_id>")
@needs(VIEW)
def one(alert_id: int) -> Response:
    alert = alerts.one(db(), alert_id) if alert_id < 2**63 else None
    if alert is None:
        raise InvalidRequest(404, "not_found", "there is no such alert", field="id")
    return jsonify({**as_json(alert), "events": [vars(event) for event in alerts.events(db(), alert_id)]})


@routes.post(f"/<int:alert_id>/<any({','.join(alert_moves.ACTIONS)}):action>")
@needs(VIEW)  # whose alert it is decides: perform() refuses everybody else
def act(alert_id: int, action: str) -> Response:
    body = bodies.read({"note": str, "version": int})
    if alert_id >= 2**63:
        raise InvalidRequest(404, "not_found", "there is no such alert", field="id")

    def work() -> tuple[int, dict[str, Any]]:
        moved = alert_moves.perform(
            db(), alert_id, alert_moves.ACTIONS[action], person(), note=body.get("note"), version=body.get("version")
        )
        return 200, {"id": alert_id, "status": moved.new_status, "version": moved.new_version}

    return idempotency.once(work)


def open_key(alert: Alert) -> tuple[object, ...]:
    return (alerts.LEVELS.index(alert.alert_level) - len(alerts.LEVELS), alert.triggered_at, alert.id)


def done_key(alert: Alert) -> tuple[object, ...]:
    return (alert.triggered_at, alert.id)


def as_json(alert: Alert) -> dict[str, Any]:
    text = of_alert(alert)
    figures = {
        name: None if (value := getattr(alert, name)) is None else str(value)
        for name in ("trigger_value", "threshold_value")
    }
    return {**vars(alert), **figures, "title": text.title, "body": text.body}
