"""A local Cloud Scheduler for tests: on a thread of its own, on a clock that stands still unless it is moved."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.scheduler import LocalScheduler, Quota
from shared.cronfile.loading import load
from shared.cronfile.specs import CronFile
from tests.infra.pubsub_world import VirtualClock

JOB = """\
  {id}:
    name: {{zh: 打铃, en: Ring}}
    description: {{zh: 打铃。, en: Rings.}}
    category: issues
    owner: pmo@example.com
"""


def written(path: Path, top: str = "", **jobs: str) -> Path:
    """Writes a cron.yaml of these jobs, each with its fields one a line."""
    blocks = [
        JOB.format(id=job) + "".join(f"    {line}\n" for line in fields.split("\n")) for job, fields in jobs.items()
    ]
    path.write_text(f"version: 1\n{top}\njobs:\n" + "".join(blocks), "utf-8")
    return path


def file(folder: Path, top: str = "", **jobs: str) -> CronFile:
    """A cron.yaml of these jobs, read."""
    return load(written(folder / "cron.yaml", top, **jobs))


@dataclass
class Scheduler:
    """Where it listens, its clock and what it counted."""

    address: str
    loop: asyncio.AbstractEventLoop
    clock: VirtualClock
    quota: Quota | None
    slept: list[float] = field(default_factory=list)

    def seconds(self) -> float:
        """The clock as a client reads it."""
        return self.clock.now().timestamp()

    def sleep(self, seconds: float) -> None:
        """The clock as a client waits by it."""
        self.slept.append(seconds)

        async def pass_by() -> None:
            self.clock.advance(seconds)

        asyncio.run_coroutine_threadsafe(pass_by(), self.loop).result(10)


@contextmanager
def running(quota: Quota | None = None) -> Iterator[Scheduler]:
    """Nothing ever rings but when a test moves the clock."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="local-scheduler")
    thread.start()
    clock = VirtualClock()
    server = LocalScheduler(None, None, clock=clock, quota=quota)
    try:
        address = asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield Scheduler(address, loop, clock, quota)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
