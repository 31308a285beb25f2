"""Who asks, and may they? Every route says what it needs; one that says nothing serves nobody."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import current_app, g, redirect, request, session, url_for
from werkzeug.wrappers import Response

from functions.console import csrf, iap
from functions.console.database import db
from functions.console.queries import people
from shared import logs
from shared.config import config
from shared.errors import InvalidRequest

PUBLIC = "public"
VIEW, TRIGGER, MANAGE, ADMIN = "scheduler:view", "scheduler:trigger", "scheduler:manage", "scheduler:admin"
HANDLE = "alert:handle"
PERMISSIONS = (VIEW, TRIGGER, HANDLE, MANAGE, ADMIN)
_INCLUDES = {ADMIN: {MANAGE, TRIGGER, HANDLE}, MANAGE: {TRIGGER, HANDLE}, "alert:admin": {HANDLE}}
SESSION_LIFETIME = timedelta(hours=12)
READS = ("GET", "HEAD")
# Only a program sends it: another site's page may not without our leave (CORS), and we never give it.
PROGRAM = "X-Belfry-Client"
BY_BROWSERS = ("Origin", "Sec-Fetch-Site", "Cookie")

View = TypeVar("View", bound=Callable[..., Any])
_needs: dict[Callable[..., Any], str] = {}


@dataclass(frozen=True)
class Person:
    """Whoever is signed in: a person of the company's system, or a program with a token (`user_id` None)."""

    subject: str
    name: str
    may: frozenset[str]
    user_id: int | None = None
    email: str | None = None
    language: str = "zh"
    time_zone: str = "Asia/Shanghai"
    tokens: frozenset[str] = field(default_factory=frozenset)  # USER:7, ROLE:PMO, MGR:12: how alerts name this person
    unread: int = 0


def needs(permission: str) -> Callable[[View], View]:
    """Say what a route asks of its caller: PUBLIC or one of PERMISSIONS."""

    def mark(view: View) -> View:
        _needs[view] = permission
        return view

    return mark


def needed(endpoint: str) -> str | None:
    """What the route asks for; None when it forgot to say so."""
    return _needs.get(current_app.view_functions[endpoint])


def guard() -> Response | None:
    """Runs before every route, and refuses unless the route's own declaration lets this caller through."""
    g.person = None
    _refuse_other_hosts()
    if request.url_rule is None or request.endpoint is None:
        return None  # nothing here: 404 or 405, told to everybody alike
    need, writes = needed(request.endpoint), request.method not in READS
    if need == PUBLIC:
        if writes:
            csrf.check(csrf.NOBODY)
        return None
    g.person, by_cookie = _identify()
    if g.person is None:
        if is_api() or writes or config().in_cloud:
            raise InvalidRequest(401, "unauthenticated", "sign in, or send a bearer token", field="Authorization")
        path = request.path if request.path != "/" else None
        return redirect(url_for("sign_in.page", next=path))
    if writes and by_cookie:
        csrf.check(g.person.subject)
    if not g.language_is_chosen:
        g.language = g.person.language if g.person.user_id is not None else g.language
    if need is None or need not in g.person.may:
        logs.event("access_refused", level=30, actor=g.person.subject, path=request.path, method=request.method)
        raise InvalidRequest(403, "forbidden", "this needs another role", field="role", allowed=need)
    return None


def person() -> Person:
    """The caller of a route that is not public."""
    found = person_or_none()
    assert found is not None
    return found


def person_or_none() -> Person | None:
    found: Person | None = g.get("person")
    return found


def is_api() -> bool:
    return request.path.startswith("/api/") or request.path == "/healthz"


def _refuse_other_hosts() -> None:
    """Locally whoever signs in is trusted, so no web page may reach this under a name of its own (DNS rebinding)."""
    c = config()
    if c.in_cloud:
        return
    allowed = {"127.0.0.1", "localhost", "::1", urlsplit(c.belfry_url).hostname}
    if urlsplit(f"//{request.host}").hostname not in allowed:
        raise InvalidRequest(400, "unknown_host", "this console answers on its own address only", field="Host")


def _identify() -> tuple[Person | None, bool]:
    """The caller, and whether a browser proves it by itself (then a write needs more than that)."""
    c = config()
    if c.in_cloud:
        assertion = request.headers.get("X-Goog-IAP-JWT-Assertion")
        if not assertion:
            return None, True
        email = iap.verify(assertion, iap.keys(), c.audience)
        browser = PROGRAM not in request.headers or any(name in request.headers for name in BY_BROWSERS)
        found = people.by_email(db(), email)
        if found is not None:
            return _person(found), browser
        if email.lower() in c.operators:  # whoever deploys: the company's system may not know them, or not be there yet
            return Person(email, email, frozenset(PERMISSIONS), email=email, language=g.language), browser
        raise InvalidRequest(403, "unknown_person", "nobody in the company's system has this e-mail address")
    authorization = request.headers.get("Authorization")
    if authorization is not None:
        return _program(authorization), False
    user_id = session.get("user")
    found = people.by_id(db(), user_id) if isinstance(user_id, int) else None
    return (_person(found) if found else None), True


def _program(authorization: str) -> Person:
    c = config()
    scheme, _, token = authorization.partition(" ")
    known = {"view": (c.view_token, {VIEW}), "manage": (c.manage_token, {VIEW, MANAGE, *_INCLUDES[MANAGE]})}
    for name, (expected, may) in known.items():
        if expected and scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), expected.encode()):
            return Person(f"token:{name}", f"token:{name}", frozenset(may), language=g.language)
    raise InvalidRequest(401, "unauthenticated", "the bearer token is not valid", field="Authorization")


def _person(row: people.Found) -> Person:
    may = {VIEW, *row.permissions}
    if row.is_superuser or "SYS_ADMIN" in row.roles:
        may |= set(PERMISSIONS)
    for permission in list(may):
        may |= _INCLUDES.get(permission, set())
    tokens = {f"USER:{row.id}", *(f"ROLE:{role}" for role in row.roles), *(f"MGR:{id_}" for id_ in row.reports)}
    return Person(
        row.username,
        row.real_name or row.username,
        frozenset(may),
        user_id=row.id,
        email=row.email,
        language=row.language,
        time_zone=row.time_zone,
        tokens=frozenset(tokens),
        unread=row.unread,
    )
