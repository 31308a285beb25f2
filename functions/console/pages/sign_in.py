"""Who is sitting here? Locally one of the demo people, chosen by hand; in the cloud the proxy has said so already."""

from __future__ import annotations

import re

from flask import Blueprint, abort, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from functions.console.access import PUBLIC, VIEW, needs
from functions.console.database import db
from functions.console.queries import people
from shared import logs
from shared.config import config
from shared.errors import InvalidRequest

routes = Blueprint("sign_in", __name__)
_OWN_PATH = re.compile(r"/[A-Za-z0-9_/-]*", re.ASCII)


@routes.get("/sign-in")
@needs(PUBLIC)
def page() -> str:
    """?as=<username> shows that person alone."""
    _only_locally()
    asked = request.args.get("as", "")[:100] or None
    found = people.candidates(db(), asked)
    return render_template("sign_in.html", people=found, asked=asked, next=own_path(request.args.get("next")))


@routes.post("/sign-in")
@needs(PUBLIC)
def sign_in() -> Response:
    _only_locally()
    user = request.form.get("user", "")
    found = people.by_id(db(), int(user)) if user.isascii() and user.isdigit() and len(user) < 19 else None
    if found is None:
        raise InvalidRequest(400, "unknown_person", "choose one of the people", field="user")
    session.clear()
    session["user"] = found.id
    session.permanent = True
    logs.event("signed_in", actor=found.username)
    return redirect(own_path(request.form.get("next")), 303)


@routes.post("/sign-out")
@needs(VIEW)
def sign_out() -> Response:
    _only_locally()
    session.clear()
    return redirect(url_for("sign_in.page"), 303)


def own_path(path: str | None) -> str:
    """A path of this console, never an address of somebody else's."""
    if path and _OWN_PATH.fullmatch(path) and not path.startswith("//"):
        return path
    return url_for("jobs.listed")


def _only_locally() -> None:
    if config().in_cloud:
        abort(404)
