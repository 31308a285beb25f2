"""What one subscription still owes its subscriber: which messages are ready, out under a lease, or resting.

Nothing here knows of gRPC, HTTP or a real clock: every time is an argument. Settled messages are kept in `settled` when
the subscription retains them, so that a seek can bring them back.
"""

import heapq
import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from infra.local.pubsub.messages import Message
from infra.local.pubsub.settings import Settings


class State(Enum):
    """Where a message is between its publication and its acknowledgement."""

    READY = "ready"
    LEASED = "leased"
    RESTING = "resting"


@dataclass(slots=True)
class Delivery:
    """One message on its way to one subscription."""

    message: Message
    failures: int = 0
    state: State = State.READY
    lease: int = 0  # number of the last lease, 0 = never handed out
    timer: int = 0  # number of the timer that may end the present state
    until: datetime | None = None

    @property
    def attempt(self) -> int:
        """1 + nacks + missed deadlines, as the API defines it."""
        return self.failures + 1


class Ledger(Protocol):
    """Where changes of a backlog are written down."""

    def delivery_changed(self, subscription: str, delivery: Delivery) -> None: ...

    def delivery_settled(self, subscription: str, message_id: str, keep: bool) -> None: ...

    def delivery_owed(self, subscription: str, message_id: str) -> None: ...


