"""A seek brings back what is retained, to a time or to a snapshot: here and at Google's emulator alike, but for the
listed differences; then lifetimes on a clock that the tests move, and what a restart keeps of them."""

import asyncio
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1 import types

from infra.local.oidc import Signer
from infra.local.pubsub import seek
from infra.local.pubsub.broker import Broker, SubscriptionState
from infra.local.pubsub.errors import RefusedError
from infra.local.pubsub.messages import Draft
from infra.local.pubsub.no_store import NoStore
from infra.local.pubsub.settings import checked_subscription, checked_topic
from infra.local.pubsub.store import Store
from tests.infra.pubsub_peers import Difference, Peer, emulator_is_installed, google_peer, joined, local_peer
from tests.infra.pubsub_world import PROJECT, VirtualClock, endpoint, running

PEERS = ["local", "google"] if emulator_is_installed() else ["local"]
TOPIC, READER, PICTURE = f"{PROJECT}/topics/t-1", f"{PROJECT}/subscriptions/s-1", f"{PROJECT}/snapshots/p-1"
DAY = timedelta(days=1)


@pytest.fixture(scope="module", params=PEERS)
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with local_peer(tmp_path_factory.mktemp("home")) if request.param == "local" else google_peer() as peer:
        yield peer


def emptied(peer: Peer, subscription: str) -> list[bytes]:
    """Everything that is there, acknowledged."""
    found: list[bytes] = []
    while messages := peer.pull_now(subscription):
        found += [received.message.data for received in messages]
        peer.acknowledge(subscription, *messages)
    return found


def hours(number: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=number)


def test_a_seek_back_brings_acknowledged_messages_again_where_they_are_retained(peer: Peer) -> None:
    topic, retaining = peer.topic(), peer.topic(message_retention_duration=DAY)
    keeper, other = peer.subscription(topic, retain_acked_messages=True), peer.subscription(topic)
    for each in (topic, retaining):
        peer.publish(each, {"data": b"1"})
    late = peer.subscription(retaining)
    for each in (topic, retaining):
        peer.publish(each, {"data": b"2"})
    before_birth = [b"1"] if peer.differs(Difference.BACKLOG_AT_BIRTH) else []
    assert [emptied(peer, each) for each in (keeper, other)] == [[b"1", b"2"], [b"1", b"2"]]
    assert emptied(peer, late) == [*before_birth, b"2"]
    for each in (keeper, other, late):
        peer.seek(each, time=hours(-1))
    # The topic's own retention gives even what was published before the subscription was there.
    assert [sorted(emptied(peer, each)) for each in (keeper, other, late)] == [[b"1", b"2"], [], [b"1", b"2"]]


def test_a_seek_to_a_time_divides_what_came_before_from_what_came_after(peer: Peer) -> None:
    topic = peer.topic()
    subscription = peer.subscription(topic, retain_acked_messages=True)
    peer.publish(topic, {"data": b"1"})
    (first,) = peer.pull(subscription)
    peer.acknowledge(subscription, first)
    division = first.message.publish_time
    while datetime.now(UTC) <= division + timedelta(milliseconds=5):
        pass  # the clock of both peers must have gone on
    peer.publish(topic, {"data": b"2"})
    peer.seek(subscription, time=division + timedelta(milliseconds=2))
    assert emptied(peer, subscription) == [b"2"]
    peer.seek(subscription, time=division - timedelta(milliseconds=2))
    assert emptied(peer, subscription) == [b"1", b"2"]


def test_a_seek_to_the_future_settles_what_is_there_and_not_what_comes(peer: Peer) -> None:
    topic = peer.topic()
    subscription = peer.subscription(topic)
    peer.publish(topic, {"data": b"1"}, {"data": b"2"})
    peer.seek(subscription, time=hours(1))
    assert peer.pull_now(subscription) == []
    peer.publish(topic, {"data": b"3"})
    assert [received.message.data for received in peer.pull(subscription)] == [b"3"]


