"""Who calls this function, and may they: OIDC claims of Cloud Scheduler, Pub/Sub and Belfry itself.

In the cloud IAM has verified signature and audience, and Cloud Run removes the signature (reliability F9): only the
claims are read.
Elsewhere functions listen on 127.0.0.1 and the token of the local cloud is verified in full; no token is the local
operator.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from shared.config import config
from shared.errors import InvalidRequest

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
LOCAL_OPERATOR = "local-operator"
_SKEW = 30  # seconds


def caller(authorization: str | None, *, function: str, now: datetime) -> str:
    """The caller's e-mail, or the local operator.

    Raises InvalidRequest 401 (no or bad token) or 403 (a good token of somebody who may not call this function).
    """
    c = config()
    if not authorization:
        if c.in_cloud:
            raise InvalidRequest(401, "unauthenticated", "an OIDC token is required", field="Authorization")
        return LOCAL_OPERATOR
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or token.count(".") != 2:
        raise _unauthenticated()
    claims = _read(token) if c.in_cloud else _verify(token)
    if not _number(claims.get("exp")) or claims["exp"] + _SKEW < now.timestamp():
        raise _unauthenticated()
    audience = c.audience or f"{c.belfry_url}/functions/{function}"
    email = claims.get("email")
    ours = claims.get("iss") in ISSUERS and claims.get("aud") == audience
    if not ours or claims.get("email_verified") is not True or not isinstance(email, str):
        raise InvalidRequest(
            403, "caller_not_allowed", "the token is not for this function", field="Authorization", allowed=audience
        )
    allowed = c.callers or {f"{name}@{c.project}.iam.gserviceaccount.com" for name in ("scheduler", "pubsub", "belfry")}
    if email not in allowed:
        raise InvalidRequest(
            403, "caller_not_allowed", "this account may not call this function", field="Authorization"
        )
    return email


def _unauthenticated() -> InvalidRequest:
    return InvalidRequest(401, "unauthenticated", "the OIDC token is not valid", field="Authorization")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _read(token: str) -> Mapping[str, Any]:
    payload = token.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError):
        raise _unauthenticated() from None
    if not isinstance(claims, dict):
        raise _unauthenticated()
    return claims


@cache
def _certificate(path: str) -> str:
    return Path(path).read_text("ascii")


def _verify(token: str) -> Mapping[str, Any]:
    # Imported here: scheduled ticks in the cloud never verify a signature themselves.
    from google.auth import jwt

    if not config().oidc_cert:
        raise _unauthenticated()
    try:
        claims: Mapping[str, Any] = jwt.decode(  # type: ignore[no-untyped-call]
            token, certs=_certificate(config().oidc_cert), clock_skew_in_seconds=_SKEW
        )
    except (ValueError, KeyError):
        raise _unauthenticated() from None
    return claims
