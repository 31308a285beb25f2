"""Real functions-framework processes for tests: started, waited for, looked into, killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

FRAMEWORK = Path(sys.executable).with_name("functions-framework")
T = TypeVar("T")
PATIENCE = 40.0  # seconds; only a test that fails waits so long


def eventually(look: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """Look until what is looked at is true; its value."""
    deadline = time.monotonic() + patience
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {patience:g} s")
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Served:
    """One function behind gunicorn: the arbiter leads the process group, the worker is its child."""

    url: str
    arbiter: int

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.arbiter}/task/{self.arbiter}/children").read_text().split()
        return [int(pid) for pid in children]


@contextmanager
def served(
    target: str, folder: Path, environment: Mapping[str, str], *, source: Path | None = None
) -> Iterator[Served]:
    """Serve a function from a folder until the block ends; then kill its whole group."""
    port = free_port()
    command = [
        FRAMEWORK,
        "--target",
        target,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        *(("--source", source) if source else ()),
    ]
    # A file, not a pipe: nobody reads while the function works, and a full pipe would stop it.
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], **environment},
            start_new_session=True,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(lambda: process.poll() is not None or listens(port), f"{target} listens")
            if process.poll() is not None:
                said.seek(0)
                raise AssertionError(f"{target} did not come up: {said.read()[-3000:]}")
            yield Served(f"http://127.0.0.1:{port}/", process.pid)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
