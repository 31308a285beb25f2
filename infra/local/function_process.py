"""How does one function run? As one real functions-framework process, a group of its own, that leaves no orphan."""

import asyncio
import os
import random
import signal
import socket
import sys
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path

from shared.errors import Unavailable

LAUNCHER = Path(__file__).with_name("launch.py")
FRAMEWORK = Path(sysconfig.get_path("scripts")) / "functions-framework"
# Below the range from which Linux and macOS take ports for outgoing connections: one of those could take
# the port while the function still imports.
PORTS = range(15_000, 32_000)
START, GRACE = 60.0, 5.0  # seconds
LOG_LIMIT = 10_000_000  # bytes
# What a function may see of the machine it runs on; everything else comes from its host.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


class FunctionDidNotStart(Unavailable):
    """The function's process ended before it listened; its log says why."""


class FunctionProcess:
    """The process of one function. Made by `start`, over when `gone` is set."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.pid = process.pid
        self.ending = False
        self.gone = asyncio.Event()
        self._process = process
        self._watch = asyncio.create_task(self._wait())

    @classmethod
    async def start(cls, function: str, source: Path, environment: Mapping[str, str], log: Path) -> "FunctionProcess":
        """Start the process and wait until it takes connections."""
        port = _free_port()
        launcher = (sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), str(int(signal.SIGQUIT)))
        options = ("--source", source, "--target", function, "--port", str(port), "--host", "127.0.0.1")
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *launcher,
                FRAMEWORK,
                *options,
                env={**inherited, **environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        started = cls(process, port)
        try:
            await started._until_listening(port)
        except BaseException as error:
            await started.end()
            if isinstance(error, TimeoutError):
                raise FunctionDidNotStart(f"{function} did not start; see {log}") from error
            raise
        return started

    async def end(self) -> None:
        """Ask it to finish what it is doing; after the grace, or when the asker gives up, end it."""
        self.ending = True
        try:
            if not self.gone.is_set():
                self._process.terminate()
                await asyncio.wait({self._watch}, timeout=GRACE)
        finally:
            self._kill_group()
        await self._watch

    async def _until_listening(self, port: int) -> None:
        until = time.monotonic() + START
        while not self.gone.is_set() and time.monotonic() < until:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
        raise TimeoutError

    async def _wait(self) -> None:
        await self._process.wait()
        self._kill_group()  # gunicorn's worker outlives a killed arbiter for up to 30 s
        self.gone.set()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS says "not permitted" of a group of zombies
            return


def _free_port() -> int:
    while True:
        port = random.choice(PORTS)  # noqa: S311  # no secret
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