def test_a_seek_takes_back_what_somebody_holds(peer: Peer) -> None:
    topic = peer.topic()
    subscription = peer.subscription(topic, ack_deadline_seconds=600, retain_acked_messages=True)
    peer.publish(topic, {"data": b"1"})
    (held,) = peer.pull(subscription)
    peer.seek(subscription, time=hours(-1))
    assert emptied(peer, subscription) == [b"1"]
    peer.acknowledge(subscription, held)  # too late to mean anything, and no error


def test_a_seek_with_a_filter_brings_only_what_it_lets_through(peer: Peer) -> None:
    topic = peer.topic(message_retention_duration=DAY)
    subscription = peer.subscription(topic, filter='attributes.channel = "email"')
    for channel in ("email", "sms"):
        peer.publish(topic, {"data": channel.encode(), "attributes": {"channel": channel}})
    emptied(peer, subscription)
    peer.seek(subscription, time=hours(-1))
    everything = peer.differs(Difference.IGNORES_FILTERS)
    assert sorted(emptied(peer, subscription)) == ([b"email", b"sms"] if everything else [b"email"])


def test_a_push_subscription_is_pushed_everything_again(peer: Peer) -> None:
    with endpoint() as target:
        topic = peer.topic(message_retention_duration=DAY)
        policy = {"minimum_backoff": {}, "maximum_backoff": {}}
        subscription = peer.subscription(topic, push_config={"push_endpoint": target.url}, retry_policy=policy)
        ids = peer.publish(topic, *({"data": str(n).encode()} for n in range(20)))
        assert sorted(target.next().body["message"]["messageId"] for _ in ids) == sorted(ids)
        # One more, so that the first twenty are known to be acknowledged and not on their way again.
        (last,) = peer.publish(topic, {"data": b"last"})
        assert target.next().body["message"]["messageId"] == last
        peer.seek(subscription, time=hours(-24))
        again = {target.next().body["message"]["messageId"] for _ in (*ids, last)}
        assert again == {*ids, last}


def test_a_snapshot_brings_back_what_was_owed_when_it_was_made_and_all_that_came_later(peer: Peer) -> None:
    topic = peer.topic()
    subscription = peer.subscription(topic, retain_acked_messages=True)
    peer.publish(topic, {"data": b"settled before"})
    emptied(peer, subscription)
    peer.publish(topic, {"data": b"owed"})
    snapshot = peer.snapshot(subscription)
    peer.publish(topic, {"data": b"later"})
    assert emptied(peer, subscription) == [b"owed", b"later"]
    for _ in range(2):  # as often as one likes
        peer.seek(subscription, snapshot=snapshot.name)
        assert emptied(peer, subscription) == [b"owed", b"later"]


def test_a_snapshot_keeps_its_messages_for_every_subscription_of_the_topic(peer: Peer) -> None:
    topic = peer.topic()
    source = peer.subscription(topic)
    peer.publish(topic, {"data": b"owed"})
    snapshot = peer.snapshot(source)
    peer.publish(topic, {"data": b"later"})
    emptied(peer, source)
    fresh = peer.subscription(topic)
    for subscription in (source, fresh):
        peer.seek(subscription, snapshot=snapshot.name)
    assert emptied(peer, source) == [b"owed", b"later"]
    assert emptied(peer, fresh) == ([] if peer.differs(Difference.SNAPSHOTS_OF_ONE) else [b"owed", b"later"])


