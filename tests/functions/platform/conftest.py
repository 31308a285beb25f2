"""A function at the other end of a kick: it notes what it was asked to run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Function(BaseHTTPRequestHandler):
    """A function that notes what it was asked to run; at /refused it sends everybody away."""

    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(403 if self.path == "/refused" else 200)
        self.end_headers()
        self.wfile.write(b'{"status": "succeeded"}')

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def function() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    asked: list[dict[str, Any]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Noting", (Function,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", asked
    server.shutdown()
    server.server_close()
