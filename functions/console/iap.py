"""Who does Identity-Aware Proxy say this is? Its signed assertion, checked in full; no other header is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.console.moments import utc_now
from shared.errors import InvalidRequest, Unavailable

KEYS_URL = "https://www.gstatic.com/iap/verify/public_key"
ISSUER = "https://cloud.google.com/iap"
SKEW = 30  # seconds
_KEPT = timedelta(hours=1)
_PATIENCE = 5.0  # seconds


def verify(assertion: str, public_keys: Mapping[str, str], audience: str) -> str:
    """The e-mail address in an assertion that IAP signed for this service.

    Raises InvalidRequest 401 for everything else: other algorithm, unknown key, other issuer or audience, out of date.
    """
    from google.auth import exceptions, jwt

    try:
        header = jwt.decode_header(assertion)  # type: ignore[no-untyped-call]
        if header.get("alg") != "ES256":
            raise _refused()
        claims = jwt.decode(  # type: ignore[no-untyped-call]
            assertion, certs=dict(public_keys), audience=audience, clock_skew_in_seconds=SKEW
        )
    except (ValueError, KeyError, TypeError, exceptions.GoogleAuthError):
        raise _refused() from None
    email = claims.get("email")
    if not audience or claims.get("iss") != ISSUER or not isinstance(email, str) or "@" not in email:
        raise _refused()
    return email


def _refused() -> InvalidRequest:
    return InvalidRequest(
        401, "unauthenticated", "the proxy's assertion is not valid", field="X-Goog-IAP-JWT-Assertion"
    )


@dataclass
class _Kept:
    keys: Mapping[str, str]
    until: datetime


_kept: dict[str, _Kept] = {}


def keys(url: str = KEYS_URL) -> Mapping[str, str]:
    """Key id -> public key (PEM), fetched at most once an hour. Raises Unavailable: without keys nobody gets in."""
    known = _kept.get(url)
    if known is None or known.until < utc_now():
        import requests

        try:
            answer = requests.get(url, timeout=_PATIENCE, allow_redirects=False)
            answer.raise_for_status()
            fetched = answer.json()
        except requests.RequestException as error:
            raise Unavailable("the keys of the identity proxy cannot be fetched") from error
        if not isinstance(fetched, dict) or not all(isinstance(pem, str) for pem in fetched.values()):
            raise Unavailable("the keys of the identity proxy are not what they should be")
        known = _kept[url] = _Kept(fetched, utc_now() + _KEPT)
    return known.keys
