"""Is there something in every drawer that a function will open? Database passwords are made here, others by people."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from secrets import token_urlsafe

from infra.commands.outcome import BadInputError
from infra.deploying.environment import Environment
from infra.deploying.google import Google

HOST = "secretmanager.googleapis.com"
MIGRATOR = "database-migrator-password"
OURS = ("database-app-password", MIGRATOR)  # nobody needs to know these, so nobody has to think them up


def fill(google: Google, environment: Environment, versions: Mapping[str, int]) -> list[str]:
    """Add the versions of database passwords that are missing; which secrets got one.

    Raises BadInputError naming every version that a person must add, and how.
    """
    missing = {one: version for one, version in versions.items() if not _enabled(google, environment, one, version)}
    theirs = {one: version for one, version in missing.items() if one not in OURS}
    if theirs:
        raise BadInputError(
            "\n".join(
                f"secret {one}: version {version} does not exist or is disabled; add it with "
                f"`gcloud secrets versions add {one} --project={environment.project} --data-file=-`"
                for one, version in theirs.items()
            )
        )
    for one, version in missing.items():
        data = base64.b64encode(token_urlsafe(32).encode()).decode()
        added = google.ask(
            "POST", HOST, f"v1/projects/{environment.project}/secrets/{one}:addVersion", {"payload": {"data": data}}
        )
        number = str((added or {}).get("name", "")).rpartition("/")[2]
        if number != str(version):
            raise BadInputError(
                f"secret {one}: version {version} is wanted, the next one is {number}; "
                f"{environment.variables.name}'s database_password_versions must say {number}"
            )
    return list(missing)


def value(google: Google, environment: Environment, secret: str, version: int) -> str:
    """What a version of a secret says."""
    said = google.ask("GET", HOST, f"{_version(environment, secret, version)}:access") or {}
    return base64.b64decode(said["payload"]["data"]).decode()


def _enabled(google: Google, environment: Environment, secret: str, version: int) -> bool:
    said = google.ask("GET", HOST, _version(environment, secret, version), absent=True)
    return said is not None and said.get("state") == "ENABLED"


def _version(environment: Environment, secret: str, version: int) -> str:
    return f"v1/projects/{environment.project}/secrets/{secret}/versions/{version}"