class Backlog:
    """The messages of one subscription. `bury` forwards a dead letter and says whether it could."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        ledger: Ledger,
        leases: "itertools.count[int]",
        bury: Callable[[Message, int], bool],
    ) -> None:
        self.name = name
        self.settings = settings
        self.topic_retention = timedelta()  # what the topic adds to the subscription's own
        self.pending: OrderedDict[str, Delivery] = OrderedDict()
        self.settled: OrderedDict[str, Message] = OrderedDict()
        self._ledger = ledger
        self._leases = leases
        self._bury = bury
        self._ready: deque[str] = deque()
        self._timers: list[tuple[datetime, int, str]] = []

    @property
    def has_ready(self) -> bool:
        """Whether a lease would yield something."""
        while self._ready and not self._is_ready(self._ready[0]):
            self._ready.popleft()
        return bool(self._ready)

    @property
    def next_size(self) -> int:
        """Bytes of the message that the next lease would yield first; 0 when there is none."""
        return self.pending[self._ready[0]].message.size if self.has_ready else 0

    def add(self, delivery: Delivery) -> None:
        """Take a message in: a new one, one read back after a restart, or one that a seek brought back."""
        self.pending[delivery.message.id] = delivery
        if delivery.until is None:
            self._make_ready(delivery)
        else:
            self._wait(delivery, State.RESTING, delivery.until)

    def lease(self, limit: int, now: datetime, deadline: timedelta, max_bytes: int | None = None) -> list[Delivery]:
        """Hand out up to `limit` messages, until `now + deadline`; at least one even if it exceeds `max_bytes`."""
        taken: list[Delivery] = []
        size = 0
        while len(taken) < limit and self.has_ready:
            delivery = self.pending[self._ready[0]]
            size += delivery.message.size
            if taken and max_bytes is not None and size > max_bytes:
                break
            self._ready.popleft()
            delivery.lease = next(self._leases)
            self._wait(delivery, State.LEASED, now + deadline)
            taken.append(delivery)
        return taken

    def holds(self, message_id: str, lease: int) -> bool:
        """Whether that lease is still running."""
        delivery = self.pending.get(message_id)
        return delivery is not None and delivery.lease == lease and delivery.state is State.LEASED

    def acknowledge(self, message_id: str, lease: int) -> bool:
        """Settle a message. A late one counts as long as nobody else was handed the message since."""
        delivery = self.pending.get(message_id)
        if delivery is None or delivery.lease != lease:
            return False
        self._settle(delivery)
        return True

    def extend(self, message_id: str, lease: int, now: datetime, deadline: timedelta) -> bool:
        """Move a running lease's end to `now + deadline`; zero gives the message back, which is a failure."""
        if not self.holds(message_id, lease):
            return False
        delivery = self.pending[message_id]
        if deadline:
            self._wait(delivery, State.LEASED, now + deadline)
        else:
            self._fail(delivery, now)
        return True

    def advance(self, now: datetime) -> bool:
        """End leases and rests that are over, forget what is past retention; whether anything changed."""
        changed = self._forget(now)
        while self._timers and self._timers[0][0] <= now:
            _, timer, message_id = heapq.heappop(self._timers)
            delivery = self.pending.get(message_id)
            if delivery is None or delivery.timer != timer:
                continue
            changed = True
            if delivery.state is State.LEASED:
                self._fail(delivery, now)
            else:
                self._make_ready(delivery)
        return changed

    def due(self) -> datetime | None:
        """When `advance` next has something to do."""
        while self._timers:
            _, timer, message_id = self._timers[0]
            delivery = self.pending.get(message_id)
            if delivery is not None and delivery.timer == timer:
                break
            heapq.heappop(self._timers)
        times = [self._timers[0][0]] if self._timers else []
        if self.pending:
            times.append(next(iter(self.pending.values())).message.published_at + self._longest)
        if self.settled:
            times.append(next(iter(self.settled.values())).published_at + self.settings.retention)
        return min(times, default=None)

    def rewind(self, owed: Mapping[str, Message]) -> None:
        """From now on owe exactly these (by id), each from its beginning: no lease, rest or failure is left."""
        for message_id in [each for each in self.pending if each not in owed]:
            self._settle(self.pending[message_id])
        self.pending.clear()
        self._ready.clear()
        self._timers.clear()
        for message in sorted(owed.values(), key=lambda each: int(each.id)):
            self.settled.pop(message.id, None)
            self.add(Delivery(message))
            self._ledger.delivery_owed(self.name, message.id)

    def clear(self) -> None:
        """Drop everything, as detaching does."""
        for message_id in [*self.pending, *self.settled]:
            self._ledger.delivery_settled(self.name, message_id, keep=False)
        self.pending.clear()
        self.settled.clear()
        self._ready.clear()
        self._timers.clear()

    @property
    def _longest(self) -> timedelta:
        """How old an unacknowledged message can become."""
        return max(self.settings.retention, self.topic_retention)

    def _is_ready(self, message_id: str) -> bool:
        delivery = self.pending.get(message_id)
        return delivery is not None and delivery.state is State.READY

    def _make_ready(self, delivery: Delivery) -> None:
        delivery.state = State.READY
        delivery.timer = 0
        delivery.until = None
        self._ready.append(delivery.message.id)

    def _wait(self, delivery: Delivery, state: State, until: datetime) -> None:
        delivery.state = state
        delivery.until = until
        delivery.timer = next(self._leases)
        heapq.heappush(self._timers, (until, delivery.timer, delivery.message.id))

    def _fail(self, delivery: Delivery, now: datetime) -> None:
        delivery.failures += 1
        letter = self.settings.dead_letter
        # A dead letter topic that is gone keeps its messages here: they go on being delivered.
        if letter and delivery.failures >= letter.max_attempts and self._bury(delivery.message, delivery.failures):
            self._settle(delivery)
            return
        rest = self.settings.backoff.after(delivery.failures) if self.settings.backoff else timedelta()
        if rest:
            self._wait(delivery, State.RESTING, now + rest)
        else:
            self._make_ready(delivery)
        self._ledger.delivery_changed(self.name, delivery)

    def _settle(self, delivery: Delivery) -> None:
        message = self.pending.pop(delivery.message.id).message
        keep = self.settings.retain_acked
        if keep:
            self.settled[message.id] = message
        self._ledger.delivery_settled(self.name, message.id, keep)

    def _forget(self, now: datetime) -> bool:
        forgotten = False
        horizon = now - self._longest
        while self.pending and next(iter(self.pending.values())).message.published_at <= horizon:
            message_id, _ = self.pending.popitem(last=False)
            self._ledger.delivery_settled(self.name, message_id, keep=False)
            forgotten = True
        horizon = now - self.settings.retention
        while self.settled and next(iter(self.settled.values())).published_at <= horizon:
            message_id, _ = self.settled.popitem(last=False)
            self._ledger.delivery_settled(self.name, message_id, keep=False)
            forgotten = True
        return forgotten
