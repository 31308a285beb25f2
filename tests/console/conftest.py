"""A console on a database of the test's own, and readers of every role."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from tests.factories import Erp

VIEW_TOKEN, MANAGE_TOKEN = "v" * 40, "m" * 40
PERMISSIONS = {
    "viewer": [],
    "owner": ["scheduler:trigger"],
    "handler": ["alert:handle"],
    "manager": ["scheduler:manage"],
    "admin": ["scheduler:admin", "alert:admin"],
}


@pytest.fixture
def app(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The console's application, told of its tokens."""
    monkeypatch.setenv("BELFRY_VIEW_TOKEN", VIEW_TOKEN)
    monkeypatch.setenv("BELFRY_MANAGE_TOKEN", MANAGE_TOKEN)
    from functions.console.app import make_app
    from functions.console.queries import health
    from shared.config import config

    config.cache_clear()
    health.forget()
    return make_app()


class Reader:
    """A browser without a screen: cookies, a person, and the token of the page they last saw."""

    def __init__(self, app: Flask, username: str | None = None, user_id: int | None = None) -> None:
        self.client: FlaskClient = app.test_client()
        self.user_id = user_id
        self.csrf = ""
        if user_id is not None:
            self.get("/sign-in")
            answer = self.post("/sign-in", {"user": str(user_id)})
            assert answer.status_code == 303, answer.text
            self.get("/inbox")

    def get(self, path: str, **headers: str) -> TestResponse:
        answer = self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        self.csrf = found[1] if found else self.csrf
        return answer

    def post(self, path: str, form: dict[str, Any]) -> TestResponse:
        return self.client.post(path, data={"csrf": self.csrf, **form})


Readers = Callable[..., Reader]


@pytest.fixture
def reader(app: Flask, db: Connection) -> Readers:
    """`reader("viewer")`: somebody of that role, signed in. `reader(None)`: nobody."""
    erp = Erp(db)

    def make(role: str | None = "viewer", **columns: Any) -> Reader:
        if role is None:
            return Reader(app)
        user = erp.user(**columns)
        erp.role(f"TEST_{role.upper()}", users=[user], permissions=PERMISSIONS[role])
        return Reader(app, user_id=user)

    return make


class Program:
    """A caller of the API with a bearer token."""

    def __init__(self, app: Flask, token: str | None) -> None:
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.calls = 0

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        """A write with a key of its own, unless the caller gives one."""
        self.calls += 1
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(
            path, json=body or {}, headers={"Idempotency-Key": f"test-key-{self.calls:08}", **self.headers, **named}
        )


@pytest.fixture
def viewing(app: Flask) -> Program:
    return Program(app, VIEW_TOKEN)


@pytest.fixture
def managing(app: Flask) -> Program:
    return Program(app, MANAGE_TOKEN)


class Listener:
    """Something that listens where a job's function should, and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.answer: bytes = b'{"status": "succeeded"}'
        self.patience = threading.Event()
        self.patience.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append(json.loads(body))
                outer.headers.append(dict(self.headers))
                outer.patience.wait(10)
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.patience.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.stop()
