"""Keeps a state in memory, where Terraform's `http` backend reads and writes it.

A deployment's state lies in a bucket, so it is remote here too; the local backend would also write the whole file anew
after each of three hundred resources, which takes longer than the rest of a destroy.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    state = b""

    def do_GET(self) -> None:
        self.send_response(200 if self.state else 404)
        self.end_headers()
        self.wfile.write(self.state)

    def do_POST(self) -> None:
        type(self).state = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def remote_state() -> Iterator[str]:
    """The address of an empty state of one's own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
