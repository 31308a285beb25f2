"""Where the Pub/Sub tests take place: a clock moved by hand, a Pub/Sub on its own thread, an endpoint that records."""

import asyncio
import heapq
import itertools
import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from infra.local.oidc import Signer
from infra.local.pubsub import LocalPubSub

PROJECT = "projects/belfry-local"
PATIENCE = 15.0  # seconds until a condition that should come true has failed


class VirtualClock:
    """Time that passes only by `advance`."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
        self._alarms: list[tuple[datetime, int, Alarm]] = []
        self._count = itertools.count()

    def now(self) -> datetime:
        return self._now

    def call_at(self, when: datetime, action: Callable[[], None]) -> "Alarm":
        alarm = Alarm(action)
        heapq.heappush(self._alarms, (when, next(self._count), alarm))
        return alarm

    def advance(self, seconds: float) -> None:
        """Let time pass, ringing every alarm at its own moment."""
        end = self._now + timedelta(seconds=seconds)
        while self._alarms and self._alarms[0][0] <= end:
            when, _, alarm = heapq.heappop(self._alarms)
            self._now = max(self._now, when)
            alarm.ring()
        self._now = end


@dataclass
class Alarm:
    """An action of the virtual clock that can be called off."""

    action: Callable[[], None] | None

    def ring(self) -> None:
        action, self.action = self.action, None
        if action:
            action()

    def cancel(self) -> None:
        self.action = None


@contextmanager
def running(folder: Path | None = None, signer: Signer | None = None) -> Iterator[str]:
    """A local Pub/Sub on a loop and thread of its own; yields its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="local-pubsub")
    thread.start()
    pubsub = LocalPubSub(folder, signer)
    try:
        yield asyncio.run_coroutine_threadsafe(pubsub.start(), loop).result(PATIENCE)
    finally:
        asyncio.run_coroutine_threadsafe(pubsub.stop(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


@dataclass
class Pushed:
    """One POST that an endpoint got."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Endpoint:
    """An HTTP server that records what is pushed and answers the statuses it was told, then 204."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    arrived: "queue.Queue[Pushed]" = field(default_factory=queue.Queue)
    followed: threading.Event = field(default_factory=threading.Event)

    def next(self) -> Pushed:
        return self.arrived.get(timeout=PATIENCE)


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """An endpoint that listens."""
    recorded = Endpoint()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                status = recorded.statuses.pop(0) if recorded.statuses else 204
            self.send_response(status)
            if status == 302:
                self.send_header("Location", recorded.url + "/elsewhere")
            if status != 204:
                self.send_header("Content-Length", "0")
            self.end_headers()
            recorded.arrived.put(Pushed(self.path, dict(self.headers), body))

        def do_GET(self) -> None:
            """Where a followed redirect ends, and is taken for an acknowledgement."""
            recorded.followed.set()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tests read the queue, not the log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    recorded.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield recorded
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
