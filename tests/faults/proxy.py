"""What can a network do to a connection? A TCP proxy that does it on command, in toxiproxy's words.

Two more than toxiproxy: `cut_before` loses a message on its way to the server, `drop_reply` lets it through and loses
the answer (a COMMIT whose outcome nobody was told).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from types import TracebackType

_CHUNK = 65536


class _Link:
    """One client and its way to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.seen = b""  # the last bytes from the client, for patterns that are cut by a chunk's border
        self.armed = self.swallow = self.doomed = self.reset = False
        self.sent_down = 0

    def cut(self, *, reset: bool = False) -> None:
        """Wake both pumps; the last one closes. With `reset` nothing is said before that close, which then says RST."""
        self.reset = self.reset or reset
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                if self.reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD if self.reset else socket.SHUT_RDWR)


class Proxy:
    """Listens on a port of its own and carries bytes to another one of this machine."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.fired = 0  # how often a `cut_before` or `drop_reply` met its message
        self._links: list[_Link] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._calm()

    def __enter__(self) -> Proxy:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.heal()
        self._cut_all()
        for thread in list(self._threads):
            thread.join(10)

    def url(self, database_url: str) -> str:
        """The same database, reached through this proxy."""
        head, _, tail = database_url.rpartition(":")
        return f"{head}:{self.port}/{tail.partition('/')[2]}"

    def latency(self, seconds: float) -> None:
        """Every answer comes this much later."""
        self._delay = seconds

    def down(self) -> None:
        """Links are cut and new ones are closed at once."""
        self._down = True
        self._cut_all()

    def refuse_new(self) -> None:
        """New links are closed at once; those that are open stay."""
        self._down = True

    def timeout(self) -> None:
        """A black hole: links stay open, nothing comes through."""
        self._black_hole = True

    def reset_peer(self) -> None:
        """Open links end with RST."""
        self._cut_all(reset=True)

    def slicer(self, size: int) -> None:
        """Answers come in pieces of this many bytes."""
        self._slice = size

    def limit_data(self, size: int) -> None:
        """A link ends after this many bytes of answers."""
        self._limit = size

    def cut_before(self, message: bytes, *, after: bytes = b"", stay_down: bool = False) -> None:
        """The next message with these bytes (on a link that has sent `after`) never arrives, and its link is cut;
        with `stay_down` no new link opens after it."""
        self._stay_down = stay_down
        self._order = ("cut_before", message.lower(), after.lower())

    def drop_reply(self, message: bytes, *, after: bytes = b"") -> None:
        """The next message with these bytes arrives; its answer is lost, and its link is cut."""
        self._order = ("drop_reply", message.lower(), after.lower())

    def heal(self) -> None:
        """Nothing is wrong any more; links that lost data end."""
        with self._lock:
            doomed = [link for link in self._links if link.doomed]
        self._calm()
        for link in doomed:
            link.cut()

    def _calm(self) -> None:
        self._delay, self._slice, self._limit = 0.0, 0, 0
        self._down = self._stay_down = self._black_hole = False
        self._order: tuple[str, bytes, bytes] | None = None

    def _cut_all(self, *, reset: bool = False) -> None:
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.cut(reset=reset)

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._down or self._closed:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(client, server)
            with self._lock:
                self._links.append(link)
            self._start(self._carry, link)

    def _carry(self, link: _Link) -> None:
        down = threading.Thread(target=self._pump, args=(link, self._answers), daemon=True)
        down.start()
        self._pump(link, self._requests)
        down.join()
        link.client.close()
        link.server.close()
        with self._lock:
            if link in self._links:
                self._links.remove(link)

    def _pump(self, link: _Link, one: object) -> None:
        with contextlib.suppress(OSError):
            while one(link):  # type: ignore[operator]
                pass
        link.cut()

    def _requests(self, link: _Link) -> bool:
        data = link.client.recv(_CHUNK)
        if not data:
            return False
        if self._black_hole:
            link.doomed = True
            return True
        link.seen = (link.seen[-4096:] + data).lower()
        order = self._order
        if order:
            kind, message, after = order
            link.armed = link.armed or not after or after in link.seen
            if link.armed and message in link.seen[-len(data) - len(message) + 1 :]:
                self._order = None
                if kind == "cut_before":
                    self.fired += 1
                    self._down = self._down or self._stay_down
                    return False
                link.swallow = True
        link.server.sendall(data)
        return True

    def _answers(self, link: _Link) -> bool:
        data = link.server.recv(_CHUNK)
        if not data:
            return False
        if link.swallow:
            self.fired += 1
            return False
        if self._black_hole:
            link.doomed = True
            return True
        if self._delay:
            time.sleep(self._delay)
        if self._limit and link.sent_down + len(data) > self._limit:
            link.client.sendall(data[: max(0, self._limit - link.sent_down)])
            return False
        size = self._slice or len(data)
        for start in range(0, len(data), size):
            link.client.sendall(data[start : start + size])
        link.sent_down += len(data)
        return True
