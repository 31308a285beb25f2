"""What does every answer forbid the browser to do with it?"""

from __future__ import annotations

from flask import Response, g

from functions.console import csrf, preferences
from shared.config import config

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def protect(response: Response) -> Response:
    """Put the security headers on an answer, and the cookies that rendering it asked for."""
    response.headers["Content-Security-Policy"] = CSP
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Not no-referrer: with it a browser writes "Origin: null" on our own forms, and the origin could not be checked.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    response.headers["X-Request-Id"] = g.get("request_id", "")
    response.headers.setdefault("Cache-Control", "no-store")
    if config().in_cloud:
        response.headers["Strict-Transport-Security"] = "max-age=63072000"
    preferences.keep(response)
    csrf.keep_cookie(response)
    return response
