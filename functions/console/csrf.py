"""Did our own page ask for this write? A token made of a secret in the reader's cookie, the reader and the hour.

Nothing is stored and no key is needed: another page can make a browser send the cookie, but neither read it nor know
the token that belongs to it.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from urllib.parse import urlsplit

from flask import Response, g, request

from functions.console.moments import utc_now
from shared.config import config
from shared.errors import InvalidRequest

NOBODY = "nobody"
HEADER, FIELD = "X-CSRF-Token", "csrf"
HOURS = 12  # a page may stay open that long before its buttons ask for a reload


def cookie_name() -> str:
    """`__Host-` pins the cookie to this very host; browsers grant it to https only."""
    return "__Host-csrf" if config().in_cloud else "csrf"


def token() -> str:
    """The token for the page that is being rendered."""
    person = g.get("person")
    hour = int(utc_now().timestamp()) // 3600
    return f"{hour}.{_mac(_secret(), person.subject if person else NOBODY, hour)}"


def check(subject: str) -> None:
    """Raises InvalidRequest 403 unless this write comes from a page of ours that was made for this very person."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    own = {request.host, urlsplit(config().belfry_url).netloc}
    if (origin is not None and urlsplit(origin).netloc not in own) or site not in (None, "same-origin", "none"):
        raise InvalidRequest(403, "cross_origin", "a page of another origin may not write here", field="Origin")
    given = request.headers.get(HEADER) or request.form.get(FIELD) or ""
    hour, _, mac = given.partition(".")
    secret, now = request.cookies.get(cookie_name(), ""), int(utc_now().timestamp()) // 3600
    fresh = hour.isascii() and hour.isdigit() and len(hour) < 12 and now - HOURS <= int(hour) <= now
    if not fresh or not secret or not hmac.compare_digest(mac.encode(), _mac(secret, subject, int(hour)).encode()):
        raise InvalidRequest(403, "bad_csrf_token", "reload the page and try again", field=HEADER)


def keep_cookie(response: Response) -> None:
    """Send the secret that the page's token was made with."""
    secret = g.get("csrf_secret")
    if secret is not None and request.cookies.get(cookie_name()) != secret:
        secure = config().in_cloud
        response.set_cookie(cookie_name(), secret, secure=secure, httponly=True, samesite="Strict", path="/")


def _secret() -> str:
    if "csrf_secret" not in g:
        known = request.cookies.get(cookie_name(), "")
        g.csrf_secret = known if len(known) >= 40 else secrets.token_urlsafe(32)
    secret: str = g.csrf_secret
    return secret


def _mac(secret: str, subject: str, hour: int) -> str:
    return hmac.new(secret.encode(), f"{subject}|{hour}".encode(), sha256).hexdigest()
