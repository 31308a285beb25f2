"""How pushes are sent: signed, so many at a time, timed out at the ack deadline, never followed elsewhere."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from google.auth import jwt
from google.pubsub_v1 import types

from infra.local.oidc import Signer
from infra.local.pubsub.backlog import State
from infra.local.pubsub.broker import Broker
from infra.local.pubsub.messages import Draft
from infra.local.pubsub.no_store import NoStore
from infra.local.pubsub.push import FIRST_WINDOW, LARGEST_WINDOW, PushSender
from infra.local.pubsub.settings import checked_subscription, checked_topic
from tests.infra.pubsub_world import PATIENCE, PROJECT, VirtualClock

TOPIC = f"{PROJECT}/topics/notifications"
SUBSCRIPTION = f"{PROJECT}/subscriptions/notify-email"
ACCOUNT = "pubsub@belfry-local.iam.gserviceaccount.com"
Answer = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/push", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/push"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def pushing(
    clock: VirtualClock, url: str, signer: Signer | None = None, **fields: object
) -> AsyncIterator[Broker]:
    broker = Broker(clock, NoStore())
    sender = PushSender(broker, signer)
    await sender.start()
    broker.create_topic(checked_topic(types.Topic(name=TOPIC)))
    config = {"push_endpoint": url} | ({"oidc_token": {"service_account_email": ACCOUNT}} if signer else {})
    resource = types.Subscription(name=SUBSCRIPTION, topic=TOPIC, push_config=config, **fields)
    sender.watch(broker.create_subscription(checked_subscription(resource)))
    try:
        yield broker
    finally:
        broker.close()
        await sender.stop()


async def settled(broker: Broker) -> None:
    """Wait until nothing is pending any more."""
    state = broker.subscriptions[SUBSCRIPTION]
    changed = asyncio.Event()
    state.listeners.add(changed.set)
    async with asyncio.timeout(PATIENCE):
        while state.backlog.pending:
            changed.clear()
            await changed.wait()


def test_a_burst_is_pushed_through_a_window_that_grows() -> None:
    open_now = most = answered = 0
    widest_at_first = 0

    async def answer(_request: web.Request) -> web.Response:
        nonlocal open_now, most, answered, widest_at_first
        open_now += 1
        most = max(most, open_now)
        if answered == 0:
            widest_at_first = most
        for _ in range(3):
            await asyncio.sleep(0)
        open_now -= 1
        answered += 1
        return web.Response(status=204)

    async def scene() -> None:
        async with listening(answer) as url, pushing(VirtualClock(), url) as broker:
            broker.publish(TOPIC, [Draft(b"x", {}) for _ in range(500)])
            await settled(broker)

    asyncio.run(scene())
    assert answered == 500
    assert widest_at_first <= FIRST_WINDOW
    assert FIRST_WINDOW < most <= LARGEST_WINDOW


def test_a_failing_endpoint_is_asked_little_and_again_after_the_backoff() -> None:
    clock = VirtualClock()
    arrived: asyncio.Queue[int] = asyncio.Queue()
    attempts: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        attempts.append(body["deliveryAttempt"])
        await arrived.put(body["deliveryAttempt"])
        return web.Response(status=503 if len(attempts) < 4 else 204)

    async def scene() -> None:
        fields = {
            "retry_policy": {"minimum_backoff": {"seconds": 10}, "maximum_backoff": {"seconds": 600}},
            "dead_letter_policy": {"dead_letter_topic": TOPIC, "max_delivery_attempts": 20},
        }
        async with listening(answer) as url, pushing(clock, url, **fields) as broker:
            state = broker.subscriptions[SUBSCRIPTION]
            failed = asyncio.Event()
            broker.publish(TOPIC, [Draft(b"x", {})])
            (delivery,) = state.backlog.pending.values()
            state.listeners.add(failed.set)
            for rest in (10, 20, 40):
                async with asyncio.timeout(PATIENCE):
                    await arrived.get()
                    while delivery.state is not State.RESTING:
                        failed.clear()
                        await failed.wait()
                assert delivery.until == clock.now() + timedelta(seconds=rest)
                clock.advance(rest)
            await settled(broker)

    asyncio.run(scene())
    assert attempts == [1, 2, 3, 4]


def test_an_endpoint_that_does_not_answer_is_given_up_at_the_ack_deadline() -> None:
    clock = VirtualClock()
    hanging: list[asyncio.Event] = []

    async def scene() -> None:
        arrived, release = asyncio.Event(), asyncio.Event()

        async def answer(_request: web.Request) -> web.Response:
            hanging.append(release)
            arrived.set()
            if len(hanging) == 1:
                await release.wait()
            return web.Response(status=204)

        async with listening(answer) as url, pushing(clock, url, ack_deadline_seconds=10) as broker:
            broker.publish(TOPIC, [Draft(b"x", {})])
            async with asyncio.timeout(PATIENCE):
                await arrived.wait()
            clock.advance(10)  # the lease ends; the message rests 100 ms and goes out again
            clock.advance(0.1)
            await settled(broker)
            release.set()

    asyncio.run(scene())
    assert len(hanging) == 2


def test_a_refused_connection_is_a_failure_and_not_an_error() -> None:
    async def scene() -> None:
        clock = VirtualClock()
        async with listening(_gone) as url:
            pass
        async with pushing(clock, url) as broker:
            state = broker.subscriptions[SUBSCRIPTION]
            changed = asyncio.Event()
            state.listeners.add(changed.set)
            broker.publish(TOPIC, [Draft(b"x", {})])
            (delivery,) = state.backlog.pending.values()
            async with asyncio.timeout(PATIENCE):
                while not delivery.failures:
                    changed.clear()
                    await changed.wait()
            assert delivery.attempt == 2

    asyncio.run(scene())


async def _gone(_request: web.Request) -> web.Response:
    return web.Response(status=500)


def test_a_token_names_the_account_the_endpoint_and_an_hour(tmp_path: Path) -> None:
    signer = Signer(tmp_path / "oidc")
    headers: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        headers.append(request.headers["Authorization"])
        return web.Response(status=204)

    async def scene() -> str:
        async with listening(answer) as url, pushing(VirtualClock(), url, signer) as broker:
            broker.publish(TOPIC, [Draft(b"x", {})])
            await settled(broker)
            return url

    url = asyncio.run(scene())
    (header,) = headers
    token = header.removeprefix("Bearer ")
    claims = jwt.decode(token, certs=signer.public_key.read_bytes(), audience=url)
    assert (claims["iss"], claims["aud"]) == ("https://accounts.google.com", url)
    assert (claims["email"], claims["email_verified"], claims["sub"]) == (ACCOUNT, True, ACCOUNT)
    assert claims["exp"] - claims["iat"] == 3600
    with pytest.raises(ValueError, match="audience"):
        jwt.decode(token, certs=signer.public_key.read_bytes(), audience="https://elsewhere")
    head, payload, signature = token.split(".")
    forged = json.loads(base64.urlsafe_b64decode(payload + "==")) | {"email": "somebody@else"}
    forged_payload = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
    with pytest.raises(ValueError, match="signature"):
        jwt.decode(f"{head}.{forged_payload}.{signature}", certs=signer.public_key.read_bytes(), audience=url)


def test_a_home_keeps_its_key_and_shows_it_to_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "oidc"
    token = Signer(folder).token("https://function", ACCOUNT)
    again = Signer(folder)
    assert jwt.decode(token, certs=again.public_key.read_bytes(), audience="https://function")["email"] == ACCOUNT
    assert (folder / "private_key.pem").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert b"PRIVATE" not in again.public_key.read_bytes()


def test_a_token_is_renewed_before_it_gets_old(tmp_path: Path) -> None:
    now = 1_772_413_200.0
    signer = Signer(tmp_path, clock=lambda: now)
    first = signer.token("a", ACCOUNT)
    now += 1799
    assert signer.token("a", ACCOUNT) == first
    assert signer.token("b", ACCOUNT) != first
    now += 1
    assert signer.token("a", ACCOUNT) != first
