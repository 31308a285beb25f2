"""How does a command reach what is deployed? One POST or GET with the caller's own ID token."""

import argparse
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from infra.commands.outcome import BadInputError, OutOfReachError

TOKEN = "GOOGLE_ID_TOKEN"  # noqa: S105  the name of a variable
PATIENCE = 900.0  # seconds: five hundred jobs within Cloud Scheduler's quota take some minutes
GCLOUD = 60.0
HERE = ("127.0.0.1", "localhost", "::1")


def add_identity(asked: argparse.ArgumentParser) -> None:
    """The arguments that say who calls."""
    asked.add_argument("--as", dest="account", metavar="SERVICE_ACCOUNT", help="whom gcloud shall speak for")
    asked.add_argument("--audience", metavar="TEXT", help="what the token is for: IAP's client id; default: the URL")


@dataclass(frozen=True)
class Deployed:
    """A console or a function at an address of its own."""

    url: str
    account: str | None = None
    audience: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if not parts.hostname or (parts.scheme != "https" and parts.hostname not in HERE) or parts.query:
            raise BadInputError(f"{self.url!r}: an address such as https://console-abc.a.run.app is allowed")

    def get(self, path: str) -> dict[str, Any]:
        """The JSON answer of a success. Raises as `post` does."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON answer of a success.

        Raises BadInputError with what a refusal (4xx) says, OutOfReachError when nothing or 5xx comes back.
        """
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token()}", "X-Belfry-Client": "python -m infra"}
        try:
            answer = requests.request(
                method, self.url.rstrip("/") + path, json=body, headers=headers, timeout=PATIENCE, allow_redirects=False
            )
        except requests.RequestException as error:
            raise OutOfReachError(f"{self.url} does not answer ({type(error).__name__})") from None
        said = _said(answer)
        if answer.ok and not answer.is_redirect and said:
            return said
        wrong = said.get("error")
        told = wrong if isinstance(wrong, dict) else {}
        where = f"{told['field']}: " if told.get("field") else ""
        words = f"{self.url} answers {answer.status_code} {where}{told.get('message') or answer.reason}"
        if answer.status_code >= 500 or answer.status_code == 429:
            raise OutOfReachError(words)
        raise BadInputError(words)

    def _token(self) -> str:
        """The caller's ID token: of the environment, else of gcloud."""
        if given := os.environ.get(TOKEN, "").strip():
            return given
        command = ["gcloud", "auth", "print-identity-token"]
        if self.account:
            account = f"--impersonate-service-account={self.account}"
            command += [account, "--include-email", f"--audiences={self.audience or self.url.rstrip('/')}"]
        elif self.audience:
            command += [f"--audiences={self.audience}"]
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=GCLOUD)
        except (OSError, subprocess.SubprocessError) as error:
            raise BadInputError(
                f"no identity: set {TOKEN}, or sign in with `gcloud auth login` ({type(error).__name__})"
            ) from None
        return said.stdout.strip()


def _said(answer: requests.Response) -> dict[str, Any]:
    try:
        said = json.loads(answer.content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
