"""How does the reader want it: language and light? From a link (?lang=, ?theme=), which a cookie then remembers."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Response, g, request
from werkzeug.datastructures import MultiDict
from werkzeug.urls import iri_to_uri

from shared.config import config

CHOICES = {"lang": ("zh", "en"), "theme": ("auto", "light", "dark")}
YEAR = 365 * 24 * 3600


def read() -> None:
    """Find the preferences of this request; a person's own language is the third to be asked (language.choose)."""
    g.chosen = {}
    for name, allowed in CHOICES.items():
        asked = request.args.get(name)
        if asked in allowed:
            g.chosen[name] = asked
    g.theme = g.chosen.get("theme") or _cookie("theme") or "auto"
    g.language = g.chosen.get("lang") or _cookie("lang") or request.accept_languages.best_match(CHOICES["lang"], "zh")
    g.language_is_chosen = bool(g.chosen.get("lang") or _cookie("lang"))


def keep(response: Response) -> None:
    """Let the browser remember what the reader just chose."""
    for name, value in g.get("chosen", {}).items():
        secure = config().in_cloud
        response.set_cookie(name, value, max_age=YEAR, secure=secure, httponly=True, samesite="Lax", path="/")


def here_with(**changes: str | None) -> str:
    """The address of this page with some of its query changed; None takes a part away. For GET pages only."""
    query: MultiDict[str, str] = MultiDict(request.args)
    for name in (*CHOICES, "live"):
        query.poplist(name)
    for name, value in changes.items():
        query.poplist(name)
        if value is not None:
            query[name] = value
    path = iri_to_uri(request.path)
    return f"{path}?{urlencode(list(query.items(multi=True)))}" if query else path


def _cookie(name: str) -> str | None:
    value = request.cookies.get(name)
    return value if value in CHOICES[name] else None