def test_a_snapshot_is_created_once_listed_and_deleted(peer: Peer) -> None:
    topic = peer.topic()
    subscription = peer.subscription(topic)
    snapshots = [peer.snapshot(subscription) for _ in range(3)]
    names = sorted(snapshot.name for snapshot in snapshots)
    with pytest.raises(exceptions.AlreadyExists):
        peer.subscriber.create_snapshot(name=names[0], subscription=subscription)
    assert peer.subscriber.get_snapshot(snapshot=names[0]).topic == topic
    listed = [found.name for found in peer.subscriber.list_snapshots(request={"project": PROJECT, "page_size": 2})]
    assert set(names) <= set(listed)
    assert len(listed) == len(set(listed))
    assert sorted(peer.publisher.list_topic_snapshots(topic=topic)) == names
    peer.subscriber.delete_snapshot(snapshot=names[0])
    for call in (peer.subscriber.get_snapshot, peer.subscriber.delete_snapshot):
        with pytest.raises(exceptions.NotFound):
            call(snapshot=names[0])
    with pytest.raises(exceptions.NotFound):
        peer.seek(subscription, snapshot=names[0])


def test_a_snapshot_lives_seven_days_less_the_age_of_its_oldest_message(peer: Peer) -> None:
    topic = peer.topic()
    subscription = peer.subscription(topic)
    made = hours(0)
    assert abs(peer.snapshot(subscription).expire_time - made - timedelta(days=7)) < timedelta(seconds=30)
    peer.publish(topic, {"data": b"x"})
    (held,) = peer.pull(subscription)
    lifetime = peer.snapshot(subscription).expire_time - held.message.publish_time
    assert abs(lifetime - timedelta(days=7)) < timedelta(milliseconds=2)


def test_a_snapshots_labels_can_be_changed_and_nothing_else(peer: Peer) -> None:
    snapshot = peer.snapshot(peer.subscription(peer.topic()))

    def update(*paths: str, name: str = snapshot.name) -> types.Snapshot:
        wanted = types.Snapshot(name=name, labels={"team": "pmo"}, topic="x")
        return peer.subscriber.update_snapshot(snapshot=wanted, update_mask=FieldMask(paths=paths))

    if peer.differs(Difference.NO_SNAPSHOT_UPDATE):
        with pytest.raises(exceptions.MethodNotImplemented):
            update("labels")
        return
    changed = update("labels")
    assert (changed.labels, changed.topic, changed.expire_time) == (
        {"team": "pmo"},
        snapshot.topic,
        snapshot.expire_time,
    )
    for paths in (["topic"], ["nonsense"], []):
        with pytest.raises(exceptions.InvalidArgument):
            update(*paths)
    with pytest.raises(exceptions.NotFound):
        update("labels", name=f"{PROJECT}/snapshots/nowhere")


def test_bad_seeks_and_snapshots_are_refused(peer: Peer) -> None:
    topic = peer.topic()
    subscription, other = peer.subscription(topic), peer.subscription(peer.topic())
    snapshot = peer.snapshot(subscription)
    nowhere = f"{PROJECT}/subscriptions/nowhere"
    for error, name, target in [
        (exceptions.InvalidArgument, subscription, {}),
        (exceptions.InvalidArgument, subscription, {"snapshot": "nonsense"}),
        (exceptions.InvalidArgument, "nonsense", {"time": hours(0)}),
        (exceptions.NotFound, nowhere, {"time": hours(0)}),
        (exceptions.NotFound, nowhere, {"snapshot": snapshot.name}),
        (exceptions.NotFound, subscription, {"snapshot": f"{PROJECT}/snapshots/nowhere"}),
        (exceptions.FailedPrecondition, other, {"snapshot": snapshot.name}),
    ]:
        with pytest.raises(error):
            peer.seek(name, **target)
    for error, name, source in [
        (exceptions.NotFound, f"{PROJECT}/snapshots/fine", nowhere),
        (exceptions.InvalidArgument, f"{PROJECT}/snapshots/1st", subscription),
        (exceptions.InvalidArgument, f"{PROJECT}/snapshots/goog-1", subscription),
        (exceptions.InvalidArgument, f"{PROJECT}/topics/other-kind", subscription),
    ]:
        with pytest.raises(error):
            peer.subscriber.create_snapshot(name=name, subscription=source)
    if peer.differs(Difference.NO_SNAPSHOT_NAMES):
        with pytest.raises(exceptions.InvalidArgument):
            peer.subscriber.create_snapshot(request={"subscription": subscription})
    else:
        named = peer.subscriber.create_snapshot(request={"subscription": subscription})
        assert named.name.startswith(f"{PROJECT}/snapshots/")


