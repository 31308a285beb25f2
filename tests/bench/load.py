"""What do callers of a function do? They POST ticks, several at a time, and must cost next to nothing themselves.

Plain sockets that are kept open, as Cloud Run's front end keeps them to a container: an HTTP library would cost more
than the function.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

PATIENCE = 120.0


@dataclass(frozen=True)
class Answer:
    """When a request was sent and answered (time.monotonic), and what it said."""

    sent: float
    answered: float
    status: int
    body: bytes


def tick_request(job_id: str, run_at: datetime) -> bytes:
    """A tick as Cloud Scheduler posts it."""
    body = f'{{"job": "{job_id}"}}'
    return (
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nUser-Agent: Google-Cloud-Scheduler\r\n"
        f"X-CloudScheduler: true\r\nX-CloudScheduler-JobName: {job_id}\r\n"
        f"X-CloudScheduler-ScheduleTime: {run_at.isoformat()}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Caller:
    """One caller with one kept connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._socket: socket.socket | None = None

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def post(self, request: bytes) -> Answer:
        sent = time.monotonic()
        reused = self._socket is not None
        try:
            status, body = self._exchange(request)
        except ConnectionError:
            # The server may close a kept connection between two requests; every tick is safe to send again.
            self.close()
            if not reused:
                raise
            status, body = self._exchange(request)
        return Answer(sent, time.monotonic(), status, body)

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        seen = b""
        while b"\r\n\r\n" not in seen:
            seen += self._more()
        head, _, body = seen.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
        while len(body) < length:
            body += self._more()
        if b"connection: close" in lines:
            self.close()
        return int(lines[0].split(b" ")[1]), body

    def _more(self) -> bytes:
        assert self._socket is not None
        part = self._socket.recv(65536)
        if not part:
            raise ConnectionResetError
        return part


def post_all(urls: Sequence[str], lanes: Sequence[Sequence[bytes]]) -> list[Answer]:
    """Each lane's requests one after the other, all lanes at the same time; lane n talks to urls[n % len(urls)]."""
    answers: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()
    ready = threading.Barrier(len(lanes))

    def walk(url: str, requests: Sequence[bytes]) -> None:
        caller = Caller(url)
        try:
            ready.wait()
            for request in requests:
                answers.put(caller.post(request))
        except (OSError, StopIteration) as error:
            answers.put(error)
        finally:
            caller.close()

    threads = [
        threading.Thread(target=walk, args=(urls[number % len(urls)], lane), daemon=True)
        for number, lane in enumerate(lanes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _collected(answers)


def post_queue(urls: Sequence[str], requests: Sequence[bytes], *, callers: int) -> list[Answer]:
    """All requests are due at once; a number of callers, spread over the urls, take them in order."""
    todo: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for request in requests:
        todo.put(request)
    answers: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()

    def work(url: str) -> None:
        caller = Caller(url)
        try:
            while True:
                answers.put(caller.post(todo.get_nowait()))
        except queue.Empty:
            caller.close()
        except (OSError, StopIteration) as error:
            answers.put(error)

    threads = [
        threading.Thread(target=work, args=(urls[number % len(urls)],), daemon=True) for number in range(callers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _collected(answers)


def _collected(answers: queue.SimpleQueue[Answer | BaseException]) -> list[Answer]:
    found: list[Answer] = []
    while not answers.empty():
        answer = answers.get()
        if isinstance(answer, BaseException):
            raise answer
        if answer.status != 200:
            raise AssertionError(f"{answer.status}: {answer.body[:300]!r}")
        found.append(answer)
    return found
