"""What a snapshot keeps and for how long: what its subscription owed when it was made, and all that came after.

A snapshot holds the messages itself, so that a seek to it finds them whatever a subscription has acknowledged since.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from google.pubsub_v1 import types

from infra.local.pubsub.errors import already_exists, failed_precondition, not_found
from infra.local.pubsub.messages import Message

LONGEST = timedelta(days=7)  # less the age of the oldest message in it
SHORTEST = timedelta(hours=1)


class Album(Protocol):
    """Where snapshots are written down."""

    def snapshot_saved(self, snapshot: types.Snapshot) -> None: ...

    def snapshot_filled(self, name: str, messages: Iterable[Message]) -> None: ...

    def snapshot_deleted(self, name: str) -> None: ...


@dataclass
class SnapshotState:
    """A snapshot with what a seek to it makes unacknowledged."""

    resource: types.Snapshot
    messages: OrderedDict[str, Message] = field(default_factory=OrderedDict)


class Snapshots:
    """Every snapshot by its name."""

    def __init__(self, album: Album) -> None:
        self._album = album
        self._states: dict[str, SnapshotState] = {}

    def named(self, name: str) -> SnapshotState:
        """Raises NOT_FOUND."""
        if name not in self._states:
            raise not_found(name)
        return self._states[name]

    def names(self, prefix: str) -> list[str]:
        """Those of a project, `projects/P/`."""
        return [name for name in self._states if name.startswith(prefix)]

    def names_of(self, topic: str) -> list[str]:
        """Those that keep what is published to the topic."""
        return [name for name, state in self._states.items() if state.resource.topic == topic]

    def create(self, snapshot: types.Snapshot, owed: Sequence[Message], now: datetime) -> types.Snapshot:
        """Take a checked snapshot of what is owed now. Raises FAILED_PRECONDITION when that is too old to be kept."""
        if snapshot.name in self._states:
            raise already_exists(snapshot.name)
        oldest = min((message.published_at for message in owed), default=now)
        expires = min(oldest, now) + LONGEST
        if expires < now + SHORTEST:
            raise failed_precondition(
                f"The backlog is too old: its oldest message was published at {oldest.isoformat()}, so the snapshot "
                "would expire in less than one hour."
            )
        snapshot.expire_time = expires
        self.restore(snapshot, owed)
        self._album.snapshot_saved(snapshot)
        self._album.snapshot_filled(snapshot.name, owed)
        return snapshot

    def update(self, snapshot: types.Snapshot) -> None:
        """Replace a snapshot's resource by a checked one."""
        self.named(snapshot.name).resource = snapshot
        self._album.snapshot_saved(snapshot)

    def delete(self, name: str) -> None:
        """What only it kept is gone."""
        self.named(name)
        del self._states[name]
        self._album.snapshot_deleted(name)

    def keep(self, topic: str, messages: Iterable[Message]) -> list[str]:
        """Add what was published; the names of the snapshots that keep it."""
        names = self.names_of(topic)
        for name in names:
            self._states[name].messages.update((message.id, message) for message in messages)
        return names

    def expire(self, now: datetime) -> None:
        """Delete those whose time is over."""
        for name, state in tuple(self._states.items()):
            if state.resource.expire_time <= now:
                self.delete(name)

    def due(self) -> datetime | None:
        """When `expire` next has something to do."""
        return min((state.resource.expire_time for state in self._states.values()), default=None)

    def restore(self, snapshot: types.Snapshot, messages: Iterable[Message]) -> None:
        """Take a snapshot back in after a restart."""
        self._states[snapshot.name] = SnapshotState(snapshot, OrderedDict((each.id, each) for each in messages))
