"""How the local Pub/Sub survives a restart: its journal in SQLite, written in batches off the event loop.

A publisher waits for `committed()`; acknowledgements do not, since a lost one only means one more delivery. The file
survives the death of the process (WAL), which is what a laptop's cloud is asked to survive.
"""

import asyncio
import itertools
import json
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.pubsub_v1 import types

from infra.local.pubsub.backlog import Delivery
from infra.local.pubsub.broker import Broker, Routed
from infra.local.pubsub.messages import Message

_SCHEMA = """
CREATE TABLE IF NOT EXISTS topics (name TEXT PRIMARY KEY, resource BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscriptions (name TEXT PRIMARY KEY, resource BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, published_at INTEGER NOT NULL, keep_until INTEGER NOT NULL,
    data BLOB NOT NULL, attributes TEXT NOT NULL, ordering_key TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    subscription TEXT NOT NULL, message INTEGER NOT NULL, settled INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0, until INTEGER, PRIMARY KEY (subscription, message)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_message ON deliveries (message);
"""
_PRUNE = """DELETE FROM messages WHERE keep_until <= ?
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.message = messages.id)"""
_PRUNE_EVERY = 20_000  # settled deliveries
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_log = logging.getLogger(__name__)


class NoStore:
    """The journal of a Pub/Sub without a folder: forgets at once."""

    def load(self, broker: Broker) -> None: ...

    def topic_saved(self, topic: types.Topic) -> None: ...

    def topic_deleted(self, name: str) -> None: ...

    def subscription_saved(self, subscription: types.Subscription) -> None: ...

    def subscription_deleted(self, name: str) -> None: ...

    def published(self, topic: str, messages: Sequence[Routed], keep_until: datetime) -> None: ...

    def delivery_changed(self, subscription: str, delivery: Delivery) -> None: ...

    def delivery_settled(self, subscription: str, message_id: str, keep: bool) -> None: ...

    async def committed(self) -> None: ...

    async def close(self) -> None: ...


class Store:
    """The journal in `<folder>/pubsub.sqlite3`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pubsub-store")
        self._database = self._thread.submit(_open, folder / "pubsub.sqlite3").result()
        self._changes: list[tuple[str, tuple[Any, ...]]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._writer: asyncio.Task[None] | None = None
        self._settled_since_prune = 0
        self._latest = 0

    def load(self, broker: Broker) -> None:
        """Fill an empty broker; only before anything is recorded."""
        self._thread.submit(_read, self._database, broker).result()

    def topic_saved(self, topic: types.Topic) -> None:
        self._record("INSERT OR REPLACE INTO topics VALUES (?, ?)", topic.name, types.Topic.serialize(topic))

    def topic_deleted(self, name: str) -> None:
        self._record("DELETE FROM topics WHERE name = ?", name)
        # What its retention kept goes with it.
        self._record("UPDATE messages SET keep_until = 0 WHERE topic = ?", name)

    def subscription_saved(self, subscription: types.Subscription) -> None:
        wire = types.Subscription.serialize(subscription)
        self._record("INSERT OR REPLACE INTO subscriptions VALUES (?, ?)", subscription.name, wire)

    def subscription_deleted(self, name: str) -> None:
        self._record("DELETE FROM subscriptions WHERE name = ?", name)
        self._record("DELETE FROM deliveries WHERE subscription = ?", name)

    def published(self, topic: str, messages: Sequence[Routed], keep_until: datetime) -> None:
        # All messages first, then all deliveries: equal statements in a row go to SQLite as one.
        for message, subscriptions in messages:
            self._latest = _micros(message.published_at)
            if subscriptions or keep_until > message.published_at:
                self._record(
                    "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)",
                    int(message.id),
                    topic,
                    self._latest,
                    _micros(keep_until),
                    message.data,
                    json.dumps(dict(message.attributes)),
                    message.ordering_key,
                )
        insert = "INSERT INTO deliveries (subscription, message) VALUES (?, ?)"
        for message, subscriptions in messages:
            for subscription in subscriptions:
                self._record(insert, subscription, int(message.id))

    def delivery_changed(self, subscription: str, delivery: Delivery) -> None:
        self._record(
            "UPDATE deliveries SET failures = ?, until = ? WHERE subscription = ? AND message = ?",
            delivery.failures,
            delivery.until and _micros(delivery.until),
            subscription,
            int(delivery.message.id),
        )

    def delivery_settled(self, subscription: str, message_id: str, keep: bool) -> None:
        where = "WHERE subscription = ? AND message = ?"
        action = "UPDATE deliveries SET settled = 1 " if keep else "DELETE FROM deliveries "
        self._record(action + where, subscription, int(message_id))
        self._settled_since_prune += 1
        if self._settled_since_prune >= _PRUNE_EVERY:
            self._settled_since_prune = 0
            self._record(_PRUNE, self._latest)

    async def committed(self) -> None:
        """Return when everything recorded so far is on disk; raises sqlite3.Error when it could not be written."""
        if not self._changes and self._writer is None:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._start_writing()
        await waiter

    async def close(self) -> None:
        """Write what is left and let go of the file."""
        try:
            await self.committed()
        finally:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._database.close)
            self._thread.shutdown()

    def _record(self, statement: str, *parameters: Any) -> None:
        self._changes.append((statement, parameters))
        self._start_writing()

    def _start_writing(self) -> None:
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write_all())

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._changes or self._waiting:
            changes, self._changes = self._changes, []
            waiting, self._waiting = self._waiting, []
            try:
                await loop.run_in_executor(self._thread, _write, self._database, changes)
            except sqlite3.Error as error:
                # Kept in order for the next attempt, which the next change brings; whoever waits must not believe it.
                self._changes = changes + self._changes
                _log.exception("the Pub/Sub store cannot write; %d changes wait", len(self._changes))
                for waiter in [*waiting, *self._waiting]:
                    if not waiter.done():
                        waiter.set_exception(error)
                self._waiting.clear()
                break
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(None)
        self._writer = None


def _open(path: Path) -> sqlite3.Connection:
    # Nobody else has business in this file: whoever locks it is told of within a second.
    database = sqlite3.connect(path, timeout=1, isolation_level=None)
    path.chmod(0o600)
    # NORMAL: a commit is safe from a killed process, not from a power cut.
    database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA)
    return database


def _write(database: sqlite3.Connection, changes: list[tuple[str, tuple[Any, ...]]]) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        for statement, group in itertools.groupby(changes, key=lambda change: change[0]):
            database.executemany(statement, (parameters for _, parameters in group))
        database.execute("COMMIT")
    except sqlite3.Error:
        # A full disk may have ended the transaction already.
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _read(database: sqlite3.Connection, broker: Broker) -> None:
    ((last,),) = database.execute("SELECT ifnull(max(id), 0) FROM messages")
    broker.number_from(last + 1)
    now = _micros(broker.clock.now())
    database.execute(_PRUNE, (now,))
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


def _deliveries(database: sqlite3.Connection, subscription: str) -> Iterator[tuple[int, int, int, int | None]]:
    return database.execute(
        "SELECT message, settled, failures, until FROM deliveries WHERE subscription = ? ORDER BY message",
        (subscription,),
    )


def _message(row: tuple[Any, ...]) -> Message:
    number, _topic, published_at, _keep_until, data, attributes, ordering_key = row
    moment = _EPOCH + timedelta(microseconds=published_at)
    return Message(str(number), moment, data, json.loads(attributes), ordering_key)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
