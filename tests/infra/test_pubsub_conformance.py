"""The local Pub/Sub and Google's emulator answer the unmodified client alike, but for the listed differences."""

import base64
import json
import queue
import re
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.auth import jwt
from google.cloud import pubsub_v1
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1 import types

from tests.infra.pubsub_peers import NO_EMULATOR, Difference, Peer, emulator_is_installed, google_peer, local_peer
from tests.infra.pubsub_world import PATIENCE, PROJECT, endpoint

ACCOUNT = "pubsub@belfry-local.iam.gserviceaccount.com"


PEERS = ["local", "google"] if emulator_is_installed() else ["local"]


@pytest.fixture(scope="module", params=PEERS)
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with local_peer(tmp_path_factory.mktemp("home")) if request.param == "local" else google_peer() as peer:
        yield peer


def update(peer: Peer, name: str, *paths: str, **fields: Any) -> types.Subscription:
    request = {"subscription": types.Subscription(name=name, **fields), "update_mask": FieldMask(paths=paths)}
    return peer.subscriber.update_subscription(request=request, retry=None, timeout=PATIENCE)


def eventually_pulled(peer: Peer, subscription: str) -> types.ReceivedMessage:
    """Pulls may come back empty: ask again until the deadline."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := peer.pull(subscription, 1):
            return found[0]
    raise AssertionError(f"nothing arrived at {subscription} within {PATIENCE} s")


@pytest.mark.skipif(not emulator_is_installed(), reason=NO_EMULATOR)
def test_googles_emulator_is_held_to_the_same_tests() -> None:
    assert PEERS == ["local", "google"]


def test_a_topic_is_created_once_listed_and_deleted(peer: Peer) -> None:
    name = peer.topic(labels={"team": "pmo"})
    with pytest.raises(exceptions.AlreadyExists):
        peer.publisher.create_topic(name=name)
    assert peer.publisher.get_topic(topic=name).labels == {"team": "pmo"}
    assert name in [topic.name for topic in peer.publisher.list_topics(project=PROJECT)]
    peer.publisher.delete_topic(topic=name)
    for call in (peer.publisher.get_topic, peer.publisher.delete_topic):
        with pytest.raises(exceptions.NotFound):
            call(topic=name)
    with pytest.raises(exceptions.NotFound):
        peer.publish(name, {"data": b"x"})


@pytest.mark.parametrize("name", ["1st", "go", "goog-topic", "a b", "a" * 256, "ä-topic"])
def test_a_topic_name_outside_the_rules_is_refused(peer: Peer, name: str) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        peer.publisher.create_topic(name=f"{PROJECT}/topics/{name}")


def test_a_subscription_gets_googles_defaults(peer: Peer) -> None:
    name = peer.subscription(peer.topic(), retry_policy={})
    stored = peer.subscriber.get_subscription(subscription=name)
    assert stored.ack_deadline_seconds == 10
    assert stored.message_retention_duration == timedelta(days=7)
    assert stored.retry_policy.minimum_backoff == timedelta(seconds=10)
    assert stored.retry_policy.maximum_backoff == timedelta(seconds=600)
    assert ("expiration_policy" in stored) is not peer.differs(Difference.NO_EXPIRATION_DEFAULT)


def test_a_subscription_is_created_once_listed_and_deleted(peer: Peer) -> None:
    topic = peer.topic()
    names = sorted(peer.subscription(topic) for _ in range(3))
    with pytest.raises(exceptions.AlreadyExists):
        peer.subscriber.create_subscription(name=names[0], topic=topic)
    with pytest.raises(exceptions.NotFound):
        peer.subscription(f"{PROJECT}/topics/nowhere")
    assert sorted(peer.publisher.list_topic_subscriptions(topic=topic)) == names
    request = {"project": PROJECT, "page_size": 2}
    listed = [found.name for found in peer.subscriber.list_subscriptions(request=request)]
    assert set(names) <= set(listed)
    assert len(listed) == len(set(listed))
    peer.subscriber.delete_subscription(subscription=names[0])
    with pytest.raises(exceptions.NotFound):
        peer.subscriber.get_subscription(subscription=names[0])
    with pytest.raises(exceptions.NotFound):
        peer.pull(names[0])


LETTERS = f"{PROJECT}/topics/nowhere"
SECONDS = {"seconds": 1}


@pytest.mark.parametrize(
    ("fields", "error", "unless"),
    [
        ({"ack_deadline_seconds": 9}, exceptions.InvalidArgument, Difference.SHORT_ACK_DEADLINES),
        ({"ack_deadline_seconds": 601}, exceptions.InvalidArgument, None),
        ({"ack_deadline_seconds": -1}, exceptions.InvalidArgument, None),
        ({"message_retention_duration": {"seconds": 599}}, exceptions.InvalidArgument, None),
        ({"message_retention_duration": {"seconds": 31 * 86400 + 1}}, exceptions.InvalidArgument, None),
        ({"expiration_policy": {"ttl": {"seconds": 86399}}}, exceptions.InvalidArgument, Difference.SHORT_EXPIRATION),
        ({"retry_policy": {"minimum_backoff": {"seconds": 601}}}, exceptions.InvalidArgument, None),
        ({"retry_policy": {"maximum_backoff": {"seconds": 601}}}, exceptions.InvalidArgument, None),
        ({"dead_letter_policy": {"dead_letter_topic": LETTERS}}, exceptions.NotFound, None),
        ({"filter": "bogus((("}, exceptions.InvalidArgument, Difference.IGNORES_FILTERS),
        ({"push_config": {"push_endpoint": "nonsense"}}, exceptions.InvalidArgument, None),
        (
            {"push_config": {"push_endpoint": "http://127.0.0.1:9/", "oidc_token": {"audience": "x"}}},
            exceptions.InvalidArgument,
            Difference.NO_TOKENS,
        ),
    ],
)
def test_a_subscription_outside_the_limits_is_refused(
    peer: Peer, fields: dict[str, Any], error: type[Exception], unless: Difference | None
) -> None:
    topic = peer.topic()
    with peer.refuses(error, unless):
        peer.subscription(topic, **fields)


@pytest.mark.parametrize("attempts", [4, 101])
def test_dead_letters_come_after_5_to_100_attempts(peer: Peer, attempts: int) -> None:
    topic = peer.topic()
    with pytest.raises(exceptions.OutOfRange):
        peer.subscription(topic, dead_letter_policy={"dead_letter_topic": topic, "max_delivery_attempts": attempts})


def test_an_update_changes_what_its_mask_names_and_nothing_else(peer: Peer) -> None:
    name = peer.subscription(peer.topic(), ack_deadline_seconds=20, filter="attributes:a")
    changed = update(peer, name, "ack_deadline_seconds", ack_deadline_seconds=30, retain_acked_messages=True)
    assert (changed.ack_deadline_seconds, changed.retain_acked_messages) == (30, False)
    for paths, fields in [
        (["filter"], {"filter": "attributes:b"}),
        (["topic"], {"topic": "x"}),
        (["nonsense"], {}),
        ([], {}),
        (["ack_deadline_seconds"], {"ack_deadline_seconds": 601}),
    ]:
        with pytest.raises(exceptions.InvalidArgument):
            update(peer, name, *paths, **fields)
    stored = peer.subscriber.get_subscription(subscription=name)
    assert (stored.ack_deadline_seconds, stored.filter) == (30, "attributes:a")


def test_a_topics_retention_can_be_changed_within_limits(peer: Peer) -> None:
    topic = types.Topic(name=peer.topic(), labels={"a": "b"}, message_retention_duration=timedelta(hours=1))
    mask = FieldMask(paths=["message_retention_duration"])
    assert peer.publisher.update_topic(topic=topic, update_mask=mask).message_retention_duration == timedelta(hours=1)
    topic.message_retention_duration = timedelta(seconds=599)
    with pytest.raises(exceptions.InvalidArgument):
        peer.publisher.update_topic(topic=topic, update_mask=mask)
    labels = FieldMask(paths=["labels"])
    if peer.differs(Difference.NO_LABEL_UPDATE):
        with pytest.raises(exceptions.InvalidArgument):
            peer.publisher.update_topic(topic=topic, update_mask=labels)
    else:
        assert peer.publisher.update_topic(topic=topic, update_mask=labels).labels == {"a": "b"}


@pytest.mark.parametrize(
    ("messages", "unless"),
    [
        ([], None),
        ([{}], None),
        ([{"data": b"x"}, {"data": b""}], None),
        ([{"data": b"x"}] * 1001, None),
        ([{"data": b"x" * 10_000_001}], Difference.LARGE_MESSAGES),
        ([{"data": b"x", "attributes": {"googclient": "1"}}], Difference.ANY_ATTRIBUTES),
        ([{"data": b"x", "attributes": {"": "1"}}], Difference.ANY_ATTRIBUTES),
        ([{"data": b"x", "attributes": {"k" * 257: "1"}}], Difference.ANY_ATTRIBUTES),
        ([{"data": b"x", "attributes": {"k": "v" * 1025}}], Difference.ANY_ATTRIBUTES),
        ([{"data": b"x", "attributes": {f"k{n}": "v" for n in range(101)}}], Difference.ANY_ATTRIBUTES),
    ],
    ids=["none", "empty", "one empty", "1001", "10 MB", "goog", "no key", "long key", "long value", "101 attributes"],
)
def test_a_publication_outside_the_limits_is_refused_whole(
    peer: Peer, messages: list[dict[str, Any]], unless: Difference | None
) -> None:
    topic = peer.topic()
    with peer.refuses(exceptions.InvalidArgument, unless):
        peer.publish(topic, *messages)


def test_what_is_published_is_pulled_whole_and_once_acknowledged_gone(peer: Peer) -> None:
    topic = peer.topic()
    peer.publish(topic, {"data": b"before any subscription"})
    first, second = peer.subscription(topic), peer.subscription(topic)
    ids = peer.publish(topic, {"data": b"\x00\xff"}, {"attributes": {"channel": "email", "名": "值"}})
    for subscription in (first, second):
        messages = peer.pull(subscription)
        assert [received.message.message_id for received in messages] == ids
        assert messages[0].message.data == b"\x00\xff"
        assert messages[1].message.attributes == {"channel": "email", "名": "值"}
        assert messages[0].message.publish_time <= messages[1].message.publish_time
        assert messages[0].delivery_attempt == 0
        assert peer.pull_now(subscription) == []
        peer.acknowledge(subscription, *messages)
    assert peer.pull_now(first) == []


def test_a_message_comes_again_after_a_nack_and_after_its_deadline(peer: Peer) -> None:
    topic = peer.topic()
    subscription = peer.subscription(topic, ack_deadline_seconds=600)
    (sent,) = peer.publish(topic, {"data": b"x"})
    first = eventually_pulled(peer, subscription)
    peer.extend(subscription, first, 0)
    second = eventually_pulled(peer, subscription)
    peer.extend(subscription, second, 1)
    third = eventually_pulled(peer, subscription)
    assert {first.message.message_id, second.message.message_id, third.message.message_id} == {sent}
    with peer.refuses(exceptions.InvalidArgument, Difference.LONG_EXTENSIONS):
        peer.extend(subscription, third, 601)


def test_bad_acknowledgements_are_refused(peer: Peer) -> None:
    subscription = peer.subscription(peer.topic())
    for ack_ids in ([], ["nonsense"]):
        with pytest.raises(exceptions.InvalidArgument):
            peer.subscriber.acknowledge(subscription=subscription, ack_ids=ack_ids)
        with pytest.raises(exceptions.InvalidArgument):
            peer.subscriber.modify_ack_deadline(subscription=subscription, ack_ids=ack_ids, ack_deadline_seconds=10)
    with pytest.raises(exceptions.InvalidArgument):
        peer.pull(subscription, most=0)


def test_a_filter_lets_through_what_it_says(peer: Peer) -> None:
    topic = peer.topic()
    subscription = peer.subscription(topic, filter='attributes.channel = "email"')
    peer.publish(topic, *({"data": b"x", "attributes": {"channel": channel}} for channel in ("sms", "email")))
    channels = [received.message.attributes["channel"] for received in peer.pull(subscription)]
    assert channels == (["sms", "email"] if peer.differs(Difference.IGNORES_FILTERS) else ["email"])


def test_a_message_nacked_five_times_becomes_a_dead_letter(peer: Peer) -> None:
    topic, graveyard = peer.topic(), peer.topic()
    letters = peer.subscription(graveyard)
    policy = {"dead_letter_topic": graveyard, "max_delivery_attempts": 5}
    subscription = peer.subscription(topic, dead_letter_policy=policy)
    peer.publish(topic, {"data": b"x", "attributes": {"channel": "email"}})
    for attempt in (1, 2, 3, 4, 5):
        received = eventually_pulled(peer, subscription)
        assert received.delivery_attempt == attempt
        peer.extend(subscription, received, 0)
    # Google's emulator buries a message only when somebody asks for it once more.
    assert peer.pull_now(subscription) == []
    letter = eventually_pulled(peer, letters).message
    story = dict(letter.attributes)
    assert letter.data == b"x"
    assert story.pop("channel") == "email"
    assert story.pop("CloudPubSubDeadLetterSourceDeliveryCount") == "5"
    assert story.pop("CloudPubSubDeadLetterSourceSubscription") == subscription.rsplit("/", 1)[1]
    assert story.pop("CloudPubSubDeadLetterSourceSubscriptionProject") == "belfry-local"
    assert re.fullmatch(
        r"20\d\d-\d\d-\d\dT[\d:.]+(Z|\+00:00)", story.pop("CloudPubSubDeadLetterSourceTopicPublishTime")
    )
    assert story == {}


def test_a_streaming_subscriber_gets_everything_within_its_limit(peer: Peer) -> None:
    topic = peer.topic()
    subscription = peer.subscription(topic)
    lock, done = threading.Lock(), threading.Event()
    seen: set[str] = set()
    open_now, most = 0, 0

    def receive(message: Any) -> None:
        nonlocal open_now, most
        with lock:
            open_now += 1
            most = max(most, open_now)
            seen.add(message.message_id)
            finished = len(seen) == 300
            open_now -= 1
        message.ack()
        if finished:
            done.set()

    control = pubsub_v1.types.FlowControl(max_messages=20)
    stream = peer.subscriber.subscribe(subscription, receive, flow_control=control)
    try:
        ids = [message for _ in range(3) for message in peer.publish(topic, *({"data": b"x"} for _ in range(100)))]
        assert done.wait(PATIENCE)
    finally:
        stream.cancel()
        stream.result(PATIENCE)
    assert seen == set(ids)
    assert most <= 20
    assert peer.pull_now(subscription) == []


def test_a_stream_ends_when_its_subscription_is_deleted(peer: Peer) -> None:
    subscription = peer.subscription(peer.topic())
    stream = peer.subscriber.subscribe(subscription, lambda message: message.ack())
    peer.subscriber.delete_subscription(subscription=subscription)
    with pytest.raises(exceptions.NotFound):
        stream.result(PATIENCE)


def test_a_push_has_googles_body_and_answers_decide(peer: Peer) -> None:
    with endpoint() as target:
        target.statuses += [500, 206]
        topic = peer.topic()
        policy = {"dead_letter_topic": topic, "max_delivery_attempts": 100}
        subscription = peer.subscription(
            topic,
            push_config={"push_endpoint": f"{target.url}/functions/notify_email"},
            retry_policy={"minimum_backoff": {}, "maximum_backoff": SECONDS},
            dead_letter_policy=policy,
        )
        (sent,) = peer.publish(topic, {"data": "铃".encode(), "attributes": {"channel": "email"}})
        pushes = [target.next() for _ in range(3)]
        for attempt, push in enumerate(pushes, start=1):
            assert push.path == "/functions/notify_email"
            assert push.headers["Content-Type"] == "application/json"
            assert push.body["subscription"] == subscription
            message = dict(push.body["message"])
            assert base64.b64decode(message.pop("data")).decode() == "铃"
            assert message.pop("attributes") == {"channel": "email"}
            assert message.pop("messageId") == message.pop("message_id") == sent
            assert message.pop("publishTime") == message["publish_time"]
            assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", message.pop("publish_time"))
            assert message == {}
            counted = not peer.differs(Difference.NO_DELIVERY_ATTEMPT_ON_PUSH)
            assert push.body.get("deliveryAttempt") == (attempt if counted else None)
        # Acknowledged by the 204: a second message is the only thing that still arrives.
        (second,) = peer.publish(topic, {"data": b"y"})
        assert target.next().body["message"]["messageId"] == second


def test_a_redirected_push_has_failed(peer: Peer) -> None:
    with endpoint() as target:
        target.statuses += [302]
        topic = peer.topic()
        policy = {"minimum_backoff": {}, "maximum_backoff": SECONDS}
        peer.subscription(topic, push_config={"push_endpoint": target.url}, retry_policy=policy)
        (sent,) = peer.publish(topic, {"data": b"x"})
        assert target.next().body["message"]["messageId"] == sent
        if peer.differs(Difference.FOLLOWS_REDIRECTS):
            assert target.followed.wait(PATIENCE)
        else:
            assert target.next().body["message"]["messageId"] == sent
            assert not target.followed.is_set()


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_these_statuses_acknowledge_a_push(peer: Peer, status: int) -> None:
    with endpoint() as target:
        target.statuses += [status, status]
        topic = peer.topic()
        policy = {"minimum_backoff": {}, "maximum_backoff": {}}
        peer.subscription(topic, push_config={"push_endpoint": target.url}, retry_policy=policy)
        for _ in range(2):
            (sent,) = peer.publish(topic, {"data": b"x"})
            assert target.next().body["message"]["messageId"] == sent


def test_a_push_carries_a_token_for_its_audience(peer: Peer) -> None:
    with endpoint() as target:
        topic = peer.topic()
        for path, audience in (("/named", "http://127.0.0.1:8080/functions/notify_email"), ("/default", "")):
            token = {"service_account_email": ACCOUNT, "audience": audience}
            peer.subscription(topic, push_config={"push_endpoint": target.url + path, "oidc_token": token})
        peer.publish(topic, {"data": b"x"})
        pushes = {push.path: push for push in (target.next(), target.next())}
    if peer.differs(Difference.NO_TOKENS):
        assert all("Authorization" not in push.headers for push in pushes.values())
        return
    assert peer.signer
    for path, audience in (
        ("/named", "http://127.0.0.1:8080/functions/notify_email"),
        ("/default", target.url + "/default"),
    ):
        scheme, token_text = pushes[path].headers["Authorization"].split()
        claims = jwt.decode(token_text, certs=peer.signer.public_key.read_bytes(), audience=audience)
        assert scheme == "Bearer"
        assert (claims["iss"], claims["email"], claims["email_verified"]) == (
            "https://accounts.google.com",
            ACCOUNT,
            True,
        )
        assert claims["exp"] - claims["iat"] == 3600
        header = json.loads(base64.urlsafe_b64decode(token_text.split(".")[0] + "=="))
        assert header["alg"] == "RS256"


def test_a_push_config_turns_a_pull_subscription_into_a_push_one_and_back(peer: Peer) -> None:
    with endpoint() as target:
        topic = peer.topic()
        subscription = peer.subscription(topic)
        (sent,) = peer.publish(topic, {"data": b"x"})
        peer.subscriber.modify_push_config(subscription=subscription, push_config={"push_endpoint": target.url})
        assert target.next().body["message"]["messageId"] == sent
        with peer.refuses(exceptions.FailedPrecondition, Difference.PULLS_FROM_PUSH):
            peer.pull_now(subscription)
        peer.subscriber.modify_push_config(subscription=subscription, push_config={})
        (later,) = peer.publish(topic, {"data": b"y"})
        assert eventually_pulled(peer, subscription).message.message_id == later
        with pytest.raises(queue.Empty):
            target.arrived.get_nowait()


def test_the_subscriptions_of_a_deleted_topic_keep_what_they_have(peer: Peer) -> None:
    topic = peer.topic()
    subscription = peer.subscription(topic)
    (sent,) = peer.publish(topic, {"data": b"x"})
    peer.publisher.delete_topic(topic=topic)
    assert peer.subscriber.get_subscription(subscription=subscription).topic == "_deleted-topic_"
    assert eventually_pulled(peer, subscription).message.message_id == sent


def test_a_detached_subscription_stays_and_gets_nothing_more(peer: Peer) -> None:
    topic = peer.topic()
    subscription = peer.subscription(topic)
    peer.publish(topic, {"data": b"x"})
    if peer.differs(Difference.NO_DETACHING):
        with pytest.raises(exceptions.MethodNotImplemented):
            peer.publisher.detach_subscription(request={"subscription": subscription})
        return
    peer.publisher.detach_subscription(request={"subscription": subscription})
    peer.publish(topic, {"data": b"y"})
    assert peer.subscriber.get_subscription(subscription=subscription).detached
    assert subscription not in peer.publisher.list_topic_subscriptions(topic=topic)
    with pytest.raises(exceptions.FailedPrecondition):
        peer.pull_now(subscription)


def test_every_listed_difference_is_asserted_in_a_test() -> None:
    sources = [Path(__file__), Path(__file__).with_name("test_pubsub_seek.py")]
    asserted = {name for each in sources for name in re.findall(r"Difference\.([A-Z][A-Z_]+)", each.read_text())}
    assert asserted == set(Difference.__members__)
