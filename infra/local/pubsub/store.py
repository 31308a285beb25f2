"""How the local Pub/Sub survives a restart: its journal in SQLite, written in batches off the event loop.

A publisher waits for `committed()`; acknowledgements do not, since a lost one only means one more delivery. The file
survives the death of the process (WAL), which is what a laptop's cloud is asked to survive.
"""

import asyncio
import itertools
import json
import logging
import sqlite3
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from google.pubsub_v1 import types

from infra.local.pubsub.backlog import Delivery
from infra.local.pubsub.broker import Broker
from infra.local.pubsub.journal import Routed
from infra.local.pubsub.messages import Message
from infra.local.pubsub.recovery import PRUNE, micros, read

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
CREATE TABLE IF NOT EXISTS snapshots (name TEXT PRIMARY KEY, resource BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pictures (
    snapshot TEXT NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (snapshot, message)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pictures_message ON pictures (message);
"""
_PICTURED = "INSERT INTO pictures VALUES (?, ?)"
_PRUNE_EVERY = 20_000  # settled deliveries

_log = logging.getLogger(__name__)


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
        self._thread.submit(read, self._database, broker).result()

    def topic_saved(self, topic: types.Topic) -> None:
        self._record("INSERT OR REPLACE INTO topics VALUES (?, ?)", topic.name, types.Topic.serialize(topic))

    def topic_retention_changed(self, name: str, retention: timedelta | None, now: datetime) -> None:
        if retention is None:
            self._record("UPDATE messages SET keep_until = 0 WHERE topic = ?", name)
            return
        longer = "UPDATE messages SET keep_until = published_at + ? WHERE topic = ? AND keep_until > ?"
        self._record(longer, retention // timedelta(microseconds=1), name, micros(now))

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

    def snapshot_saved(self, snapshot: types.Snapshot) -> None:
        wire = types.Snapshot.serialize(snapshot)
        self._record("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", snapshot.name, wire)

    def snapshot_filled(self, name: str, messages: Iterable[Message]) -> None:
        for message in messages:
            self._record(_PICTURED, name, int(message.id))

    def snapshot_deleted(self, name: str) -> None:
        self._record("DELETE FROM snapshots WHERE name = ?", name)
        self._record("DELETE FROM pictures WHERE snapshot = ?", name)

    def published(self, topic: str, messages: Sequence[Routed], keep_until: datetime, snapshots: Sequence[str]) -> None:
        # All messages first, then all deliveries: equal statements in a row go to SQLite as one.
        for message, subscriptions in messages:
            self._latest = micros(message.published_at)
            if subscriptions or snapshots or keep_until > message.published_at:
                self._record(
                    "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)",
                    int(message.id),
                    topic,
                    self._latest,
                    micros(keep_until),
                    message.data,
                    json.dumps(dict(message.attributes)),
                    message.ordering_key,
                )
        insert = "INSERT INTO deliveries (subscription, message) VALUES (?, ?)"
        for message, subscriptions in messages:
            for subscription in subscriptions:
                self._record(insert, subscription, int(message.id))
        for name in snapshots:
            self.snapshot_filled(name, (message for message, _ in messages))

    def delivery_changed(self, subscription: str, delivery: Delivery) -> None:
        self._record(
            "UPDATE deliveries SET failures = ?, until = ? WHERE subscription = ? AND message = ?",
            delivery.failures,
            delivery.until and micros(delivery.until),
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
            self._record(PRUNE, self._latest)

    def delivery_owed(self, subscription: str, message_id: str) -> None:
        insert = "INSERT OR REPLACE INTO deliveries (subscription, message) VALUES (?, ?)"
        self._record(insert, subscription, int(message_id))

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
