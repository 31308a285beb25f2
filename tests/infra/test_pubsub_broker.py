"""Deadlines, backoff, dead letters and retention, on a clock that the tests move."""

from datetime import timedelta

import pytest
from google.pubsub_v1 import types

from infra.local.pubsub.backlog import Backlog, Delivery
from infra.local.pubsub.broker import Broker
from infra.local.pubsub.messages import Draft
from infra.local.pubsub.no_store import NoStore
from infra.local.pubsub.settings import checked_subscription, checked_topic
from tests.infra.pubsub_world import PROJECT, VirtualClock

TOPIC, LETTERS = f"{PROJECT}/topics/notifications", f"{PROJECT}/topics/dead-letters"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def broker(clock: VirtualClock) -> Broker:
    broker = Broker(clock, NoStore())
    for name in (TOPIC, LETTERS):
        broker.create_topic(checked_topic(types.Topic(name=name)))
    return broker


def subscribe(broker: Broker, topic: str = TOPIC, **fields: object) -> Backlog:
    name = f"{PROJECT}/subscriptions/reader-{len(broker.subscriptions)}"
    subscription = checked_subscription(types.Subscription(name=name, topic=topic, **fields))
    return broker.create_subscription(subscription).backlog


def publish(broker: Broker, *texts: str) -> None:
    broker.publish(TOPIC, [Draft(text.encode(), {}) for text in texts])


def lease(broker: Broker, backlog: Backlog, limit: int = 100) -> list[Delivery]:
    taken = backlog.lease(limit, broker.clock.now(), backlog.settings.ack_deadline)
    broker.touched(broker.subscriptions[backlog.name])
    return taken


def nack(broker: Broker, backlog: Backlog, delivery: Delivery) -> None:
    assert backlog.extend(delivery.message.id, delivery.lease, broker.clock.now(), timedelta())
    broker.touched(broker.subscriptions[backlog.name])


def texts(deliveries: list[Delivery]) -> list[str]:
    return [delivery.message.data.decode() for delivery in deliveries]


def test_a_leased_message_is_nobody_elses_until_its_deadline(broker: Broker, clock: VirtualClock) -> None:
    backlog = subscribe(broker, ack_deadline_seconds=30)
    publish(broker, "a")
    assert texts(lease(broker, backlog)) == ["a"]
    clock.advance(29.9)
    assert lease(broker, backlog) == []
    clock.advance(0.1)
    (again,) = lease(broker, backlog)
    assert again.attempt == 2


def test_an_extended_deadline_counts_from_the_extension(broker: Broker, clock: VirtualClock) -> None:
    backlog = subscribe(broker)
    publish(broker, "a")
    (delivery,) = lease(broker, backlog)
    clock.advance(9)
    assert backlog.extend(delivery.message.id, delivery.lease, clock.now(), timedelta(seconds=60))
    clock.advance(59)
    assert lease(broker, backlog) == []
    clock.advance(1)
    assert texts(lease(broker, backlog)) == ["a"]


def test_an_acknowledged_message_never_comes_back(broker: Broker, clock: VirtualClock) -> None:
    backlog = subscribe(broker)
    publish(broker, "a", "b")
    first, _second = lease(broker, backlog)
    assert backlog.acknowledge(first.message.id, first.lease)
    clock.advance(600)
    assert texts(lease(broker, backlog)) == ["b"]


def test_a_late_acknowledgement_counts_unless_somebody_else_has_the_message(
    broker: Broker, clock: VirtualClock
) -> None:
    backlog = subscribe(broker)
    publish(broker, "a", "b")
    first, second = lease(broker, backlog)
    held = {first.message.id: first.lease, second.message.id: second.lease}
    clock.advance(10)
    (again,) = lease(broker, backlog, limit=1)
    free = second if again is first else first
    assert not backlog.acknowledge(again.message.id, held[again.message.id])
    assert backlog.acknowledge(free.message.id, held[free.message.id])
    assert list(backlog.pending) == [again.message.id]


def test_a_nacked_message_without_a_retry_policy_is_ready_at_once(broker: Broker) -> None:
    backlog = subscribe(broker)
    publish(broker, "a")
    (delivery,) = lease(broker, backlog)
    nack(broker, backlog, delivery)
    assert texts(lease(broker, backlog)) == ["a"]


