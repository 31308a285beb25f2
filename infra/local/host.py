"""Which functions live right now? Those that were asked for, and not too many: this cloud scales to zero too."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.function_process import FunctionProcess
from shared.errors import BelfryError, Unavailable

# Room for whatever rings every hour and what must answer at once. With less of it, the hourly jobs push each other out
# in turn, and a played day starts every one of them anew every hour.
PROCESSES = 24


class UnknownFunction(BelfryError):
    """No file under functions/ has this name."""


@dataclass(eq=False)
class _Function:
    name: str
    source: Path
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # one start at a time
    start: asyncio.Task[FunctionProcess] | None = None
    process: FunctionProcess | None = None
    in_flight: int = 0
    used: float = 0.0


class FunctionHost:
    """Starts a function's process on its first request and ends it when it is idle.

    `root` holds `functions/` and `shared/`. At most `processes` live; the least recently used idle one makes room, one
    of `keep_warm` only when there is no other. `idle` is in seconds; `keep_warm` is not ended for being idle.
    """

    def __init__(
        self,
        root: Path,
        environment: Mapping[str, str],
        *,
        processes: int = PROCESSES,
        idle: float = 60.0,
        keep_warm: Collection[str] = (),
        logs: Path = Path("logs"),
    ) -> None:
        self._root = root
        local = {"PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1", "BELFRY_LOCAL_CLOCK": "1"}
        local["XDG_RUNTIME_DIR"] = str(logs.absolute())  # gunicorn's control socket would go to ~/.gunicorn
        self._environment = {**local, **environment}
        self._processes = processes
        self._idle = idle
        self._keep_warm = frozenset(keep_warm)
        self._logs = logs
        self._functions: dict[str, _Function] = {}
        self._live = 0
        self._changed = asyncio.Condition()
        # More starts at once than cores would only make the first one later.
        self._cores = asyncio.Semaphore(os.cpu_count() or 1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._reaper: asyncio.Task[None] | None = None
        self._stopped = False

    async def url(self, function: str) -> str:
        """The base URL of the function's process, started if there is none."""
        async with self.serving(function) as url:
            return url

    @asynccontextmanager
    async def serving(self, function: str) -> AsyncIterator[str]:
        """As `url`; inside the block the process is ended neither for being idle nor for room."""
        entry = self._entry(function)
        entry.in_flight += 1
        try:
            yield (await self._running(entry)).url
        finally:
            entry.in_flight -= 1
            entry.used = time.monotonic()
            await self._tell()

    def live(self) -> dict[str, int]:
        """Function -> process id (its group's leader), of those that run."""
        return {name: entry.process.pid for name, entry in self._functions.items() if entry.process is not None}

    async def stop(self) -> None:
        """End every process, within 5 seconds; none starts afterwards."""
        self._stopped = True
        await self._tell()
        if self._reaper is not None:
            self._reaper.cancel()
        for entry in self._functions.values():
            if entry.start is not None:
                entry.start.cancel()
            self._let_go(entry)
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def _entry(self, function: str) -> _Function:
        if function not in self._functions:
            found = list(self._root.glob(f"functions/*/{function}.py")) if function.isidentifier() else []
            if len(found) != 1 or function == "__init__":
                raise UnknownFunction(f"there is no function {function}")
            self._functions[function] = _Function(function, found[0])
        return self._functions[function]

    async def _running(self, entry: _Function) -> FunctionProcess:
        async with entry.turn:
            if entry.process is not None and entry.process.ending:
                await entry.process.gone.wait()
                entry.process = None
            if entry.process is None:
                await self._take_room()
                try:
                    entry.process = await self._start(entry)
                except BaseException:
                    await self._give_room()
                    raise
                self._begin(self._watch(entry, entry.process))
            return entry.process

    async def _start(self, entry: _Function) -> FunctionProcess:
        if self._reaper is None:
            self._reaper = asyncio.create_task(self._reap())
        log = self._logs / f"{entry.name}.log"
        async with self._cores:
            entry.start = asyncio.create_task(FunctionProcess.start(entry.name, entry.source, self._environment, log))
            try:
                return await entry.start
            except asyncio.CancelledError:
                self._refuse_if_stopped()
                raise
            finally:
                entry.start = None

    async def _watch(self, entry: _Function, process: FunctionProcess) -> None:
        """However the process ends, by us or by itself, the next request finds none."""
        await process.gone.wait()
        if entry.process is process:
            entry.process = None
        await self._give_room()

    async def _take_room(self) -> None:
        asked: FunctionProcess | None = None
        async with self._changed:
            while self._live >= self._processes and not self._stopped:
                if asked is None or asked.gone.is_set():
                    asked = self._make_room()
                await self._changed.wait()
            self._refuse_if_stopped()
            self._live += 1

    async def _give_room(self) -> None:
        self._live -= 1
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _make_room(self) -> FunctionProcess | None:
        idle = [entry for entry in self._functions.values() if _is_idle(entry)]
        if not idle:
            return None
        oldest = min(idle, key=lambda entry: (entry.name in self._keep_warm, entry.used))
        self._let_go(oldest)
        return oldest.process

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(self._idle / 4)
            before = time.monotonic() - self._idle
            for entry in self._functions.values():
                if _is_idle(entry) and entry.used < before and entry.name not in self._keep_warm:
                    self._let_go(entry)

    def _let_go(self, entry: _Function) -> None:
        if entry.process is not None and not entry.process.ending:
            entry.process.ending = True  # now, not when the task comes round: a request must not pick it any more
            self._begin(entry.process.end())

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise Unavailable("the function host is stopping")


def _is_idle(entry: _Function) -> bool:
    return entry.process is not None and not entry.process.ending and entry.in_flight == 0
