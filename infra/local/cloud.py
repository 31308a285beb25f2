"""How does the cloud on a laptop come up? Piece by piece, each over its real API, and down again in the other order."""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import date
from pathlib import Path

import aiohttp
from sqlalchemy import Engine, text

from infra.local import demo, topology
from infra.local.gateway import Gateway, listen
from infra.local.home import Home
from infra.local.host import PROCESSES, FunctionHost
from infra.local.oidc import Signer
from infra.local.postgres import Postgres, migrate
from infra.local.pubsub import LocalPubSub
from infra.local.pubsub.clock import Clock, RealClock
from infra.local.scheduler import LocalScheduler, Quota
from infra.local.sinks import Sinks
from infra.local.sources import Sources
from infra.local.ticks import SWEEPERS, Poster
from shared import scheduler_api
from shared.config import config
from shared.cronfile.loading import load
from shared.cronfile.specs import CronFile
from shared.db import new_engine
from shared.errors import BelfryError
from shared.operator import reload

ROOT = Path(__file__).resolve().parents[2]
CRON = ROOT / "cron.yaml"
DATABASE = "belfry"
ANSWERS = 60.0  # seconds for the console's first answer


class DoesNotAnswerError(BelfryError):
    """A part of the local cloud did not come up."""


class Cloud:
    """Postgres, Pub/Sub, Cloud Scheduler, sinks, functions, gateway and the demo factory of `day`, in one home.

    `clock` other than the real one is told to every function. `real` names services that are somebody else's:
    DATABASE_URL and PUBSUB_EMULATOR_HOST. `fast` trades Postgres' durability for speed.
    """

    def __init__(
        self,
        home: Home,
        *,
        day: date,
        port: int = 0,
        processes: int = PROCESSES,
        clock: Clock | None = None,
        real: dict[str, str] | None = None,
        fast: bool = False,
        cron: Path = CRON,
    ) -> None:
        self._home = home
        self._day = day
        self._port = port
        self._processes = processes
        self._clock = clock
        self._real = real or {}
        self._fast = fast
        self._running = AsyncExitStack()
        self.file: CronFile = load(cron)
        self.environment: dict[str, str] = {}
        self.url = ""
        self.engine: Engine
        self.poster: Poster

    async def start(self) -> str:
        """Answers the gateway's URL once the console answers there. What was started is stopped if one part fails."""
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends everything, what rings first; within 10 seconds."""
        await self._running.aclose()

    async def _start(self) -> str:
        folder, clock = self._home.folder, self._clock or RealClock()
        listener = listen(self._port)
        self._running.callback(listener.close)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # In this thread: Linux ends the server when the thread that started it ends.
        database_url = self._real.get("DATABASE_URL") or self._embedded(folder / "postgres")
        await _in_thread(migrate, database_url)
        self.engine = new_engine(database_url, pool_size=2, socket_timeout=60.0)
        self._running.callback(self.engine.dispose)

        signer = Signer(folder / "oidc")
        sinks = Sinks(folder / "sinks", clock.now)
        smtp = await self._up(sinks.start, sinks.stop)
        credential = secrets.token_urlsafe(32)
        systems = Sources(credential, demo.integration.rows(self._day), demo.integration.FAULTS)
        self._running.callback(systems.release)
        pubsub = self._real.get("PUBSUB_EMULATOR_HOST")
        if pubsub is None:
            local = LocalPubSub(folder / "pubsub", signer)
            pubsub = await self._up(local.start, local.stop)
        # Taken before it is there: the console is told of it, and nothing may ring before the functions are.
        place = socket.socket()
        self._running.callback(place.close)
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
        scheduler = LocalScheduler(folder / "scheduler", signer, port, clock=self._clock, quota=Quota())

        self.environment = {
            "DATABASE_URL": database_url,
            "GOOGLE_CLOUD_PROJECT": topology.PROJECT,
            "PUBSUB_EMULATOR_HOST": pubsub,
            "BELFRY_URL": self.url,
            "SCHEDULER_ADDRESS": f"127.0.0.1:{port}",
            "SINKS_URL": f"{self.url}/sinks",
            "BELFRY_OIDC_CERT": str(signer.public_key),
            **self._home.tokens(),
        }
        host = FunctionHost(
            ROOT,
            {
                **self.environment,
                **self._channels(smtp),
                "DB_POOL_SIZE": "4",
                f"CREDENTIAL_{demo.integration.CREDENTIAL}": credential,
                f"CREDENTIAL_{demo.databases.HERE}": database_url,
                f"CREDENTIAL_{demo.databases.CLOSED}": demo.databases.NOBODY_LISTENS,
            },
            processes=self._processes,
            keep_warm=self._warm(),
            logs=folder / "logs",
        )
        self._running.push_async_callback(host.stop)
        outside = [*sinks.routes(), *systems.routes()]
        gateway = Gateway(host, outside, listener=listener, now=self._clock.now if self._clock else None)
        await self._up(gateway.start, gateway.stop)
        session = await self._running.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        )
        self.poster = Poster(session, self.url, signer)

        warming = asyncio.gather(*(host.url(function) for function in self._warm()))
        self._running.push_async_callback(_give_up, warming)
        await asyncio.gather(_in_thread(self._furnish), topology.create(pubsub, self.file.functions.values(), self.url))
        place.close()
        await self._up(scheduler.start, scheduler.stop)
        os.environ.update(self.environment)
        config.cache_clear()
        await _in_thread(self._register)
        await warming
        await self._wait_for(session)
        self._home.write_environment(self.environment)
        return self.url

    async def _up(self, start: Callable[[], Awaitable[str]], stop: Callable[[], Awaitable[None]]) -> str:
        starting = asyncio.ensure_future(start())
        try:
            return await asyncio.shield(starting)
        finally:
            await asyncio.wait({starting})  # what is half up cannot be stopped
            if starting.exception() is None:
                self._running.push_async_callback(stop)

    def _embedded(self, folder: Path) -> str:
        server = Postgres(folder, fast=self._fast)
        server.start()
        self._running.callback(server.stop, "immediate" if self._fast else "fast")
        if DATABASE not in server.databases():
            server.create_database(DATABASE)
        return server.url(DATABASE)

    def _furnish(self) -> None:
        """The demo factory, unless somebody works here already."""
        with self.engine.connect() as connection:
            if not connection.execute(text("select exists (select from erp.users)")).scalar_one():
                demo.populate(connection, self._day)

    def _register(self) -> None:
        with self.engine.connect() as connection, scheduler_api.connect() as live:
            reload.apply(connection, self.file, live, actor="up", now=self._clock.now() if self._clock else None)

    def _warm(self) -> list[str]:
        """What must answer at once: the page, the sweepers, the channels."""
        channels = [function.id for function in self.file.functions.values() if function.category == "notify"]
        return ["console", *SWEEPERS, *channels]

    def _channels(self, smtp: str) -> dict[str, str]:
        """The sinks, for every channel that has a function."""
        host, _, port = smtp.rpartition(":")
        email = {"EMAIL_SMTP_SERVER": host, "EMAIL_SMTP_PORT": port, "EMAIL_FROM": "belfry@belfry-local.example"}
        wechat = {"WECHAT_WEBHOOK_URL": f"{self.url}/sinks/wechat/cgi-bin/webhook/send?key=local"}
        settings = {"email": email, "wechat": wechat, "sms": {"SMS_URL": f"{self.url}/sinks/sms/send"}}
        there = {name: given for name, given in settings.items() if f"notify_{name}" in self.file.functions}
        switches = {f"{name.upper()}_ENABLED": str(name in there).lower() for name in settings}
        return switches | {name: value for given in there.values() for name, value in given.items()}

    async def _wait_for(self, session: aiohttp.ClientSession) -> None:
        until = asyncio.get_running_loop().time() + ANSWERS
        while True:
            async with session.get(f"{self.url}/healthz") as answer:
                if answer.status == 200:
                    return
                said = f"HTTP {answer.status}: {(await answer.text())[:300]}"
            if asyncio.get_running_loop().time() > until:
                raise DoesNotAnswerError(f"the console is not well: {said}")
            await asyncio.sleep(0.2)


async def _in_thread(work: Callable[..., None], *arguments: object) -> None:
    """A thread cannot be cancelled: its database must not go before it."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        await asyncio.shield(running)
    finally:
        await asyncio.wait({running})


async def _give_up(work: "asyncio.Future[list[str]]") -> None:
    """What is not done by now need not be, and how it ended concerns nobody any more."""
    work.cancel()
    await asyncio.wait({work})
    if not work.cancelled():
        work.exception()
