"""The alerts that are open, the ones that are done, and the page of one with its buttons."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from functions.console import alert_moves, keyset
from functions.console.access import VIEW, needs, person
from functions.console.api.alerts import done_key, open_key
from functions.console.database import db
from functions.console.queries import alerts, people
from functions.console.queries.alerts import Alert, Filters
from functions.console.wording import of_alert, of_message
from shared.db import transaction
from shared.errors import InvalidRequest

routes = Blueprint("alerts", __name__)
ROWS = 50


@routes.get("/alerts")
@needs(VIEW)
def listed() -> str:
    """?show=done; ?level= &rule= &project= &status=; &live=1 gives the part that changes by itself."""
    show = keyset.one_of("show", ("open", "done")) or "open"
    among = alerts.OPEN if show == "open" else tuple(s for s in alerts.STATUSES if s not in alerts.OPEN)
    filters = Filters(
        level=keyset.one_of("level", alerts.LEVELS),
        rule=keyset.text_of("rule"),
        project=keyset.number_of("project"),
        status=keyset.one_of("status", among),
    )
    if show == "open":
        found = alerts.still_open(db(), filters, after=keyset.cursor("number", "time", "number"), limit=ROWS)
        page = keyset.page(found, ROWS, open_key)
    else:
        found = alerts.done(db(), filters, after=keyset.cursor("time", "number"), limit=ROWS)
        page = keyset.page(found, ROWS, done_key)
    rules, projects = alerts.choices(db())
    return render_template(
        "alerts_live.html" if request.args.get("live") else "alerts.html",
        rows=[(alert, of_alert(alert)) for alert in page.items],
        next=page.next,
        show=show,
        filters=filters,
        among=among,
        counts=alerts.counts(db()),
        rules=rules,
        projects=projects,
        levels=alerts.LEVELS,
        handlers=people.names(db(), {alert.handler_id for alert in page.items if alert.handler_id is not None}),
    )


@routes.get("/alerts/<int:alert_id>")
@needs(VIEW)
def one(alert_id: int) -> str:
    alert = known(alert_id)
    deliveries = alerts.deliveries(db(), alert_id)
    return render_template(
        "alert_live.html" if request.args.get("live") else "alert.html",
        alert=alert,
        text=of_alert(alert),
        events=alerts.events(db(), alert_id),
        actions=alert_moves.possible(alert, person()),
        deliveries=[(delivery, of_message(delivery)) for delivery in deliveries],
        people=people.names(db(), mentioned(alert)),
        recipients=[token.partition(":") for token in alert.recipients],
        max_note=alert_moves.MAX_NOTE,
    )


@routes.post("/alerts/<int:alert_id>")
@needs(VIEW)  # whose alert it is decides: perform() refuses everybody else
def act(alert_id: int) -> Response:
    """A form with `action`, `note` and the `version` that the reader saw."""
    action = alert_moves.ACTIONS.get(request.form.get("action", ""))
    version = request.form.get("version", "")
    if action is None or not (version.isascii() and version.isdigit() and len(version) < 10):
        raise InvalidRequest(
            400, "invalid_field", "this is no action", field="action", allowed=list(alert_moves.ACTIONS)
        )
    known(alert_id)
    with transaction(db(), timeout=10):
        alert_moves.perform(db(), alert_id, action, person(), note=request.form.get("note"), version=int(version))
    return redirect(url_for("alerts.one", alert_id=alert_id), 303)


def known(alert_id: int) -> Alert:
    """The alert, or the page that says there is none."""
    alert = alerts.one(db(), alert_id) if alert_id < 2**63 else None
    if alert is None:
        raise InvalidRequest(404, "unknown_alert", "there is no such alert")
    return alert


def mentioned(alert: Alert) -> set[int]:
    """Everybody an alert names by number."""
    ids = {alert.acknowledged_by, alert.handler_id, alert.resolved_by}
    numbers = [token.partition(":")[2] for token in alert.recipients if token.startswith(("USER:", "MGR:"))]
    return {id_ for id_ in ids if id_ is not None} | {int(n) for n in numbers if n.isascii() and n.isdigit()}
