"""`up`: the whole of Belfry on this machine, until Ctrl-C or SIGTERM."""

import asyncio
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from infra.commands.outcome import BadInputError, OutOfReachError, parser
from infra.local.cloud import Cloud
from infra.local.history import History
from infra.local.home import Home, HomeInUse
from infra.local.host import PROCESSES
from infra.local.slumber import forgive, watch_for_sleep
from shared import schedule
from shared.errors import BelfryError

FACTORY_ZONE = ZoneInfo("Asia/Shanghai")
REAL_SERVICES = ("DATABASE_URL", "PUBSUB_EMULATOR_HOST")


def main(argv: Sequence[str]) -> int:
    asked = parser("up", __doc__)
    asked.add_argument("--port", type=int, default=8080, help="0 takes a free one (default: %(default)s)")
    asked.add_argument("--processes", type=int, default=PROCESSES, help="functions at once (default: %(default)s)")
    asked.add_argument("--no-history", action="store_true", help="do not play the 24 hours before the first start")
    options = asked.parse_args(argv)
    if not 0 <= options.port <= 65535:
        raise BadInputError(f"--port {options.port}: 0 to 65535 are allowed")
    if not 1 <= options.processes <= 100:
        raise BadInputError(f"--processes {options.processes}: 1 to 100 are allowed")
    home = Home(options.home)
    try:
        home.take()
    except HomeInUse as error:
        raise BadInputError(str(error)) from error
    try:
        return asyncio.run(_run(home, options))
    finally:
        home.leave()


async def _run(home: Home, options: Namespace) -> int:
    loop, enough = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, enough.set)
    # Who has read this home's local.env into the shell does not mean somebody else's services by it.
    own = home.environment()
    real = {name: os.environ[name] for name in REAL_SERVICES if os.environ.get(name, own.get(name)) != own.get(name)}
    today = schedule.now().astimezone(FACTORY_ZONE).date()
    cloud = Cloud(home, day=today, port=options.port, processes=options.processes, real=real)
    ended = asyncio.create_task(enough.wait())
    starting = asyncio.create_task(cloud.start())
    await asyncio.wait({starting, ended}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return 0
    try:
        url = starting.result()
    except OSError as error:
        raise OutOfReachError(f"--port {options.port}: {error.strerror or error}; --port 0 takes a free one") from error
    except BelfryError as error:
        raise OutOfReachError(f"{type(error).__name__}: {error}; logs are in {home.folder}/logs") from error
    try:
        await asyncio.to_thread(forgive, cloud.engine)
        _announce(url, home)
        behind = [asyncio.create_task(watch_for_sleep(cloud.engine))]
        if not options.no_history:
            history = History(cloud.engine, cloud.file.jobs.values(), cloud.poster)
            behind.append(asyncio.create_task(history.play(schedule.now())))
        for task in behind:
            task.add_done_callback(_complain)
        await ended
        for task in behind:
            task.cancel()
        await asyncio.wait(behind)
    finally:
        await cloud.stop()
    return 0


def _announce(url: str, home: Home) -> None:
    for who in ("admin", "owner", "viewer"):
        print(f"sign in   {url}/sign-in?as={who}")
    print(f"letters   {url}/sinks")
    print(f"join in   . {home.folder}/local.env")
    print(f"ready {url}", flush=True)


def _complain(task: asyncio.Task[None]) -> None:
    """What runs behind must not end the cloud, nor end unheard."""
    if not task.cancelled() and task.exception() is not None:
        print(f"{task.get_coro()}: {task.exception()!r}", file=sys.stderr, flush=True)
