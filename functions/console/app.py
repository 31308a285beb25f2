"""What is the console made of? Routes, the guard before them, and one shape for everything that goes wrong."""

from __future__ import annotations

import secrets
from datetime import date, datetime, time
from functools import cache
from hashlib import sha256
from typing import Any
from uuid import uuid4

from flask import Flask, g, request
from flask.json.provider import DefaultJSONProvider

from functions.console import access, csrf, database, headers, language, moments, preferences, problems, sentence
from functions.console.api import alerts as alerts_api
from functions.console.api import executions as executions_api
from functions.console.api import health
from functions.console.api import jobs as jobs_api
from functions.console.api import notifications as notifications_api
from functions.console.api import operations as operations_api
from functions.console.api import registry as registry_api
from functions.console.api import replays as replays_api
from functions.console.pages import alerts, assets, executions, inbox, jobs, runs, sign_in
from shared import logs
from shared.config import config

MAX_BODY = 256 * 1024
AREAS = (
    assets,
    sign_in,
    jobs,
    runs,
    executions,
    alerts,
    inbox,
    jobs_api,
    executions_api,
    alerts_api,
    notifications_api,
    operations_api,
    replays_api,
    registry_api,
    health,
)


@cache
def app() -> Flask:
    """The application of this process."""
    return make_app()


def make_app() -> Flask:
    """Build the application from the settings of this process."""
    made = Flask("functions.console", static_folder=None)
    made.config.update(
        SECRET_KEY=_session_key(),
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_PARTS=100,
        SESSION_COOKIE_NAME="belfry",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # Strict would ask who you are again after a link in an e-mail
        SESSION_COOKIE_SECURE=config().in_cloud,
        PERMANENT_SESSION_LIFETIME=access.SESSION_LIFETIME,
        PROVIDE_AUTOMATIC_OPTIONS=False,
    )
    made.json = _Json(made)
    made.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    for area in AREAS:
        made.register_blueprint(area.routes)
    made.before_request(_begin)
    made.before_request(access.guard)
    made.after_request(headers.protect)
    made.teardown_request(database.close)
    problems.install(made)
    made.context_processor(_for_templates)
    made.jinja_env.globals.update(
        t=language.t,
        named=language.named,
        either=language.either,
        clock=moments.clock,
        csrf_token=csrf.token,
        asset=assets.address,
        here=preferences.here_with,
    )
    made.jinja_env.filters.update(
        when=moments.when,
        exactly=moments.exactly,
        clock=moments.clock,
        iso=moments.iso,
        ago=moments.ago,
        took=moments.took,
        lag=moments.lag,
        number=moments.number,
        counter=language.counter,
        moment=moments.of,
        sentence=sentence.of_job,
    )
    return made


class _Json(DefaultJSONProvider):
    """Times as RFC 3339 with their offset, Chinese as itself, fields in the order in which they are written down."""

    ensure_ascii = False
    sort_keys = False

    @staticmethod
    def default(value: Any) -> Any:
        return value.isoformat() if isinstance(value, (datetime, date, time)) else DefaultJSONProvider.default(value)


def _begin() -> None:
    logs.clear()
    g.request_id = (request.headers.get("X-Cloud-Trace-Context") or uuid4().hex)[:64]
    logs.bind(trace=g.request_id)
    preferences.read()


def _for_templates() -> dict[str, Any]:
    return {"person": access.person_or_none(), "lang": g.language, "theme": g.theme, "in_cloud": config().in_cloud}


def _session_key() -> bytes | None:
    """Locally one that outlives the process, because functions come and go; in the cloud there are no sessions."""
    c = config()
    if c.in_cloud:
        return None
    if not c.manage_token:
        return secrets.token_bytes(32)
    return sha256(b"belfry console session\0" + c.manage_token.encode()).digest()