def test_without_its_topic_a_snapshot_stays_and_nothing_can_be_seeked_to_it(peer: Peer) -> None:
    topic = peer.topic()
    subscription = peer.subscription(topic)
    snapshot = peer.snapshot(subscription)
    peer.publisher.delete_topic(topic=topic)
    assert peer.subscriber.get_snapshot(snapshot=snapshot.name).name == snapshot.name
    with pytest.raises(exceptions.FailedPrecondition):
        peer.seek(subscription, snapshot=snapshot.name)
    with peer.refuses(exceptions.NotFound, Difference.SNAPSHOTS_OF_NO_TOPIC):
        list(peer.publisher.list_topic_snapshots(topic=topic))
    with peer.refuses(exceptions.FailedPrecondition, Difference.SNAPSHOTS_OF_NO_TOPIC):
        peer.snapshot(subscription)


def test_a_subscription_shows_and_has_the_retention_of_its_topic(peer: Peer) -> None:
    subscription = peer.subscription(peer.topic(message_retention_duration=31 * DAY))
    shown = peer.subscriber.get_subscription(subscription=subscription).topic_message_retention_duration
    assert shown == (timedelta() if peer.differs(Difference.NO_RETENTION_SHOWN) else 31 * DAY)


# ---------------------------------------------------------------- on a clock of our own


def made(broker: Broker, *, topic: dict[str, object] | None = None, **fields: object) -> SubscriptionState:
    if TOPIC not in broker.topics:
        broker.create_topic(checked_topic(types.Topic(name=TOPIC, **(topic or {}))))
    name = f"{READER}-{len(broker.subscriptions)}"
    return broker.create_subscription(checked_subscription(types.Subscription(name=name, topic=TOPIC, **fields)))


def settle(broker: Broker, state: SubscriptionState) -> list[bytes]:
    taken = state.backlog.lease(1000, broker.clock.now(), timedelta(seconds=60))
    for delivery in taken:
        state.backlog.acknowledge(delivery.message.id, delivery.lease)
    broker.touched(state)
    return [delivery.message.data for delivery in taken]


def photograph(broker: Broker, state: SubscriptionState) -> types.Snapshot:
    snapshot = types.Snapshot(name=f"{PICTURE}-{uuid.uuid4().hex}", topic=state.resource.topic)
    broker.create_snapshot(snapshot, state)
    return snapshot


def test_a_seek_reaches_as_far_as_the_longer_of_both_retentions() -> None:
    clock = VirtualClock()
    broker = Broker(clock, NoStore())
    state = made(broker, topic={"message_retention_duration": 20 * DAY}, message_retention_duration=DAY)
    start = clock.now()
    for number in (1, 2):
        broker.publish(TOPIC, [Draft(b"%d" % number, {})])
        settle(broker, state)
        clock.advance(10 * 86400 - 1)
    seek.to_time(broker, state, start)
    # What the seek brought is 20 days old, the subscription's own retention is one: it stays until the topic's is over.
    assert settle(broker, state) == [b"1", b"2"]
    seek.to_time(broker, state, start)
    clock.advance(2)
    assert settle(broker, state) == [b"2"]
    seek.to_time(broker, state, start)
    assert settle(broker, state) == [b"2"]


