"""How does Belfry ask another system? One JSON request, bounded in time and size, never inside a transaction."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urljoin, urlsplit

from shared.config import config, credential
from shared.errors import BelfryError, ConfigError

CONNECT_TIMEOUT = 3.05  # seconds
LARGEST = 32 * 1024 * 1024  # bytes of one answer


class RemoteError(BelfryError):
    """The other system did not answer as agreed."""


class AskedForPatience(RemoteError):
    """The other system asks to come back later."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"it asks for patience: {seconds:.0f} s")
        self.seconds = seconds


def get(endpoint: str, credential_ref: str | None, query: dict[str, str], *, timeout: float) -> Any:
    """The JSON of one GET. Raises RemoteError, saying what was wrong and never what was sent."""
    return _ask("GET", endpoint, credential_ref, timeout, params=query)


def post(endpoint: str, credential_ref: str | None, content: Any, *, timeout: float, key: str) -> Any:
    """The JSON answer to one POST under an idempotency key: to repeat it changes nothing. Raises RemoteError."""
    return _ask(
        "POST", endpoint, credential_ref, timeout, headers={"Idempotency-Key": key},
        data=json.dumps(content, ensure_ascii=False, default=str).encode(),
    )  # fmt: skip


def _ask(
    method: str, endpoint: str, credential_ref: str | None, timeout: float, *,
    headers: dict[str, str] | None = None, **more: Any,
) -> Any:  # fmt: skip
    import requests  # 60 ms that nobody else pays

    url = urljoin(f"{config().belfry_url}/", endpoint)
    if urlsplit(url).scheme not in ({"https"} if config().in_cloud else {"http", "https"}):
        raise RemoteError(f"endpoint: {'https' if config().in_cloud else 'http or https'} is expected")
    headers = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
    if credential_ref:
        try:
            headers["Authorization"] = f"Bearer {credential(credential_ref)}"
        except ConfigError as error:
            raise RemoteError(str(error)) from error
    try:
        with requests.request(
            method, url, headers=headers, timeout=(CONNECT_TIMEOUT, timeout), allow_redirects=False, stream=True, **more
        ) as answer:
            _judge(answer.status_code, answer.headers.get("Retry-After"))
            return json.loads(_body(answer))
    except requests.RequestException as error:
        raise RemoteError(f"no answer ({type(error).__name__})") from error
    except ValueError as error:
        raise RemoteError("the answer is not JSON") from error


def _judge(status: int, retry_after: str | None) -> None:
    if status in (429, 503) and retry_after and retry_after.isdecimal():
        raise AskedForPatience(min(float(retry_after), 86_400.0))
    if status == 429:
        raise AskedForPatience(60.0)
    if status != 200:
        raise RemoteError(f"HTTP {status}")


def _body(answer: Any) -> bytes:
    parts, size = [], 0
    for part in answer.iter_content(65_536):
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise RemoteError(f"the answer is over {LARGEST} bytes: a smaller batch_size helps")
    return b"".join(parts)
