"""After a played day every push subscription is seeked back 24 hours: every message comes again, and not one row and
not one e-mail more than before (P5, P12, faults 54 and 55).

On the local Pub/Sub, and on Google's emulator where that is installed. By default the day is the hour from eight to nine and
a job that another one waits for; BELFRY_FULL_SWEEP=1 plays all of it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from aiohttp import web
from google.pubsub_v1 import SubscriberAsyncClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport
from google.pubsub_v1.types import PushConfig, Subscription
from sqlalchemy import Connection, text

from infra.local import topology
from infra.local.cloud import Cloud
from infra.local.day import MINUTE, ZONE, Day, DayClock
from infra.local.home import Home
from infra.local.ticks import SWEEPERS, Tick, due
from shared import config, db
from shared.operator import replay, seek
from shared.operator.replay import Plan
from shared.operator.replay_request import Asked
from tests.faults.invariants import assert_invariants
from tests.infra.pubsub_peers import emulator, emulator_is_installed
from tests.rows import rows

DAY = date(2026, 3, 2)
HOUR = (time(8), time(9))
PAIR = ("daily_kit_check", "generate_shortage_alerts")
PATIENCE = 90.0
PEERS = ["local", "google"] if emulator_is_installed() else ["local"]
Push = tuple[str, str]  # a subscription's short name and the outbox id of a message


class Recorder:
    """Stands between Pub/Sub and the functions: every push goes through here, and what was acknowledged is counted."""

    def __init__(self) -> None:
        self.acknowledged: Counter[Push] = Counter()
        self.subscriptions: dict[str, Subscription] = {}

    async def start(self) -> None:
        self._session = aiohttp.ClientSession()
        application = web.Application()
        application.router.add_post("/functions/{function}", self._pass_on)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def step_between(self, client: SubscriberAsyncClient, cloud: Cloud) -> None:
        """Turn every push subscription to this place; who they say they are, and for whom, stays."""
        self._target = cloud.url
        async for found in await client.list_subscriptions(project=f"projects/{topology.PROJECT}"):
            if found.push_config.push_endpoint:
                self.subscriptions[found.name.rpartition("/")[2]] = found
                endpoint = found.push_config.push_endpoint.replace(cloud.url, self.url)
                turned = PushConfig(push_endpoint=endpoint, oidc_token=found.push_config.oidc_token)
                await client.modify_push_config(subscription=found.name, push_config=turned)

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {k: v for k, v in request.headers.items() if k in ("Authorization", "Content-Type", "User-Agent")}
        async with self._session.post(self._target + request.path, data=body, headers=headers) as answer:
            status, content = answer.status, await answer.read()
        if status in (200, 204):
            push = json.loads(body)
            subscription = push["subscription"].rpartition("/")[2]
            self.acknowledged[subscription, push["message"]["attributes"]["outbox_id"]] += 1
        return web.Response(status=status, body=content)


class Scene:
    """A local cloud on a day of its own, with the recorder in its pushes."""

    def __init__(self, cloud: Cloud, clock: DayClock, recorder: Recorder, *, filtered: bool) -> None:
        self.cloud, self.clock, self.recorder, self.filtered = cloud, clock, recorder, filtered

    async def play(self, ticks: list[Tick]) -> None:
        """Each instant's ticks together, then the delivery sweep, until nothing is left in hand."""
        for at in sorted({tick.at for tick in ticks}):
            self.clock.at = at
            await self.post(*(tick for tick in ticks if tick.at == at))
            await self.sweep()

    async def sweep(self) -> None:
        self.clock.at += timedelta(minutes=1)
        await self.post(Tick(self.clock.at, "sweep_deliveries"))
        await self.drained()

    async def post(self, *ticks: Tick) -> None:
        answers = await asyncio.gather(*(self.cloud.poster.post(tick, self.clock.at) for tick in ticks))
        assert all(answer.good for answer in answers), [(a.tick, a.status, a.content) for a in answers]

    async def drained(self) -> None:
        """Nothing runs, waits to be sent or published, and every message was acknowledged by whom it is for."""
        in_hand = text("""
          select job_id || ' ' || state || ' ' || coalesce(reason, '') from belfry.job_executions
          where state in ('running', 'pending', 'waiting')
          union all
          select 'delivery ' || channel || ' ' || state from belfry.notification_deliveries
          where state = 'sending' or state = 'queued' and next_attempt_at <= :now
          union all
          select 'message ' || topic from belfry.outbox where published_at is null limit 20""")
        left: list[str] = []

        def look() -> bool:
            with self.cloud.engine.connect() as connection:
                left[:] = connection.execute(in_hand, {"now": self.clock.at}).scalars()
            return not left

        try:
            await eventually(look, "the work is done")
        except AssertionError as error:
            raise AssertionError(f"still in hand: {left}") from error
        pushes = self.pushes()
        await eventually(lambda: pushes <= self.recorder.acknowledged.keys(), "every push is acknowledged")

    async def heard_again(self, pushes: set[Push], heard: Counter[Push]) -> None:
        """Each was acknowledged once more than in `heard`."""
        now = self.recorder.acknowledged
        await eventually(lambda: all(now[push] > heard[push] for push in pushes), "every message comes again")

    def pushes(self) -> set[Push]:
        """Every message that was published, for every push subscription that it is for."""
        with self.cloud.engine.connect() as connection:
            published = connection.execute(text("select id::text, topic, attributes from belfry.outbox")).all()
        return {
            (name, row.id)
            for name, subscription in self.recorder.subscriptions.items()
            for row in published
            if subscription.topic == f"projects/{topology.PROJECT}/topics/{row.topic}"
            and (not self.filtered or name in (f"notify-{row.attributes.get('channel')}", "dispatch-dependents"))
        }

    async def letters(self) -> Counter[str]:
        """Delivery id -> how many e-mails of it arrived."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.cloud.url}/sinks/email") as answer:
            content = await answer.json()
        assert content["count"] == len(content["messages"])
        return Counter(str(message["delivery_id"]) for message in content["messages"])

    async def replay(self, **asked: Any) -> Plan:
        """As the console and the command do it, on the day's clock."""

        def work() -> Plan:
            with self.cloud.engine.connect() as connection, seek.connected() as seeker:
                db.set_clock(connection, self.clock.at)
                request = Asked(since=self.clock.at - timedelta(hours=24), **asked)
                done = replay.apply(connection, request, seeker, actor="ops")
                db.set_clock(connection, None)
                return done

        return await asyncio.to_thread(work)


