"""Whom do an engineer's commands speak as? The account `operator`, whose tokens those may make who may act as it."""

from __future__ import annotations

import json

from infra.deploying.environment import Environment
from infra.deploying.google import Google, NotAllowedError
from shared import schedule

HOST = "iamcredentials.googleapis.com"
LIFE = 3600  # seconds
TRIES, PAUSE = 20, 15.0  # seconds: the right to speak as the operator may be minutes old


def for_function(google: Google, environment: Environment, url: str) -> str:
    """A token that Cloud Run accepts at this address."""
    said = _ask(google, environment, "generateIdToken", {"audience": url, "includeEmail": True})
    return str(said["token"])


def for_proxy(google: Google, environment: Environment, url: str) -> str:
    """A token that Identity-Aware Proxy accepts for every page at this address: the account's own signature."""
    now = int(schedule.now().timestamp())
    claims = {
        "iss": environment.operator, "sub": environment.operator, "email": environment.operator,
        "aud": f"{url}/*", "iat": now, "exp": now + LIFE,
    }  # fmt: skip
    said = _ask(google, environment, "signJwt", {"payload": json.dumps(claims)})
    return str(said["signedJwt"])


def _ask(google: Google, environment: Environment, verb: str, body: dict[str, object]) -> dict[str, object]:
    for left in reversed(range(TRIES)):
        try:
            said = google.ask("POST", HOST, f"v1/projects/-/serviceAccounts/{environment.operator}:{verb}", body)
        except NotAllowedError:
            if not left:
                raise
            google.pause(PAUSE)
        else:
            return said or {}
    raise AssertionError("unreachable")
