"""What a seek makes of a subscription: which messages it owes again, and which no more."""

from collections.abc import Iterator
from datetime import datetime

from infra.local.pubsub.broker import Broker, SubscriptionState
from infra.local.pubsub.errors import failed_precondition
from infra.local.pubsub.messages import Message
from infra.local.pubsub.settings import topic_retention
from infra.local.pubsub.snapshots import SnapshotState


def to_time(broker: Broker, state: SubscriptionState, moment: datetime) -> None:
    """Owe what was published at `moment` or later, of all that subscription and topic still keep, and nothing older."""
    _rewind(broker, state, {each.id: each for each in _kept(broker, state) if each.published_at >= moment})


def to_snapshot(broker: Broker, state: SubscriptionState, snapshot: SnapshotState) -> None:
    """Owe what the snapshot holds, as far as the subscription's filter lets it through, and nothing else."""
    if snapshot.resource.topic != state.resource.topic:
        raise failed_precondition(
            f"The subscription's topic {state.resource.topic} is different from that of the snapshot "
            f"{snapshot.resource.topic}; they must be the same."
        )
    matches = state.backlog.settings.matches
    _rewind(broker, state, {each.id: each for each in snapshot.messages.values() if matches(each.attributes)})


def _rewind(broker: Broker, state: SubscriptionState, owed: dict[str, Message]) -> None:
    if state.resource.detached:
        raise failed_precondition(f"The subscription is detached from its topic (resource={state.resource.name}).")
    state.backlog.rewind(owed)
    broker.touched(state)


def _kept(broker: Broker, state: SubscriptionState) -> Iterator[Message]:
    now, settings = broker.clock.now(), state.backlog.settings
    yield from (delivery.message for delivery in state.backlog.pending.values())
    yield from (each for each in state.backlog.settled.values() if each.published_at > now - settings.retention)
    topic = broker.topics.get(state.resource.topic)
    retention = topic and topic_retention(topic.resource)
    if topic and retention:
        young = (each for each in topic.log.values() if each.published_at > now - retention)
        yield from (each for each in young if settings.matches(each.attributes))
