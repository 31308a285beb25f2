"""What the local Pub/Sub knows and does: topics, subscriptions, and who gets what is published.

Pure state behind a clock and a journal: no gRPC, no HTTP, no disk. Whoever serves a subscription listens for changes of
its backlog; whoever keeps the state is a `Journal`.
"""

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from google.pubsub_v1 import types

from infra.local.pubsub.backlog import Backlog, Delivery
from infra.local.pubsub.clock import Alarm, Clock
from infra.local.pubsub.errors import already_exists, not_found
from infra.local.pubsub.journal import Journal, Routed
from infra.local.pubsub.messages import Draft, Message, dead_letter
from infra.local.pubsub.settings import DELETED_TOPIC, settings_of, topic_retention
from infra.local.pubsub.snapshots import Snapshots


@dataclass
class TopicState:
    """A topic with what its own retention keeps for a seek."""

    resource: types.Topic
    log: OrderedDict[str, Message] = field(default_factory=OrderedDict)


@dataclass
class SubscriptionState:
    """A subscription with its messages and the callbacks of those who serve it."""

    resource: types.Subscription
    backlog: Backlog
    listeners: set[Callable[[], None]] = field(default_factory=set)

    def changed(self) -> None:
        """Wake whoever serves this subscription."""
        for listener in tuple(self.listeners):
            listener()


