"""Other systems over real HTTP: the local cloud's own, in a thread, with rows and faults that a test sets."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from aiohttp import web
from sqlalchemy import Connection, text

from infra.local.sources import Sources
from infra.local.sources.faults import SourceFaults

TOKEN = "a secret of a test"


class Systems(Sources):
    """What `Sources` serves, and where."""

    url = ""

    def fail(self, system: str, **faults: Any) -> None:
        self.faults[system] = SourceFaults(**faults)


@contextmanager
def systems() -> Iterator[Systems]:
    """No system at first: a test gives them rows."""
    loop = asyncio.new_event_loop()
    serving = Systems(TOKEN, {})

    async def start() -> web.AppRunner:
        app = web.Application()
        app.add_routes(serving.routes())
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        serving.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    with patch.dict(os.environ, {"CREDENTIAL_TEST_SYSTEM": TOKEN}):
        yield serving
    loop.call_soon_threadsafe(serving.release)
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def source(db: Connection, code: str = "MDM", *, url: str = "http://127.0.0.1:9", **columns: Any) -> int:
    """An entry of sync_sources: suppliers are pulled, up to date as of nine o'clock."""
    values = {
        "source_code": code, "source_name": code, "direction": "PULL", "entity": "suppliers", "batch_size": 500,
        "endpoint": f"{url}/sources/{columns.pop('system', code.lower())}", "credential_ref": "test-system",
        "watermark_at": "2026-03-02T09:00+08:00", "created_at": "2026-02-01T09:00+08:00", **columns,
    }  # fmt: skip
    names, slots = ", ".join(values), ", ".join(f":{name}" for name in values)
    made = text(f"insert into belfry.sync_sources ({names}) values ({slots}) returning id")
    return int(db.execute(made, values).scalar_one())


def supplier(number: int, *, name: str | None = None, at: str = "2026-03-01T08:00:00", **row: Any) -> dict[str, Any]:
    """A supplier as another system tells it."""
    return {
        "key": f"S-{number}", "changed_at": at,
        "data": {"code": f"SUP-{number}", "name": f"供应商 {number}" if name is None else name}, **row,
    }  # fmt: skip