def test_a_seek_forward_and_back_forgets_failures_and_rests() -> None:
    clock = VirtualClock()
    broker = Broker(clock, NoStore())
    policy = {"minimum_backoff": timedelta(seconds=600), "maximum_backoff": timedelta(seconds=600)}
    state = made(broker, retain_acked_messages=True, retry_policy=policy)
    broker.publish(TOPIC, [Draft(b"1", {})])
    (delivery,) = state.backlog.lease(1, clock.now(), timedelta(seconds=60))
    state.backlog.extend(delivery.message.id, delivery.lease, clock.now(), timedelta())
    assert not state.backlog.has_ready
    seek.to_time(broker, state, clock.now() + timedelta(hours=1))
    assert not state.backlog.pending
    seek.to_time(broker, state, clock.now() - timedelta(hours=1))
    (again,) = state.backlog.lease(1, clock.now(), timedelta(seconds=60))
    assert again.attempt == 1
    assert not state.backlog.acknowledge(again.message.id, delivery.lease)


def test_a_detached_subscription_cannot_be_seeked() -> None:
    broker = Broker(VirtualClock(), NoStore())
    state = made(broker)
    broker.detach_subscription(state.resource.name)
    with pytest.raises(RefusedError, match="detached"):
        seek.to_time(broker, state, broker.clock.now())


def test_a_snapshot_expires_by_itself_and_one_that_would_at_once_is_refused() -> None:
    clock = VirtualClock()
    broker = Broker(clock, NoStore())
    state = made(broker, message_retention_duration=31 * DAY)
    young = photograph(broker, state)
    broker.publish(TOPIC, [Draft(b"old", {})])
    clock.advance(3 * 86400)
    middle = photograph(broker, state)
    assert (young.expire_time - clock.now(), middle.expire_time - clock.now()) == (4 * DAY, 4 * DAY)
    clock.advance(4 * 86400 - 3601)
    assert photograph(broker, state).expire_time == young.expire_time
    clock.advance(2)
    with pytest.raises(RefusedError, match="less than one hour"):
        photograph(broker, state)
    clock.advance(3598)
    assert len(broker.snapshots.names_of(TOPIC)) == 3
    clock.advance(1)
    assert broker.snapshots.names_of(TOPIC) == []


def test_a_topic_that_retains_longer_from_now_on_keeps_what_it_still_has() -> None:
    clock = VirtualClock()
    broker = Broker(clock, NoStore())
    state = made(broker, topic={"message_retention_duration": DAY})
    start = clock.now()
    broker.publish(TOPIC, [Draft(b"1", {})])
    settle(broker, state)
    clock.advance(3600)
    broker.update_topic(checked_topic(types.Topic(name=TOPIC, message_retention_duration=3 * DAY)))
    clock.advance(2 * 86400)
    seek.to_time(broker, state, start)
    assert settle(broker, state) == [b"1"]
    broker.update_topic(checked_topic(types.Topic(name=TOPIC)))
    seek.to_time(broker, state, start)
    assert settle(broker, state) == []


# ---------------------------------------------------------------- over a restart


@contextmanager
def life(folder: Path) -> Iterator[Peer]:
    signer = Signer(folder / "oidc")
    with running(folder / "pubsub", signer) as address, joined("local", address, signer, frozenset()) as peer:
        yield peer


def test_retained_messages_come_back_after_a_restart_too(tmp_path: Path) -> None:
    with life(tmp_path) as peer:
        topic, plain = peer.topic(message_retention_duration=DAY), peer.topic()
        logged, keeper = peer.subscription(topic), peer.subscription(plain, retain_acked_messages=True)
        for each in (topic, plain):
            peer.publish(each, {"data": b"1", "attributes": {"a": "b"}}, {"data": b"2"})
        for each in (logged, keeper):
            assert emptied(peer, each) == [b"1", b"2"]
    for _ in range(2):
        with life(tmp_path) as peer:
            fresh = peer.subscription(topic)
            for each in (logged, keeper, fresh):
                assert emptied(peer, each) == []
                peer.seek(each, time=hours(-1))
            assert emptied(peer, logged) == emptied(peer, fresh) == [b"1", b"2"]
            # What the seek brought back is as durable as what was published: left unacknowledged over the restart.
        with life(tmp_path) as peer:
            assert emptied(peer, keeper) == [b"1", b"2"]