class Broker:
    """Every topic and subscription, and the one alarm for whatever is due next."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self.clock = clock
        self.topics: dict[str, TopicState] = {}
        self.subscriptions: dict[str, SubscriptionState] = {}
        self.snapshots = Snapshots(journal)
        self._journal = journal
        # Numbers start at the present microsecond, so that ids and leases of an earlier life are not given out again.
        start = int(clock.now().timestamp() * 1_000_000)
        self._ids = itertools.count(start)
        self._leases = itertools.count(start)
        self._alarm: Alarm | None = None
        self._alarm_at: datetime | None = None

    def topic(self, name: str) -> TopicState:
        """Raises NOT_FOUND."""
        if name not in self.topics:
            raise not_found(name)
        return self.topics[name]

    def subscription(self, name: str) -> SubscriptionState:
        """Raises NOT_FOUND."""
        if name not in self.subscriptions:
            raise not_found(name)
        return self.subscriptions[name]

    def create_topic(self, topic: types.Topic) -> None:
        """Take a checked topic in."""
        if topic.name in self.topics:
            raise already_exists(topic.name)
        self.topics[topic.name] = TopicState(topic)
        self._journal.topic_saved(topic)

    def update_topic(self, topic: types.Topic) -> None:
        """Replace a topic's resource by a checked one."""
        state, now = self.topic(topic.name), self.clock.now()
        state.resource = topic
        self._journal.topic_saved(topic)
        self._journal.topic_retention_changed(topic.name, topic_retention(topic), now)
        self._trim(state, now)
        for reader in self.subscriptions_of(topic.name):
            self._inherit_retention(reader)
            self.touched(reader)

    def delete_topic(self, name: str) -> None:
        """Its subscriptions stay, keep what they have and get nothing more."""
        self.topic(name)
        for state in self.subscriptions.values():
            if state.resource.topic == name:
                state.resource.topic = DELETED_TOPIC
                self._inherit_retention(state)
                self._journal.subscription_saved(state.resource)
                self.touched(state)
        del self.topics[name]
        self._journal.topic_deleted(name)

    def subscriptions_of(self, topic: str) -> list[SubscriptionState]:
        """Those attached to the topic: the ones that get what is published."""
        return [
            state
            for state in self.subscriptions.values()
            if state.resource.topic == topic and not state.resource.detached
        ]

    def create_subscription(self, subscription: types.Subscription) -> SubscriptionState:
        """Take a checked subscription in; it gets what is published from now on."""
        if subscription.name in self.subscriptions:
            raise already_exists(subscription.name)
        self._check_topics(subscription)
        state = self.restore_subscription(subscription)
        self._journal.subscription_saved(subscription)
        return state

    def update_subscription(self, subscription: types.Subscription) -> None:
        """Replace a subscription's resource by a checked one; its messages stay."""
        self._check_topics(subscription)
        state = self.subscription(subscription.name)
        state.resource = subscription
        state.backlog.settings = settings_of(subscription)
        self._inherit_retention(state)
        self._journal.subscription_saved(subscription)
        self.touched(state)

    def delete_subscription(self, name: str) -> None:
        """Its messages go with it."""
        state = self.subscription(name)
        del self.subscriptions[name]
        self._journal.subscription_deleted(name)
        state.changed()

    def detach_subscription(self, name: str) -> None:
        """It stays in the lists, but its messages are gone and none will come."""
        state = self.subscription(name)
        state.backlog.clear()
        state.resource.detached = True
        self._journal.subscription_saved(state.resource)
        state.changed()

    def publish(self, topic: str, drafts: Iterable[Draft]) -> list[str]:
        """Number the messages and hand each to every subscription whose filter lets it through."""
        target = self.topic(topic)
        readers = self.subscriptions_of(topic)
        now = self.clock.now()
        retention = topic_retention(target.resource)
        routed: list[Routed] = []
        for draft in drafts:
            message = Message(str(next(self._ids)), now, draft.data, draft.attributes, draft.ordering_key)
            takers = [state for state in readers if state.backlog.settings.matches(message.attributes)]
            for state in takers:
                state.backlog.add(Delivery(message))
            if retention is not None:
                target.log[message.id] = message
            routed.append((message, [state.resource.name for state in takers]))
        pictured = self.snapshots.keep(topic, [message for message, _ in routed])
        self._journal.published(topic, routed, now + retention if retention else now, pictured)
        self._trim(target, now)
        for state in readers:
            self.touched(state)
        return [message.id for message, _ in routed]

    def create_snapshot(self, snapshot: types.Snapshot, state: SubscriptionState) -> None:
        """Take a checked snapshot of what the subscription owes now; it expires by itself."""
        owed = [delivery.message for delivery in state.backlog.pending.values()]
        self.snapshots.create(snapshot, owed, self.clock.now())
        self._arm_by(self.snapshots.due())

    def touched(self, state: SubscriptionState) -> None:
        """After a change of a backlog: move the alarm up when needed, wake the listeners."""
        self._arm_by(state.backlog.due())
        state.changed()

    def wake(self) -> None:
        """After a restart: set the alarm, begin to serve what was left."""
        self._arm_by(self.snapshots.due())
        for state in tuple(self.subscriptions.values()):
            self.touched(state)

    def close(self) -> None:
        """Let no alarm ring any more."""
        if self._alarm:
            self._alarm.cancel()
            self._alarm = self._alarm_at = None

    def number_from(self, first: int) -> None:
        """Give out no message id below `first`: a clock that was set back must not name two messages alike."""
        self._ids = itertools.count(max(first, next(self._ids)))

    def restore_topic(self, topic: types.Topic, log: Iterable[Message]) -> None:
        """Take a topic back in after a restart."""
        self.topics[topic.name] = TopicState(topic, OrderedDict((message.id, message) for message in log))

    def restore_subscription(self, subscription: types.Subscription) -> SubscriptionState:
        """Take a subscription back in after a restart; its deliveries follow by `backlog.add`, then `touched`."""

        def bury(message: Message, attempts: int) -> bool:
            return self._bury(state, message, attempts)

        backlog = Backlog(subscription.name, settings_of(subscription), self._journal, self._leases, bury)
        state = SubscriptionState(subscription, backlog)
        self._inherit_retention(state)
        self.subscriptions[subscription.name] = state
        return state

    def _check_topics(self, subscription: types.Subscription) -> None:
        if subscription.topic != DELETED_TOPIC:
            self.topic(subscription.topic)
        if subscription.dead_letter_policy.dead_letter_topic:
            self.topic(subscription.dead_letter_policy.dead_letter_topic)

    def _bury(self, source: SubscriptionState, message: Message, attempts: int) -> bool:
        letter = source.backlog.settings.dead_letter
        if letter is None or letter.topic not in self.topics:
            return False
        self.publish(letter.topic, [dead_letter(message, attempts, source.resource.name)])
        return True

    def _inherit_retention(self, state: SubscriptionState) -> None:
        """What a topic retains is there for its subscriptions, whatever they retain themselves."""
        topic = self.topics.get(state.resource.topic)
        retention = topic_retention(topic.resource) if topic else None
        state.backlog.topic_retention = retention or timedelta()
        wire = types.Subscription.pb(state.resource)
        if retention:
            wire.topic_message_retention_duration.FromTimedelta(retention)
        else:
            wire.ClearField("topic_message_retention_duration")

    def _trim(self, topic: TopicState, now: datetime) -> None:
        retention = topic_retention(topic.resource)
        while topic.log and (retention is None or next(iter(topic.log.values())).published_at <= now - retention):
            topic.log.popitem(last=False)

    def _arm_by(self, due: datetime | None) -> None:
        if due is None or (self._alarm_at is not None and self._alarm_at <= due):
            return
        if self._alarm:
            self._alarm.cancel()
        self._alarm_at = due
        self._alarm = self.clock.call_at(due, self._ring)

    def _ring(self) -> None:
        self._alarm = self._alarm_at = None
        now = self.clock.now()
        self.snapshots.expire(now)
        self._arm_by(self.snapshots.due())
        for state in tuple(self.subscriptions.values()):
            if state.backlog.advance(now):
                self.touched(state)
            self._arm_by(state.backlog.due())
