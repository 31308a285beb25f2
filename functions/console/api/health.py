"""Is the console alive, and does its database answer? For probes: no sign-in, no details."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, make_response
from sqlalchemy.exc import SQLAlchemyError

from functions.console.access import PUBLIC, needs
from functions.console.database import db
from shared import logs

routes = Blueprint("health", __name__)


@routes.get("/healthz")
@needs(PUBLIC)
def healthz() -> Response:
    try:
        db()
    except (SQLAlchemyError, OSError) as error:
        logs.event("console_unavailable", level=40, error=type(error).__name__)
        return make_response(jsonify({"status": "unavailable", "database": "unreachable"}), 503)
    return jsonify({"status": "ok", "database": "ok"})
