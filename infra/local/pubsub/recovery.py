"""What a restart finds in the journal's file: topics with their logs, subscriptions with what they owe, snapshots."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from google.pubsub_v1 import types

from infra.local.pubsub.backlog import Delivery
from infra.local.pubsub.broker import Broker
from infra.local.pubsub.messages import Message

# What neither a topic's retention, nor a subscription, nor a snapshot keeps; to be given the time in microseconds.
PRUNE = """DELETE FROM messages WHERE keep_until <= ?
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.message = messages.id)
    AND NOT EXISTS (SELECT 1 FROM pictures WHERE pictures.message = messages.id)"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(database: sqlite3.Connection, broker: Broker) -> None:
    """Fill an empty broker."""
    ((last,),) = database.execute("SELECT ifnull(max(id), 0) FROM messages")
    broker.number_from(last + 1)
    now = micros(broker.clock.now())
    database.execute(PRUNE, (now,))
    messages = {row[0]: _message(row) for row in database.execute("SELECT * FROM messages ORDER BY id")}
    for _name, wire in database.execute("SELECT name, resource FROM topics"):
        topic = types.Topic.deserialize(wire)
        kept = database.execute(
            "SELECT id FROM messages WHERE topic = ? AND keep_until > ? ORDER BY id", (topic.name, now)
        )
        broker.restore_topic(topic, [messages[row[0]] for row in kept])
    for name, wire in database.execute("SELECT name, resource FROM subscriptions").fetchall():
        backlog = broker.restore_subscription(types.Subscription.deserialize(wire)).backlog
        for message, settled, failures, until in _deliveries(database, name):
            if settled:
                backlog.settled[str(message)] = messages[message]
            else:
                rest = None if until is None else _EPOCH + timedelta(microseconds=until)
                backlog.add(Delivery(messages[message], failures=failures, until=rest))
    for name, wire in database.execute("SELECT name, resource FROM snapshots").fetchall():
        rows = database.execute("SELECT message FROM pictures WHERE snapshot = ? ORDER BY message", (name,))
        broker.snapshots.restore(types.Snapshot.deserialize(wire), [messages[row[0]] for row in rows])


def micros(moment: datetime) -> int:
    """A time as the file keeps it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _deliveries(database: sqlite3.Connection, subscription: str) -> Iterator[tuple[int, int, int, int | None]]:
    return database.execute(
        "SELECT message, settled, failures, until FROM deliveries WHERE subscription = ? ORDER BY message",
        (subscription,),
    )


def _message(row: tuple[Any, ...]) -> Message:
    number, _topic, published_at, _keep_until, data, attributes, ordering_key = row
    moment = _EPOCH + timedelta(microseconds=published_at)
    return Message(str(number), moment, data, json.loads(attributes), ordering_key)
