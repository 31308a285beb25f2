"""How a message leaves the house: claim a few, prepare one, say that the point of no return comes, transmit, mark."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from shared import db as database
from shared import deliveries, logs
from shared.deliveries import Claimed, SendFailedError

# Seconds. A chunk that takes longer than its lease would be taken over anyway: what is left then belongs to the sweep.
BUDGET = 45.0


class Sender(Protocol):
    """A connection to a provider. Its methods raise SendFailedError, which says what becomes of the delivery."""

    @property
    def is_open(self) -> bool:
        """Whether the next message can go over this connection."""

    def open(self) -> None:
        """Reach the provider; failing here is the whole channel's failure."""

    def prepare(self, delivery: Claimed) -> None:
        """Everything that can still be taken back."""

    def transmit(self) -> str:
        """The point of no return; answers the provider's id of the message."""

    def close(self) -> None:
        """Leave; never raises."""


def send(db: Connection, ids: Sequence[int], channel: str, sender: Sender) -> Mapping[str, int]:
    """Send what may be sent of these deliveries; answers how many were sent, failed and overtaken."""
    outcome: Counter[str] = Counter(sent=0, failed=0, overtaken=0)
    until = monotonic() + BUDGET
    try:
        while monotonic() < until and (claimed := deliveries.claim(db, ids, channel)):
            waiting = deque(claimed)
            while waiting and monotonic() < until:
                try:
                    if not sender.is_open:
                        sender.open()
                except SendFailedError as failure:
                    outcome["failed"] += _failed(db, waiting, failure)
                    break
                outcome[_send_one(db, waiting.popleft(), sender)] += 1
    finally:
        sender.close()
    return outcome


def _send_one(db: Connection, delivery: Claimed, sender: Sender) -> str:
    try:
        sender.prepare(delivery)
        if not deliveries.committing(db, delivery):
            sender.close()  # in the middle of a message that is not ours any more
            return "overtaken"
        message_id = sender.transmit()
    except SendFailedError as failure:
        return "failed" if _failed(db, [delivery], failure) else "overtaken"
    _mark_sent(db, delivery, message_id)
    return "sent"


def _failed(db: Connection, claimed: Collection[Claimed], failure: SendFailedError) -> int:
    logs.event("delivery_failed", level=30, delivery_ids=[d.id for d in claimed], kind=failure.kind, code=failure.code)
    return deliveries.mark_failed(db, claimed, failure)


def _mark_sent(db: Connection, delivery: Claimed, message_id: str) -> None:
    # The provider has it: a lost database connection must not turn that into doubt, so it is worth a second, fresh one.
    try:
        deliveries.mark_sent(db, delivery, message_id)
    except DBAPIError as error:
        if not database.is_retryable(error):
            raise
        with database.connect(now=_clock(db)) as fresh:
            deliveries.mark_sent(fresh, delivery, message_id)


def _clock(db: Connection) -> datetime | None:
    shown: Any = db.info.get("belfry.now")
    return datetime.fromisoformat(shown) if shown else None
