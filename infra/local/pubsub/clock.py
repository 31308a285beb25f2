"""Whose time the local Pub/Sub lives by: the real clock here, a virtual one in tests and in a played day."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Alarm(Protocol):
    """An action that waits for its time."""

    def cancel(self) -> None:
        """Forget the action; harmless after it ran."""


class Clock(Protocol):
    """Tells the time and rings once at a given one."""

    def now(self) -> datetime:
        """The present, zone-aware UTC."""

    def call_at(self, when: datetime, action: Callable[[], None]) -> Alarm:
        """Run `action` once at `when`, at once when that is past, but never inside this call."""


class RealClock:
    """The machine's clock; alarms ring on the running event loop."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def call_at(self, when: datetime, action: Callable[[], None]) -> Alarm:
        delay = max(0.0, (when - self.now()).total_seconds())
        return asyncio.get_running_loop().call_later(delay, action)
