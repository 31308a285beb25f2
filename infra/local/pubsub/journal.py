"""What is written down of a Pub/Sub's life, in order; and the journal of one that forgets at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from google.pubsub_v1 import types

from infra.local.pubsub.backlog import Delivery, Ledger
from infra.local.pubsub.messages import Message
from infra.local.pubsub.snapshots import Album

if TYPE_CHECKING:
    from infra.local.pubsub.broker import Broker

Routed = tuple[Message, Sequence[str]]  # a message and the subscriptions that get it


class Journal(Ledger, Album, Protocol):
    """Where every change is written down, in order."""

    def topic_saved(self, topic: types.Topic) -> None: ...

    def topic_retention_changed(self, name: str, retention: timedelta | None, now: datetime) -> None: ...

    def topic_deleted(self, name: str) -> None: ...

    def subscription_saved(self, subscription: types.Subscription) -> None: ...

    def subscription_deleted(self, name: str) -> None: ...

    def published(
        self, topic: str, messages: Sequence[Routed], keep_until: datetime, snapshots: Sequence[str]
    ) -> None: ...


class NoStore:
    """The journal of a Pub/Sub without a folder: forgets at once."""

    def load(self, broker: Broker) -> None: ...

    def topic_saved(self, topic: types.Topic) -> None: ...

    def topic_retention_changed(self, name: str, retention: timedelta | None, now: datetime) -> None: ...

    def topic_deleted(self, name: str) -> None: ...

    def subscription_saved(self, subscription: types.Subscription) -> None: ...

    def subscription_deleted(self, name: str) -> None: ...

    def snapshot_saved(self, snapshot: types.Snapshot) -> None: ...

    def snapshot_filled(self, name: str, messages: Iterable[Message]) -> None: ...

    def snapshot_deleted(self, name: str) -> None: ...

    def published(
        self, topic: str, messages: Sequence[Routed], keep_until: datetime, snapshots: Sequence[str]
    ) -> None: ...

    def delivery_changed(self, subscription: str, delivery: Delivery) -> None: ...

    def delivery_settled(self, subscription: str, message_id: str, keep: bool) -> None: ...

    def delivery_owed(self, subscription: str, message_id: str) -> None: ...

    async def committed(self) -> None: ...

    async def close(self) -> None: ...
