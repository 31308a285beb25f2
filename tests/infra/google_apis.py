"""Google's REST APIs as far as a deployment asks them itself: what was asked, kept in memory."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

Answer = tuple[int, dict[str, Any]]
ABSENT: Answer = (404, {"error": {"message": "not found"}})


@dataclass
class GoogleApis:
    """One project's state. `forward`: host -> address of what stands in for a function or the console there."""

    project: str
    number: str
    url: str = ""
    forward: dict[str, str] = field(default_factory=dict)
    buckets: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, list[str]] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    failing_build: str = ""
    described_number: str = ""
    not_yet: int = 0  # so many tokens are refused, as long as a right is new

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        self.asked.append(f"{method} {path}")
        for pattern, call in _ROUTES:
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                return call(self, body, *found.groups())
        return 400, {"error": {"message": f"nobody expects {method} {path}"}}

    def enable(self, body: dict[str, Any], number: str) -> Answer:
        if number != self.number:
            return 403, {"error": {"message": "permission denied"}}
        return 200, {"name": "operations/enable"}

    def agent(self, _: dict[str, Any], name: str) -> Answer:
        self.agents.append(name)
        return 200, {"name": "operations/agent"}

    def described(self, _: dict[str, Any], project: str) -> Answer:
        return 200, {"projectId": project, "projectNumber": self.described_number or self.number}

    def bucket(self, _: dict[str, Any], name: str) -> Answer:
        return (200, self.buckets[name]) if name in self.buckets else ABSENT

    def new_bucket(self, body: dict[str, Any], _: str) -> Answer:
        self.buckets[body["name"]] = body
        return 200, body

    def version(self, _: dict[str, Any], secret: str, number: str) -> Answer:
        there = len(self.secrets.get(secret, []))
        return (200, {"state": "ENABLED"}) if int(number) <= there else ABSENT

    def value(self, _: dict[str, Any], secret: str, number: str) -> Answer:
        return 200, {"payload": {"data": base64.b64encode(self.secrets[secret][int(number) - 1].encode()).decode()}}

    def new_version(self, body: dict[str, Any], secret: str) -> Answer:
        kept = self.secrets.setdefault(secret, [])
        kept.append(base64.b64decode(body["payload"]["data"]).decode())
        return 200, {"name": f"projects/{self.number}/secrets/{secret}/versions/{len(kept)}"}

    def tag(self, _: dict[str, Any], image: str, tag: str) -> Answer:
        return (200, {"name": tag}) if any(one.endswith(f"/{image}:{tag}") for one in self.images) else ABSENT

    def submit(self, body: dict[str, Any]) -> Answer:
        if not self.failing_build:
            self.images.append(body["imageUri"])
        return 200, {"buildOperation": {"name": "operations/build"}}

    def built(self, _: dict[str, Any]) -> Answer:
        outcome = {"error": {"message": self.failing_build}} if self.failing_build else {}
        return 200, {"name": "operations/build", "done": True, **outcome}

    def finished(self, _: dict[str, Any]) -> Answer:
        return 200, {"done": True}

    def id_token(self, body: dict[str, Any], account: str) -> Answer:
        self.not_yet -= 1
        if self.not_yet >= 0:
            return 403, {"error": {"message": "permission iam.serviceAccounts.getOpenIdToken denied"}}
        claims = {"iss": "https://accounts.google.com", "aud": body["audience"], "email": account,
                  "email_verified": body["includeEmail"], "exp": 4_000_000_000}  # fmt: skip
        return 200, {"token": f"header.{_packed(claims)}.SIGNATURE_REMOVED_BY_GOOGLE"}

    def signed(self, body: dict[str, Any], account: str) -> Answer:
        return 200, {"signedJwt": f"header.{_packed(json.loads(body['payload']))}.signature-of-{account}"}


_ROUTES: list[tuple[str, Callable[..., Answer]]] = [
    (r"POST serviceusage.googleapis.com/v1/projects/(\d+)/services:batchEnable", GoogleApis.enable),
    (r"POST serviceusage.googleapis.com/v1beta1/projects/\d+/services/(\w+).googleapis.com:generateServiceIdentity", GoogleApis.agent),
    (r"GET serviceusage.googleapis.com/v1/operations/\w+", GoogleApis.finished),
    (r"GET cloudresourcemanager.googleapis.com/v1/projects/([\w-]+)", GoogleApis.described),
    (r"GET storage.googleapis.com/storage/v1/b/([\w-]+)", GoogleApis.bucket),
    (r"POST storage.googleapis.com/storage/v1/b\?project=([\w-]+)", GoogleApis.new_bucket),
    (r"GET secretmanager.googleapis.com/v1/projects/[\w-]+/secrets/([\w-]+)/versions/(\d+)", GoogleApis.version),
    (r"GET secretmanager.googleapis.com/v1/projects/[\w-]+/secrets/([\w-]+)/versions/(\d+):access", GoogleApis.value),
    (r"POST secretmanager.googleapis.com/v1/projects/[\w-]+/secrets/([\w-]+):addVersion", GoogleApis.new_version),
    (r"GET artifactregistry.googleapis.com/v1/projects/[\w-]+/locations/[\w-]+/repositories/belfry/packages/([\w-]+)/tags/(\w+)", GoogleApis.tag),
    (r"POST run.googleapis.com/v2/projects/[\w-]+/locations/[\w-]+/builds:submit", GoogleApis.submit),
    (r"GET cloudbuild.googleapis.com/v1/operations/build", GoogleApis.built),
    (r"POST iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/([^:]+):generateIdToken", GoogleApis.id_token),
    (r"POST iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/([^:]+):signJwt", GoogleApis.signed),
]  # fmt: skip


def _packed(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


@contextmanager
def running(project: str, number: str) -> Iterator[GoogleApis]:
    """Google's APIs at http://127.0.0.1:PORT/<host>/<path>."""
    apis = GoogleApis(project, number)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            host, _, rest = self.path.lstrip("/").partition("/")
            if host in apis.forward:
                kept = {name: value for name, value in self.headers.items() if name not in ("Host", "Content-Length")}
                there = requests.request(self.command, f"{apis.forward[host]}/{rest}", data=raw, headers=kept, timeout=60)
                status, content = there.status_code, there.content
            else:
                status, said = apis.answer(self.command, f"{host}/{rest}", json.loads(raw or b"{}"))
                content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815  the names that http.server calls

        def log_message(self, *_: Any) -> None:
            """Nothing: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    apis.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield apis
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
