"""Do functions start when they are asked, end when they are not, and leave nobody behind?"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.local.function_process import FunctionDidNotStart
from infra.local.gateway import LIMIT, Gateway
from infra.local.host import FunctionHost, UnknownFunction
from tests.infra.processes import alive

ECHO = """
import os
import flask
def {name}(request):
    return flask.jsonify(
        pid=os.getpid(), arbiter=os.getppid(), method=request.method, path=request.full_path,
        body=request.get_data(as_text=True), headers=dict(request.headers), environment=dict(os.environ),
    ), 202, {{"X-Answer": "yes"}}
"""
SLOW = """
import pathlib
def {name}(request):
    pathlib.Path({folder!r}, "began").touch()
    while not pathlib.Path({folder!r}, "go").exists():
        pass
    return "done"
"""
BROKEN = "raise RuntimeError('no good')"


def write(root: Path, name: str, source: str = ECHO, category: str = "bells") -> None:
    folder = root / "functions" / category
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(source.format(name=name, folder=str(root)) if source != BROKEN else source)


@asynccontextmanager
async def hosted(root: Path, **options: object) -> AsyncIterator[tuple[FunctionHost, str, aiohttp.ClientSession]]:
    host = FunctionHost(root, {"BELL": "Great Tom"}, logs=root / "logs", **options)  # type: ignore[arg-type]
    gateway = Gateway(host)
    address = await gateway.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield host, f"http://{address}", session
    finally:
        await gateway.stop()
        await host.stop()


async def until(true: Callable[[], bool | Awaitable[bool]], within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while True:
        answer = true()
        if answer if isinstance(answer, bool) else await answer:
            return
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def group_is_gone(group: int) -> bool:
    return all(process.group != group for process in alive())


async def ask(session: aiohttp.ClientSession, url: str) -> dict[str, object]:
    async with session.get(url) as answer:
        assert answer.status == 202, await answer.text()
        found: dict[str, object] = await answer.json()
        return found


async def status(session: aiohttp.ClientSession, url: str, **options: Any) -> int:
    async with session.post(url, **options) as answer:
        await answer.read()
        return answer.status


def test_a_request_reaches_the_function_as_it_was_sent_and_so_does_the_answer(tmp_path: Path) -> None:
    async def scene() -> None:
        write(tmp_path, "tom")
        async with hosted(tmp_path) as (_, url, session):
            sent = {"X-CloudScheduler": "true", "Connection": "close, X-Hop", "X-Hop": "1", "Content-Type": "text/x"}
            async with session.patch(f"{url}/functions/tom/a%2Fb?c=%20d", data="齐套", headers=sent) as answer:
                assert answer.status == 202
                assert answer.headers["X-Answer"] == "yes"
                seen = await answer.json()
        assert (seen["method"], seen["path"], seen["body"]) == ("PATCH", "/a/b?c=%20d", "齐套")
        assert seen["headers"]["X-Cloudscheduler"] == "true"
        assert seen["headers"]["Content-Type"] == "text/x"
        assert "http://" + seen["headers"]["Host"] == url
        assert "X-Hop" not in seen["headers"]

    asyncio.run(scene())


def test_a_function_sees_its_hosts_environment_and_not_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMAIL_PASSWORD", "secret of this machine")

    async def scene() -> None:
        write(tmp_path, "tom")
        async with hosted(tmp_path) as (_, url, session):
            environment = (await ask(session, f"{url}/functions/tom"))["environment"]
        assert isinstance(environment, dict)
        assert environment["BELL"] == "Great Tom"
        assert environment["BELFRY_LOCAL_CLOCK"] == "1"
        assert environment["PYTHONPATH"] == str(tmp_path)
        assert "EMAIL_PASSWORD" not in environment

    asyncio.run(scene())


def test_first_requests_that_come_together_start_one_process(tmp_path: Path) -> None:
    async def scene() -> None:
        write(tmp_path, "tom")
        async with hosted(tmp_path) as (_, url, session):
            answers = await asyncio.gather(*(ask(session, f"{url}/functions/tom") for _ in range(8)))
        assert len({answer["arbiter"] for answer in answers}) == 1

    asyncio.run(scene())


def test_whatever_is_no_function_goes_to_the_console(tmp_path: Path) -> None:
    async def scene() -> None:
        write(tmp_path, "console", category="console")
        async with hosted(tmp_path) as (_, url, session):
            assert (await ask(session, f"{url}/api/v1/jobs?limit=2"))["path"] == "/api/v1/jobs?limit=2"
            assert (await ask(session, f"{url}/"))["path"] == "/?"

    asyncio.run(scene())


@pytest.mark.parametrize("name", ["nobody", "__init__", "..%2Fbells%2Ftom"])
def test_a_function_that_is_not_there_is_a_404(tmp_path: Path, name: str) -> None:
    async def scene() -> None:
        write(tmp_path, "tom")
        write(tmp_path, "__init__")
        async with hosted(tmp_path) as (host, url, session):
            async with session.post(f"{url}/functions/{name}") as answer:
                assert (answer.status, (await answer.json())["error"]["code"]) == (404, "unknown_function")
            with pytest.raises(UnknownFunction):
                await host.url("nobody")

    asyncio.run(scene())


def test_a_function_that_cannot_start_answers_503_and_its_log_says_why(tmp_path: Path) -> None:
    async def scene() -> None:
        write(tmp_path, "tom", BROKEN)
        async with hosted(tmp_path) as (host, url, session):
            async with session.post(f"{url}/functions/tom") as answer:
                assert answer.status == 503
                assert "logs/tom.log" in (await answer.json())["error"]["message"]
            with pytest.raises(FunctionDidNotStart):
                await host.url("tom")
            assert host.live() == {}
            write(tmp_path, "tom")
            await ask(session, f"{url}/functions/tom")
        assert "no good" in (tmp_path / "logs" / "tom.log").read_text()

    asyncio.run(scene())


def test_a_killed_process_is_replaced_by_the_next_request_and_its_worker_ends_too(tmp_path: Path) -> None:
    async def scene() -> None:
        write(tmp_path, "tom")
        async with hosted(tmp_path) as (host, url, session):
            first = await ask(session, f"{url}/functions/tom")
            os.kill(host.live()["tom"], signal.SIGKILL)
            await until(lambda: not host.live())
            await until(lambda: group_is_gone(int(str(first["arbiter"]))))
            assert (await ask(session, f"{url}/functions/tom"))["pid"] != first["pid"]

    asyncio.run(scene())


def test_a_killed_worker_costs_no_later_request(tmp_path: Path) -> None:
    async def scene() -> None:
        write(tmp_path, "tom")
        async with hosted(tmp_path) as (_, url, session):
            first = await ask(session, f"{url}/functions/tom")
            os.kill(int(str(first["pid"])), signal.SIGKILL)
            assert (await ask(session, f"{url}/functions/tom"))["pid"] != first["pid"]

    asyncio.run(scene())


def test_a_process_that_dies_over_a_request_is_a_502(tmp_path: Path) -> None:
    async def scene() -> None:
        write(tmp_path, "tom", SLOW)
        async with hosted(tmp_path) as (host, url, session):
            asked = asyncio.create_task(status(session, f"{url}/functions/tom"))
            await until((tmp_path / "began").exists)
            os.killpg(host.live()["tom"], signal.SIGKILL)
            assert await asked == 502

    asyncio.run(scene())


def test_an_idle_process_ends_and_a_warm_one_stays(tmp_path: Path) -> None:
    async def scene() -> None:
        write(tmp_path, "tom")
        write(tmp_path, "warm")
        async with hosted(tmp_path, idle=0.1, keep_warm=("warm",)) as (host, url, session):
            await ask(session, f"{url}/functions/warm")
            group = int(str((await ask(session, f"{url}/functions/tom"))["arbiter"]))
            await until(lambda: group_is_gone(group))
            await until(lambda: set(host.live()) == {"warm"})
            assert (await ask(session, f"{url}/functions/tom"))["arbiter"] != group

    asyncio.run(scene())


def test_the_least_recently_used_idle_process_makes_room_but_a_busy_one_never_does(tmp_path: Path) -> None:
    async def scene() -> None:
        write(tmp_path, "slow", SLOW)
        for name in ("one", "two", "warm"):
            write(tmp_path, name)
        async with hosted(tmp_path, processes=3, keep_warm=("warm",)) as (host, url, session):
            slow = asyncio.create_task(status(session, f"{url}/functions/slow"))
            await until((tmp_path / "began").exists)
            await ask(session, f"{url}/functions/warm")
            await ask(session, f"{url}/functions/one")
            await ask(session, f"{url}/functions/two")
            assert set(host.live()) == {"slow", "warm", "two"}
            (tmp_path / "go").touch()
            assert await slow == 200

    asyncio.run(scene())


def test_a_request_waits_for_room_when_every_process_is_busy(tmp_path: Path) -> None:
    async def scene() -> None:
        write(tmp_path, "slow", SLOW)
        write(tmp_path, "tom")
        async with hosted(tmp_path, processes=1) as (host, url, session):
            slow = asyncio.create_task(status(session, f"{url}/functions/slow"))
            await until((tmp_path / "began").exists)
            waiting = asyncio.create_task(ask(session, f"{url}/functions/tom"))
            assert await status(session, f"{url}/functions/nobody") == 404
            assert set(host.live()) == {"slow"}
            assert not waiting.done()
            (tmp_path / "go").touch()
            await waiting
            assert set(host.live()) == {"tom"}
            assert await slow == 200

    asyncio.run(scene())


def test_stop_ends_even_a_busy_function_within_its_grace(tmp_path: Path) -> None:
    async def scene() -> tuple[list[int], float]:
        write(tmp_path, "slow", SLOW)
        write(tmp_path, "tom")
        async with hosted(tmp_path) as (host, url, session):
            asked = asyncio.create_task(status(session, f"{url}/functions/slow"))
            await until((tmp_path / "began").exists)
            await ask(session, f"{url}/functions/tom")
            groups = list(host.live().values())
            began = time.monotonic()
        await asyncio.wait({asked})
        assert asked.exception() is not None
        return groups, time.monotonic() - began

    groups, took = asyncio.run(scene())
    assert len(groups) == 2
    assert all(group_is_gone(group) for group in groups)
    assert took < 8


def test_a_request_larger_than_32_mb_is_a_413(tmp_path: Path) -> None:
    async def scene() -> None:
        write(tmp_path, "tom")
        async with hosted(tmp_path) as (_, url, session):
            assert await status(session, f"{url}/functions/tom", data=BytesIO(b"x" * (LIMIT + 1))) == 413

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Host": "belfry.example.com"}, 403),
        ({"Host": "localhost:8080"}, 202),
        ({"Origin": "https://example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost:8080", "Origin": "http://localhost:8080"}, 202),
    ],
)
def test_no_page_of_another_origin_rings_a_bell(tmp_path: Path, headers: dict[str, str], expected: int) -> None:
    async def scene() -> None:
        write(tmp_path, "tom")
        async with hosted(tmp_path) as (_, url, session):
            assert await status(session, f"{url}/functions/tom", headers=headers) == expected

    asyncio.run(scene())
