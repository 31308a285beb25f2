"""What is written down of a Pub/Sub's life, in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from google.pubsub_v1 import types

from infra.local.pubsub.backlog import Ledger
from infra.local.pubsub.messages import Message
from infra.local.pubsub.snapshots import Album

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
