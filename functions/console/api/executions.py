"""Executions over the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify

from functions.console.access import VIEW, needs
from functions.console.database import db
from functions.console.queries import executions
from functions.console.queries.executions import Execution
from shared.errors import InvalidRequest

routes = Blueprint("executions_api", __name__, url_prefix="/api/v1/executions")


@routes.get("/<uuid:execution_id>")
@needs(VIEW)
def one(execution_id: UUID) -> Response:
    found = executions.one(db(), execution_id)
    if found is None:
        raise InvalidRequest(404, "not_found", "there is no such execution", field="id")
    told = [vars(told) for told in executions.told(db(), execution_id)]
    items = [vars(item) for item in executions.items(db(), execution_id)]
    return jsonify({**as_json(found), "attempts": found.attempts, "deliveries": told, "items": items})


def as_json(execution: Execution) -> dict[str, Any]:
    """The row as it is, without what only the engine needs."""
    hidden = {"attempts", "owner"}
    shown = {name: value for name, value in vars(execution).items() if name not in hidden}
    return {**shown, "biz_date": execution.biz_date.isoformat()}
