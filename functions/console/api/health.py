"""Does the console's database answer, and does the run sweep still commit? For a watcher outside: no sign-in."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, make_response
from sqlalchemy.exc import SQLAlchemyError

from functions.console.access import PUBLIC, needs
from functions.console.database import db
from functions.console.queries import health
from shared import logs

routes = Blueprint("health", __name__)


@routes.get("/healthz")
@needs(PUBLIC)
def healthz() -> Response:
    """503 when the database is out of reach. A sweep that is late is told, not refused: the console itself is well."""
    try:
        sweeps = health.sweeps(db())
    except (SQLAlchemyError, OSError) as error:
        logs.event("console_unavailable", level=40, error=type(error).__name__)
        return make_response(jsonify({"status": "unavailable", "database": "unreachable"}), 503)
    return jsonify({"status": "ok", "database": "ok", "sweeps": sweeps})
