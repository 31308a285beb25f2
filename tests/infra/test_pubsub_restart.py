"""A restart of the local Pub/Sub loses no message and brings none back that was acknowledged."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1 import types

from infra.local.oidc import Signer
from infra.local.pubsub.broker import Broker
from infra.local.pubsub.messages import Draft
from infra.local.pubsub.settings import checked_subscription, checked_topic
from infra.local.pubsub.store import Store
from tests.infra.pubsub_peers import Peer, joined
from tests.infra.pubsub_world import PROJECT, VirtualClock, endpoint, running


@contextmanager
def life(folder: Path) -> Iterator[Peer]:
    """One life of the Pub/Sub that lives in this folder."""
    signer = Signer(folder / "oidc")
    with running(folder / "pubsub", signer) as address, joined("local", address, signer, frozenset()) as peer:
        yield peer


def test_unacknowledged_messages_are_there_after_a_restart_and_acknowledged_ones_are_not(tmp_path: Path) -> None:
    with life(tmp_path) as peer:
        topic = peer.topic(labels={"team": "pmo"})
        subscription = peer.subscription(topic, ack_deadline_seconds=600, filter='attributes.channel != "sms"')
        ids = peer.publish(
            topic,
            {"data": b"acknowledged"},
            {"data": "leased 值".encode(), "attributes": {"channel": "email", "名": "值"}, "ordering_key": "k"},
            {"data": b"filtered", "attributes": {"channel": "sms"}},
        )
        first, _second = peer.pull(subscription)
        peer.acknowledge(subscription, first)
    with life(tmp_path) as peer:
        assert peer.publisher.get_topic(topic=topic).labels == {"team": "pmo"}
        assert peer.subscriber.get_subscription(subscription=subscription).ack_deadline_seconds == 600
        # The lease died with the process that gave it: the message is ready.
        (again,) = peer.pull(subscription)
        assert (again.message.message_id, again.message.data.decode()) == (ids[1], "leased 值")
        assert (again.message.attributes, again.message.ordering_key) == ({"channel": "email", "名": "值"}, "k")
        (later,) = peer.publish(topic, {"data": b"new"})
        assert int(later) > int(ids[-1])
        (new,) = peer.pull(subscription)
        peer.acknowledge(subscription, again, new)
    with life(tmp_path) as peer:
        assert peer.pull_now(subscription) == []


def test_what_was_confirmed_to_the_publisher_survives_a_killed_process(tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib\n"
        "from infra.local.pubsub import LocalPubSub\n"
        "async def main():\n"
        f"    print(await LocalPubSub(pathlib.Path({str(tmp_path / 'pubsub')!r}), None).start(), flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            address = process.stdout.readline().strip()
            with joined("local", address, None, frozenset()) as peer:
                topic = peer.topic()
                subscription = peer.subscription(topic)
                ids = peer.publish(topic, *({"data": b"x"} for _ in range(1000)))
        finally:
            process.kill()
    with life(tmp_path) as peer:
        found: set[str] = set()
        while messages := peer.pull_now(subscription):
            found |= {received.message.message_id for received in messages}
    assert found == set(ids)


def test_a_clock_that_was_set_back_names_no_two_messages_alike(tmp_path: Path) -> None:
    topic, subscription = f"{PROJECT}/topics/notifications", f"{PROJECT}/subscriptions/reader"

    async def one_life(clock: VirtualClock) -> list[str]:
        store = Store(tmp_path)
        broker = Broker(clock, store)
        store.load(broker)
        if topic not in broker.topics:
            broker.create_topic(checked_topic(types.Topic(name=topic)))
            resource = types.Subscription(name=subscription, topic=topic)
            broker.create_subscription(checked_subscription(resource))
        broker.publish(topic, [Draft(b"x", {})] * 3)
        await store.close()
        return list(broker.subscriptions[subscription].backlog.pending)

    first = asyncio.run(one_life(VirtualClock()))
    both = asyncio.run(one_life(VirtualClock()))  # the very same moment once more
    assert both[:3] == first
    assert len(set(both)) == 6


def test_failures_and_the_rest_after_them_outlive_a_restart(tmp_path: Path) -> None:
    policy = {"minimum_backoff": timedelta(seconds=300), "maximum_backoff": timedelta(seconds=600)}
    with life(tmp_path) as peer:
        topic = peer.topic()
        letters = {"dead_letter_topic": topic, "max_delivery_attempts": 5}
        resting = peer.subscription(topic, retry_policy=policy, dead_letter_policy=letters)
        counted = peer.subscription(topic, dead_letter_policy=letters)
        peer.publish(topic, {"data": b"x"})
        for subscription in (resting, counted):
            peer.extend(subscription, *peer.pull(subscription), 0)
    with life(tmp_path) as peer:
        assert peer.pull_now(resting) == []
        assert [received.delivery_attempt for received in peer.pull_now(counted)] == [2]


def test_what_a_push_could_not_deliver_is_pushed_after_a_restart(tmp_path: Path) -> None:
    with endpoint() as target:
        target.statuses += [503]
        with life(tmp_path) as peer:
            topic = peer.topic()
            policy = {"minimum_backoff": timedelta(milliseconds=200), "maximum_backoff": timedelta(seconds=600)}
            peer.subscription(topic, push_config={"push_endpoint": target.url}, retry_policy=policy)
            (sent,) = peer.publish(topic, {"data": b"x"})
            assert target.next().body["message"]["messageId"] == sent
        with life(tmp_path):
            assert target.next().body["message"]["messageId"] == sent


def test_deletions_updates_and_detachments_outlive_a_restart(tmp_path: Path) -> None:
    with life(tmp_path) as peer:
        kept, gone = peer.topic(), peer.topic()
        orphan, deleted, detached = peer.subscription(gone), peer.subscription(kept), peer.subscription(kept)
        peer.publish(kept, {"data": b"x"})
        peer.publisher.delete_topic(topic=gone)
        peer.subscriber.delete_subscription(subscription=deleted)
        peer.publisher.detach_subscription(request={"subscription": detached})
        changed = {"name": orphan, "ack_deadline_seconds": 77}
        mask = FieldMask(paths=["ack_deadline_seconds"])
        with pytest.raises(exceptions.InvalidArgument):
            peer.subscriber.update_subscription(request={"subscription": changed, "update_mask": FieldMask()})
        peer.subscriber.update_subscription(request={"subscription": changed, "update_mask": mask})
    with life(tmp_path) as peer:
        assert [topic.name for topic in peer.publisher.list_topics(project=PROJECT)] == [kept]
        subscriptions = {found.name: found for found in peer.subscriber.list_subscriptions(project=PROJECT)}
        assert set(subscriptions) == {orphan, detached}
        assert (subscriptions[orphan].topic, subscriptions[orphan].ack_deadline_seconds) == ("_deleted-topic_", 77)
        assert subscriptions[detached].detached


def test_a_publication_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with life(tmp_path) as peer:
        topic = peer.topic()
        subscription = peer.subscription(topic)
        other = sqlite3.connect(tmp_path / "pubsub" / "pubsub.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # another process holds the file: every write runs into SQLite's timeout
        try:
            with pytest.raises(exceptions.ServiceUnavailable):
                peer.publish(topic, {"data": b"refused"})
        finally:
            other.execute("ROLLBACK")
            other.close()
        peer.publish(topic, {"data": b"written"})
    with life(tmp_path) as peer:
        # At least once: the refused one may still come, the written one must.
        assert b"written" in [received.message.data for received in peer.pull(subscription)]
