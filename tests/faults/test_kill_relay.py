"""kill -9 of the delivery sweep while it relays the outbox: every message is published, at most once more (P4)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
import requests
from google.cloud.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from sqlalchemy import Connection, text

from tests.conftest import PROJECT, ROOT, register
from tests.faults.invariants import assert_invariants
from tests.faults.order import Order, chosen
from tests.processes import Served, eventually, served

FIRST = datetime(2026, 3, 2, 1, tzinfo=UTC)


@pytest.fixture
def heard() -> Counter[str]:
    """How often each outbox message came out of Pub/Sub; filled by `listen`."""
    return Counter()


@pytest.fixture
def subscriber() -> Iterator[tuple[SubscriberClient, str]]:
    name = f"projects/{PROJECT}/subscriptions/relay-{uuid4().hex[:8]}"
    with grpc.insecure_channel(os.environ["BELFRY_TEST_PUBSUB"]) as channel:
        client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        client.create_subscription(name=name, topic=f"projects/{PROJECT}/topics/notifications")
        yield client, name
        client.delete_subscription(subscription=name)


def listen(subscriber: tuple[SubscriberClient, str], heard: Counter[str], wanted: str) -> bool:
    client, name = subscriber
    pulled = client.pull(subscription=name, max_messages=100, timeout=20, return_immediately=True)
    if pulled.received_messages:
        heard.update(m.message.attributes["outbox_id"] for m in pulled.received_messages)
        client.acknowledge(subscription=name, ack_ids=[m.ack_id for m in pulled.received_messages])
    return heard[wanted] > 0


def queue(db: Connection) -> str:
    """A message that a dead run left behind."""
    return str(
        db.execute(
            text("""insert into belfry.outbox (topic, attributes, payload, next_try_at)
                    values ('notifications', '{"channel": "system"}',
                            '{"v": 1, "channel": "system", "delivery_ids": [], "execution_id": null}', '2026-01-01')
                    returning id""")
        ).scalar_one()
    )


def sweep(function: Served, minute: int) -> bool:
    at = (FIRST + timedelta(minutes=minute)).isoformat()
    body = {"job": "sweep_deliveries", "run_at": at, "kind": "scheduled"}
    try:
        answer = requests.post(function.url, json=body, headers={"X-Belfry-Now": at}, timeout=30)
    except requests.ConnectionError:
        return False
    return bool(answer.json()["status"] == "succeeded")


@pytest.mark.filterwarnings("ignore:The return_immediately flag")
def test_a_relay_killed_at_any_point_loses_no_message_and_publishes_at_most_once_more(
    db: Connection, database_url: str, subscriber: tuple[SubscriberClient, str], heard: Counter[str], tmp_path: Path
) -> None:
    register(db, "sweep_deliveries")
    order = Order(tmp_path)
    environment = {
        "DATABASE_URL": database_url,
        "BELFRY_LOCAL_CLOCK": "1",
        "BELFRY_LEASE": "0.6",
        "PUBSUB_EMULATOR_HOST": os.environ["PUBSUB_EMULATOR_HOST"],
        **order.environment,
    }
    source = ROOT / "functions" / "platform" / "sweep_deliveries.py"
    minutes = iter(range(1, 10_000))
    with served("sweep_deliveries", ROOT, environment, source=source) as function:
        first = queue(db)
        points = order.count(lambda: sweep(function, next(minutes)))
        assert eventually(lambda: listen(subscriber, heard, first), "the message comes")
        for number, name in chosen(points, 3):
            message = queue(db)
            order.die_at(number)
            assert not sweep(function, next(minutes)), f"point {number} was not reached: {name}"

            def relayed(message: str = message) -> bool:
                # Half a minute passes: what a dead sweep took is free again.
                db.execute(text("update belfry.outbox set next_try_at = '2026-01-01' where published_at is null"))
                sweep(function, next(minutes))
                listen(subscriber, heard, message)
                published = db.execute(
                    text("select published_at is not null from belfry.outbox where id = cast(:i as uuid)"),
                    {"i": message},
                ).scalar_one()
                return bool(published) and heard[message] > 0

            eventually(relayed, f"the message is relayed after a death {name!r}")
            assert heard[message] <= 2, name
        assert_invariants(db)