def test_snapshots_and_what_they_hold_outlive_a_restart(tmp_path: Path) -> None:
    with life(tmp_path) as peer:
        topic = peer.topic()
        subscription = peer.subscription(topic)
        peer.publish(topic, {"data": b"settled before"})
        emptied(peer, subscription)
        peer.publish(topic, {"data": b"owed"})
        kept, gone = peer.snapshot(subscription, labels={"a": "b"}), peer.snapshot(subscription)
        peer.publish(topic, {"data": b"later"})
        peer.subscriber.delete_snapshot(snapshot=gone.name)
        emptied(peer, subscription)
    with life(tmp_path) as peer:
        peer.publish(topic, {"data": b"later still"})
        emptied(peer, subscription)
    with life(tmp_path) as peer:
        assert [found.name for found in peer.subscriber.list_snapshots(project=PROJECT)] == [kept.name]
        assert peer.subscriber.get_snapshot(snapshot=kept.name) == kept
        peer.seek(subscription, snapshot=kept.name)
        assert emptied(peer, subscription) == [b"owed", b"later", b"later still"]


def test_a_topics_log_is_read_back_as_long_as_it_is_retained_and_no_longer(tmp_path: Path) -> None:
    clock = VirtualClock()
    start = clock.now()

    async def one_life(steps: Callable[[Broker], list[list[bytes]]]) -> list[list[bytes]]:
        store = Store(tmp_path)
        broker = Broker(clock, store)
        store.load(broker)
        broker.wake()
        found = steps(broker)
        broker.close()
        await store.close()
        return found

    def log(broker: Broker) -> list[bytes]:
        return [message.data for message in broker.topics[TOPIC].log.values()]

    def publish(broker: Broker) -> list[list[bytes]]:
        state = made(broker, topic={"message_retention_duration": DAY})
        broker.publish(TOPIC, [Draft(b"1", {})])
        clock.advance(12 * 3600)
        broker.publish(TOPIC, [Draft(b"2", {})])
        photograph(broker, state)
        return [settle(broker, state), log(broker)]

    def look(broker: Broker) -> list[list[bytes]]:
        state = next(iter(broker.subscriptions.values()))
        before = log(broker)
        seek.to_time(broker, state, start)
        return [before, settle(broker, state)]

    def retain_longer(broker: Broker) -> list[list[bytes]]:
        broker.update_topic(checked_topic(types.Topic(name=TOPIC, message_retention_duration=3 * DAY)))
        return [log(broker)]

    assert asyncio.run(one_life(publish)) == [[b"1", b"2"], [b"1", b"2"]]
    assert asyncio.run(one_life(look)) == [[b"1", b"2"], [b"1", b"2"]]
    clock.advance(12 * 3600)  # the first is a day old: gone, though a snapshot was made while it was owed
    assert asyncio.run(one_life(look)) == [[b"2"], [b"2"]]
    assert asyncio.run(one_life(retain_longer)) == [[b"2"]]
    clock.advance(2 * 86400)
    assert asyncio.run(one_life(look)) == [[b"2"], [b"2"]]

    def snapshots(broker: Broker) -> list[list[bytes]]:
        (name,) = broker.snapshots.names_of(TOPIC)
        state = next(iter(broker.subscriptions.values()))
        seek.to_snapshot(broker, state, broker.snapshots.named(name))
        return [settle(broker, state)]

    # The snapshot still has both; then its week is over, and only the rows of nobody are left to prune.
    assert asyncio.run(one_life(snapshots))[0][-1:] == [b"2"]
    clock.advance(7 * 86400)

    def expired(broker: Broker) -> list[list[bytes]]:
        clock.advance(1)
        return [[name.encode() for name in broker.snapshots.names_of(TOPIC)]]

    assert asyncio.run(one_life(expired)) == [[]]
    asyncio.run(one_life(expired))
    with closing(sqlite3.connect(tmp_path / "pubsub.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM pictures").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (0,)