async def eventually(look: Callable[[], bool], what: str) -> None:
    until = asyncio.get_running_loop().time() + PATIENCE
    while not look():
        assert asyncio.get_running_loop().time() < until, f"{what}: not within {PATIENCE:g} s"
        await asyncio.sleep(0.02)


def rings(cloud: Cloud, since: time, until: time, *only: str) -> list[Tick]:
    """Whatever rings in these hours, both ends counted; of some jobs `only`, if they are named."""
    jobs = [job for job in cloud.file.jobs.values() if job.id not in SWEEPERS and (not only or job.id in only)]
    return due(jobs, datetime.combine(DAY, since, ZONE) - MINUTE, datetime.combine(DAY, until, ZONE))


@pytest.mark.parametrize("peer", PEERS)
def test_a_day_seeked_back_comes_again_and_changes_nothing(peer: str, tmp_path: Path) -> None:
    with ExitStack() as running:
        real = {"PUBSUB_EMULATOR_HOST": running.enter_context(emulator())} if peer == "google" else {}
        asyncio.run(_scene(Home(tmp_path / "home"), real))


async def _scene(home: Home, real: dict[str, str]) -> None:
    clock = DayClock(datetime.combine(DAY, time(5), ZONE))
    cloud, recorder = Cloud(home, day=DAY, clock=clock, fast=True, real=real), Recorder()
    await recorder.start()
    try:
        await cloud.start()
        config.config.cache_clear()
        async with grpc.aio.insecure_channel(cloud.environment["PUBSUB_EMULATOR_HOST"]) as channel:
            client = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
            await recorder.step_between(client, cloud)
            scene = Scene(cloud, clock, recorder, filtered=not real)
            if os.environ.get("BELFRY_FULL_SWEEP"):
                await Day(cloud, clock, DAY).play()
                await scene.drained()
            else:
                await scene.play(rings(cloud, time(6), time(7), *PAIR) + rings(cloud, *HOUR))
            with cloud.engine.connect() as connection:
                await _a_seek_changes_nothing(scene, client, connection)
                await _replays_at_once_beside_live_ticks_send_nothing_twice(scene, connection)
                await _a_resend_is_one_more_copy_of_each(scene, connection)
    finally:
        await cloud.stop()
        await recorder.stop()


