"""An open pull keeps to the client's limits and takes back what it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import pytest
from google.pubsub_v1 import types

from infra.local.pubsub.broker import Broker
from infra.local.pubsub.errors import RefusedError
from infra.local.pubsub.messages import Draft
from infra.local.pubsub.no_store import NoStore
from infra.local.pubsub.settings import checked_subscription, checked_topic
from infra.local.pubsub.streaming import StreamingPull
from tests.infra.pubsub_world import PATIENCE, PROJECT, VirtualClock

TOPIC, SUBSCRIPTION = f"{PROJECT}/topics/notifications", f"{PROJECT}/subscriptions/reader"


@dataclass
class Client:
    """The other end of a stream, without the wire."""

    clock: VirtualClock
    broker: Broker
    requests: "asyncio.Queue[types.StreamingPullRequest | None]" = field(default_factory=asyncio.Queue)
    answers: "asyncio.Queue[types.StreamingPullResponse]" = field(default_factory=asyncio.Queue)

    def say(self, **fields: object) -> None:
        self.requests.put_nowait(types.StreamingPullRequest(**fields))

    async def receive(self, count: int) -> list[types.ReceivedMessage]:
        """Exactly so many messages: one more within the same turn of the loop is an error."""
        received: list[types.ReceivedMessage] = []
        async with asyncio.timeout(PATIENCE):
            while len(received) < count:
                received += (await self.answers.get()).received_messages
        for _ in range(5):
            await asyncio.sleep(0)
        assert self.answers.empty()
        assert len(received) == count
        return received


@asynccontextmanager
async def streaming(messages: int, size: int = 1, **first: object) -> AsyncIterator[tuple[Client, asyncio.Task[None]]]:
    clock = VirtualClock()
    broker = Broker(clock, NoStore())
    broker.create_topic(checked_topic(types.Topic(name=TOPIC)))
    broker.create_subscription(checked_subscription(types.Subscription(name=SUBSCRIPTION, topic=TOPIC)))
    broker.publish(TOPIC, [Draft(b"x" * size, {})] * messages)
    client = Client(clock, broker)
    opening = {"subscription": SUBSCRIPTION, "stream_ack_deadline_seconds": 30} | first
    client.say(**opening)
    stream = asyncio.create_task(StreamingPull(broker, client.requests.get, client.answers.put).run())
    try:
        yield client, stream
    finally:
        client.requests.put_nowait(None)
        await asyncio.wait({stream}, timeout=PATIENCE)


def test_no_more_messages_are_out_than_the_client_takes() -> None:
    async def scene() -> None:
        async with streaming(10, max_outstanding_messages=3) as (client, _):
            first = await client.receive(3)
            client.say(ack_ids=[first[0].ack_id])
            await client.receive(1)
            client.say(modify_deadline_ack_ids=[first[1].ack_id], modify_deadline_seconds=[0])
            await client.receive(1)
            client.clock.advance(30)  # the three that are out were not answered: their places are free again
            await client.receive(3)

    asyncio.run(scene())


def test_no_more_bytes_are_out_than_the_client_takes() -> None:
    async def scene() -> None:
        async with streaming(10, size=100, max_outstanding_bytes=250) as (client, _):
            first = await client.receive(2)
            client.say(ack_ids=[received.ack_id for received in first])
            await client.receive(2)

    asyncio.run(scene())


def test_a_message_larger_than_the_limit_goes_out_alone() -> None:
    async def scene() -> None:
        async with streaming(2, size=1000, max_outstanding_bytes=250) as (client, _):
            (first,) = await client.receive(1)
            client.say(ack_ids=[first.ack_id])
            await client.receive(1)

    asyncio.run(scene())


@pytest.mark.parametrize(
    "fields",
    [
        {"subscription": SUBSCRIPTION},
        {"stream_ack_deadline_seconds": 9},
        {"modify_deadline_ack_ids": ["1:1"]},
        {"modify_deadline_ack_ids": ["1:1"], "modify_deadline_seconds": [601]},
        {"ack_ids": ["nonsense"]},
    ],
)
def test_a_bad_request_breaks_the_stream(fields: dict[str, object]) -> None:
    async def scene() -> None:
        async with streaming(0) as (client, stream):
            client.say(**fields)
            with pytest.raises(RefusedError) as refused:
                await asyncio.wait_for(stream, PATIENCE)
            assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT

    asyncio.run(scene())


def test_a_stream_breaks_when_its_subscription_becomes_a_push_one() -> None:
    async def scene() -> None:
        async with streaming(1) as (client, stream):
            await client.receive(1)
            config = {"push_endpoint": "http://127.0.0.1:9/"}
            resource = types.Subscription(name=SUBSCRIPTION, topic=TOPIC, push_config=config)
            client.broker.update_subscription(checked_subscription(resource))
            with pytest.raises(RefusedError) as refused:
                await asyncio.wait_for(stream, PATIENCE)
            assert refused.value.code is grpc.StatusCode.FAILED_PRECONDITION

    asyncio.run(scene())