def test_failures_rest_twice_as_long_each_time_up_to_the_maximum(broker: Broker, clock: VirtualClock) -> None:
    backlog = subscribe(
        broker,
        retry_policy={"minimum_backoff": timedelta(seconds=10), "maximum_backoff": timedelta(seconds=60)},
        ack_deadline_seconds=20,
    )
    publish(broker, "a")
    for rest in (10, 20, 40, 60, 60):
        (delivery,) = lease(broker, backlog)
        nack(broker, backlog, delivery)
        clock.advance(rest - 0.001)
        assert lease(broker, backlog) == []
        clock.advance(0.001)
    lease(broker, backlog)
    clock.advance(20)  # the sixth failure is a missed deadline: it rests too
    assert lease(broker, backlog) == []
    clock.advance(60)
    assert [delivery.attempt for delivery in lease(broker, backlog)] == [7]


def test_the_fifth_failure_of_five_goes_to_the_dead_letters_with_its_story(broker: Broker, clock: VirtualClock) -> None:
    backlog = subscribe(broker, dead_letter_policy={"dead_letter_topic": LETTERS, "max_delivery_attempts": 5})
    letters = subscribe(broker, LETTERS)
    broker.publish(TOPIC, [Draft(b"a", {"channel": "email"})])
    for attempt in (1, 2, 3, 4, 5):
        (delivery,) = lease(broker, backlog)
        assert delivery.attempt == attempt
        assert not letters.pending
        if attempt % 2:
            nack(broker, backlog, delivery)
        else:
            clock.advance(10)
    assert not backlog.pending
    (letter,) = lease(broker, letters)
    assert letter.message.data == b"a"
    assert letter.message.attributes == {
        "channel": "email",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": "reader-0",
        "CloudPubSubDeadLetterSourceSubscriptionProject": "belfry-local",
        "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-03-02T01:00:00.000Z",
    }


def test_without_its_dead_letter_topic_a_message_goes_on_being_delivered(broker: Broker) -> None:
    backlog = subscribe(broker, dead_letter_policy={"dead_letter_topic": LETTERS, "max_delivery_attempts": 5})
    broker.delete_topic(LETTERS)
    publish(broker, "a")
    for attempt in range(1, 8):
        (delivery,) = lease(broker, backlog)
        assert delivery.attempt == attempt
        nack(broker, backlog, delivery)


def test_a_message_past_the_retention_is_forgotten_leased_or_not(broker: Broker, clock: VirtualClock) -> None:
    backlog = subscribe(broker, message_retention_duration=timedelta(minutes=10))
    publish(broker, "old", "old and leased")
    clock.advance(595)
    assert len(lease(broker, backlog, limit=1)) == 1
    publish(broker, "young")
    clock.advance(5)
    assert texts(list(backlog.pending.values())) == ["young"]
    assert texts(lease(broker, backlog)) == ["young"]


def test_acknowledged_messages_are_kept_for_the_retention_only_where_the_subscription_asks(
    broker: Broker, clock: VirtualClock
) -> None:
    keeper = subscribe(broker, retain_acked_messages=True, message_retention_duration=timedelta(minutes=10))
    other = subscribe(broker)
    publish(broker, "a")
    for backlog in (keeper, other):
        (delivery,) = lease(broker, backlog)
        backlog.acknowledge(delivery.message.id, delivery.lease)
        broker.touched(broker.subscriptions[backlog.name])
    assert [message.data for message in keeper.settled.values()] == [b"a"]
    assert not other.settled
    clock.advance(600)
    assert not keeper.settled


def test_a_filter_decides_who_gets_a_message(broker: Broker) -> None:
    mail = subscribe(broker, filter='attributes.channel = "email"')
    everything = subscribe(broker)
    for channel in ("email", "sms"):
        broker.publish(TOPIC, [Draft(channel.encode(), {"channel": channel})])
    assert texts(lease(broker, mail)) == ["email"]
    assert texts(lease(broker, everything)) == ["email", "sms"]


def test_a_lease_is_cut_to_the_bytes_asked_for_but_never_to_nothing(broker: Broker) -> None:
    backlog = subscribe(broker)
    publish(broker, "x" * 100, "x" * 100, "x" * 100)
    taken = backlog.lease(10, broker.clock.now(), timedelta(seconds=10), max_bytes=250)
    assert len(taken) == 2
    assert len(backlog.lease(10, broker.clock.now(), timedelta(seconds=10), max_bytes=1)) == 1
