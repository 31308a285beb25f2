"""The style sheet, the script and the icon, under names that change with their content."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Response, abort, url_for

from functions.console.access import PUBLIC, needs

routes = Blueprint("assets", __name__)
FOLDER = Path(__file__).parents[1] / "static"
TYPES = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}


# Not /static: the framework around this application keeps that path for itself.
@routes.get("/assets/<version>/<name>")
@needs(PUBLIC)
def asset(version: str, name: str) -> Response:
    if name not in TYPES:
        abort(404)
    content, current = _content(name)
    answer = Response(content, mimetype=TYPES[name])
    # A page of another version may ask for it while a new one is being deployed: answered, not remembered.
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if version == current else "no-store"
    return answer


def address(name: str) -> str:
    """Where the current content of an asset is."""
    return url_for("assets.asset", version=_content(name)[1], name=name)


@cache
def _content(name: str) -> tuple[bytes, str]:
    content = (FOLDER / name).read_bytes()
    return content, sha256(content).hexdigest()[:12]