async def _a_seek_changes_nothing(scene: Scene, client: SubscriberAsyncClient, connection: Connection) -> None:
    assert scene.recorder.subscriptions.keys() == {"notify-system", "notify-email", "dispatch-dependents"}
    before, letters, pushes = rows(connection), await scene.letters(), scene.pushes()
    assert {name for name, _ in pushes} == scene.recorder.subscriptions.keys()
    assert len(letters) > 5
    assert set(letters.values()) == {1}
    for _ in range(2):
        heard = scene.recorder.acknowledged.copy()
        for found in scene.recorder.subscriptions.values():
            await client.seek({"subscription": found.name, "time": datetime.now(UTC) - timedelta(hours=24)})
        await scene.heard_again(pushes, heard)
        assert rows(connection) == before
        assert await scene.letters() == letters
    assert_invariants(connection)


async def _replays_at_once_beside_live_ticks_send_nothing_twice(scene: Scene, connection: Connection) -> None:
    later = [replace(tick, at=tick.at + timedelta(hours=7)) for tick in rings(scene.cloud, *HOUR)]
    letters = await scene.letters()
    await asyncio.gather(scene.play(later), scene.replay(), scene.replay(channel="email"), scene.replay())
    heard = scene.recorder.acknowledged.copy()
    await scene.replay()
    await scene.heard_again({push for push in scene.pushes() if push[0].startswith("notify-")}, heard)
    counted = await scene.letters()
    assert set(counted.values()) == {1}
    assert counted.keys() >= letters.keys()
    assert counted.keys() == _sent(connection)
    assert_invariants(connection)


async def _a_resend_is_one_more_copy_of_each(scene: Scene, connection: Connection) -> None:
    letters, before = await scene.letters(), _sent(connection)
    told = text("select count(*) from belfry.notification_deliveries where generation = 1 and channel = 'email'")
    first = await scene.replay(channel="email", resend=True, reason="the mail server lost a day")
    assert first.resend == len(before) == connection.execute(told).scalar_one()
    again = await scene.replay(channel="email", resend=True, reason="the mail server lost a day")
    assert again.resend == 0
    await scene.sweep()
    assert connection.execute(told).scalar_one() == first.resend
    copies = _sent(connection) - before
    more = await scene.letters()
    assert more == letters + Counter(copies)
    # What is told no more is what the channel itself judged so: an alert that was closed meanwhile.
    states = text("""select state, reason, count(*)::int from belfry.notification_deliveries
                     where generation = 1 group by 1, 2""")
    outcomes = {(state, reason): number for state, reason, number in connection.execute(states)}
    assert outcomes.pop(("sent", None)) == len(copies)
    assert outcomes.keys() <= {("suppressed", "alert_closed"), ("deferred", "quiet_hours")}
    audited = text("select reason, after ->> 'resend' from belfry.audit_log where action like '%.resend' order by id")
    assert [tuple(row) for row in connection.execute(audited)] == [
        ("the mail server lost a day", str(first.resend)),
        ("the mail server lost a day", "0"),
    ]
    assert_invariants(connection)


def _sent(connection: Connection) -> set[str]:
    found = connection.execute(
        text("select id::text from belfry.notification_deliveries where channel = 'email' and state = 'sent'")
    )
    return set(found.scalars())
