"""In the cloud one signed assertion says who it is; everything else is refused."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from google.auth import crypt, jwt
from sqlalchemy import Connection

from functions.console import iap
from functions.console.app import make_app
from functions.console.moments import utc_now
from shared.config import config
from shared.errors import InvalidRequest, Unavailable
from tests.conftest import register
from tests.factories import Erp

AUDIENCE = "/projects/123/locations/asia-east2/services/console"


class Proxy:
    """Signs as IAP does."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.signer = crypt.EsSigner.from_string(private, key_id="one")
        self.keys = {"one": public.decode()}

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = utc_now()
        stamps = {"iat": int(now.timestamp()), "exp": int((now + timedelta(minutes=10)).timestamp())}
        return {
            "iss": iap.ISSUER,
            "aud": AUDIENCE,
            "email": "boss@example.com",
            "sub": "accounts.google.com:1",
            **stamps,
            **changes,
        }

    def sign(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        return jwt.encode(self.signer, self.claims(**changes), header=header, key_id="one").decode()


@pytest.fixture(scope="module")
def proxy() -> Proxy:
    return Proxy()


def test_a_good_assertion_names_the_person(proxy: Proxy) -> None:
    assert iap.verify(proxy.sign(), proxy.keys, AUDIENCE) == "boss@example.com"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://accounts.google.com"},
        {"aud": "/projects/123/locations/asia-east2/services/other"},
        {"exp": 1_700_000_000},
        {"iat": 4_000_000_000},
        {"email": None},
        {"email": "nobody"},
    ],
    ids=str,
)
def test_an_assertion_for_others_or_out_of_date_is_refused(proxy: Proxy, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        iap.verify(proxy.sign(**changes), proxy.keys, AUDIENCE)
    assert refused.value.status == 401


def test_an_assertion_signed_by_somebody_else_is_refused(proxy: Proxy) -> None:
    with pytest.raises(InvalidRequest):
        iap.verify(Proxy().sign(), proxy.keys, AUDIENCE)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256"])
def test_only_the_proxys_algorithm_counts(proxy: Proxy, algorithm: str) -> None:
    signed = proxy.sign(header={"alg": algorithm})
    with pytest.raises(InvalidRequest):
        iap.verify(signed, proxy.keys, AUDIENCE)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "....", "é.é.é"])
def test_what_is_no_assertion_is_refused(proxy: Proxy, text: str) -> None:
    with pytest.raises(InvalidRequest):
        iap.verify(text, proxy.keys, AUDIENCE)


class _KeyServer(BaseHTTPRequestHandler):
    status, body, asked = 200, b"{}", 0

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def key_server() -> Iterator[tuple[str, type[_KeyServer]]]:
    handler = type("Handler", (_KeyServer,), {})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", handler
    server.shutdown()
    server.server_close()


def test_keys_are_fetched_once_an_hour(proxy: Proxy, key_server: tuple[str, type[_KeyServer]]) -> None:
    url, handler = key_server
    handler.body = json.dumps(proxy.keys).encode()
    assert iap.keys(url) == iap.keys(url) == proxy.keys
    assert handler.asked == 1


@pytest.mark.parametrize(("status", "body"), [(500, b"{}"), (200, b"<html>"), (200, b"[]"), (200, b'{"a": 1}')])
def test_without_keys_nobody_gets_in(key_server: tuple[str, type[_KeyServer]], status: int, body: bytes) -> None:
    url, handler = key_server
    handler.status, handler.body = status, body
    with pytest.raises(Unavailable):
        iap.keys(url)


def test_the_person_in_the_assertion_signs_in_and_strangers_do_not(
    app: Flask, db: Connection, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, key_server: tuple[str, type[_KeyServer]]
) -> None:
    Erp(db).user(email="Boss@example.com", real_name="老板", roles=["SYS_ADMIN"])
    register(db, "check_overdue_issues")
    url, handler = key_server
    handler.body = json.dumps(proxy.keys).encode()
    for name in ("BELFRY_VIEW_TOKEN", "BELFRY_MANAGE_TOKEN", "BELFRY_LOCAL_CLOCK"):
        monkeypatch.delenv(name)
    for name, value in {"K_SERVICE": "console", "BELFRY_CALLERS": "a@b.example", "BELFRY_AUDIENCE": AUDIENCE}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(iap.keys, "__defaults__", (url,))
    config.cache_clear()
    client = make_app().test_client()

    def ask(email: str) -> Any:
        headers = {"X-Goog-IAP-JWT-Assertion": proxy.sign(email=email)}
        return client.get("/jobs/check_overdue_issues/run", headers=headers, base_url="https://console.example")

    known = ask("boss@example.com")
    assert known.status_code == 200
    assert "老板" in known.text
    assert "__Host-csrf" in known.headers["Set-Cookie"]
    assert "Secure" in known.headers["Set-Cookie"]
    assert known.headers["Strict-Transport-Security"]
    assert ask("stranger@example.com").status_code == 403
