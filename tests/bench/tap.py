"""How often does a function wait for Postgres? A proxy that counts what passes, in the words of the wire protocol.

A statement is what a driver was called with once: a Query or an Execute. A round trip is a message after which the
client waits for an answer: a Query or a Sync. Stock pg8000 says Sync three times for a statement with parameters.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from struct import unpack
from types import TracebackType

_SSL_REQUEST = 80877103


class Tap:
    """Listens on a port of its own and carries bytes to Postgres; `delay` makes each answer that much later (s)."""

    def __init__(self, target: int, *, delay: float = 0.0) -> None:
        self._target, self._delay = target, delay
        self._seen: Counter[bytes] = Counter()
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> Tap:
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in [self._listener, *self._ends]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def url(self, database_url: str) -> str:
        """The same database, reached through this tap."""
        head, _, tail = database_url.rpartition(":")
        return f"{head}:{self._listener.getsockname()[1]}/{tail.partition('/')[2]}"

    def reset(self) -> None:
        with self._lock:
            self._seen.clear()

    @property
    def statements(self) -> int:
        with self._lock:
            return self._seen[b"Q"] + self._seen[b"E"]

    @property
    def round_trips(self) -> int:
        with self._lock:
            return self._seen[b"Q"] + self._seen[b"S"]

    def _spawn(self, work: object, *args: object) -> None:
        threading.Thread(target=work, args=args, daemon=True).start()  # type: ignore[arg-type]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._ends += [client, server]
                self._spawn(self._down, server, client)
                self._spawn(self._up, client, server)

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        pending, started = b"", False
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                pending += data
                started, pending = self._count(pending, started)
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _count(self, pending: bytes, started: bool) -> tuple[bool, bytes]:
        while len(pending) >= 5:
            # Until the start-up message has passed, messages carry no type.
            skip = 1 if started else 0
            length = unpack("!i", pending[skip : skip + 4])[0] + skip
            if len(pending) < length:
                break
            if started:
                with self._lock:
                    self._seen[pending[:1]] += 1
            else:
                started = unpack("!i", pending[4:8])[0] != _SSL_REQUEST
            pending = pending[length:]
        return started, pending

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if self._delay:
                    time.sleep(self._delay)
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
