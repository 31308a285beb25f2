"""How is Google asked for what Terraform cannot do? Plain REST with the caller's own default credentials."""

from __future__ import annotations

import os
import time
from typing import Any

import requests

from infra.commands.outcome import BadInputError, OutOfReachError

PATIENCE = 60.0  # seconds for one call
POLL = 5.0  # seconds between two looks at something long
# For rehearsals: one address that stands for every https://<host>, asked without credentials.
REHEARSAL = "BELFRY_GOOGLE_APIS"


class NotAllowedError(OutOfReachError):
    """Google knows who asks and does not let them, or does not yet: a new right takes minutes until it is known."""


class Google:
    """Google's APIs as the caller. Raises OutOfReachError without credentials."""

    def __init__(self) -> None:
        self._rehearsal = os.environ.get(REHEARSAL, "").rstrip("/")
        self._session = requests.Session() if self._rehearsal else _authorized()

    def ask(
        self, method: str, host: str, path: str, body: dict[str, Any] | None = None, *, absent: bool = False
    ) -> dict[str, Any] | None:
        """The JSON answer; with `absent` None for what does not exist.

        Raises BadInputError for what Google refuses as wrong, OutOfReachError for all else.
        """
        from google.auth.exceptions import GoogleAuthError

        url = self.address(f"https://{host}/{path}")
        try:
            answer = self._session.request(method, url, json=body, timeout=PATIENCE)
        except GoogleAuthError as error:
            raise OutOfReachError(f"the credentials are not accepted ({error}); {_SIGN_IN}") from None
        except requests.RequestException as error:
            raise OutOfReachError(f"{host} does not answer ({type(error).__name__})") from None
        if answer.status_code == 404 and absent:
            return None
        if answer.status_code == 403:
            raise NotAllowedError(f"{host} does not allow {method} {path}: {_words(answer)}")
        if not answer.ok:
            wrong = BadInputError if answer.status_code in (400, 404, 409) else OutOfReachError
            raise wrong(f"{host} answers {answer.status_code} to {method} {path}: {_words(answer)}")
        said: dict[str, Any] = answer.json() if answer.content else {}
        return said

    def address(self, url: str) -> str:
        """Where something of Google's is asked: at its own address, but for a rehearsal."""
        return url.replace("https:/", self._rehearsal, 1) if self._rehearsal else url

    def pause(self, seconds: float) -> None:
        """Let some time pass; a rehearsal has none to lose."""
        time.sleep(0 if self._rehearsal else seconds)

    def finish(self, host: str, operation: dict[str, Any] | None, *, version: str, most: float = 1800.0) -> None:
        """Wait for something long. Raises OutOfReachError when it ends in an error, or after `most` seconds."""
        until = time.monotonic() + most
        while operation and not operation.get("done"):
            if time.monotonic() > until:
                raise OutOfReachError(f"{operation.get('name')} is not done after {most:.0f} s")
            self.pause(POLL)
            operation = self.ask("GET", host, f"{version}/{operation['name']}")
        if operation and "error" in operation:
            raise OutOfReachError(f"{operation.get('name')}: {operation['error'].get('message')}")


_SIGN_IN = "`gcloud auth application-default login` signs in"


def _authorized() -> requests.Session:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    except DefaultCredentialsError:
        raise OutOfReachError(f"no application default credentials; {_SIGN_IN}") from None
    session: requests.Session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    return session


def _words(answer: requests.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return answer.reason
