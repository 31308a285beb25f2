"""How a delivery moves: the calls of the channels and of the sweep, one statement each.

What a move decides and guards is written in the database (infra/migrations/sql/0005_deliveries.sql): every one is
conditional on (id, state, attempt).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Integer, Row, Text, column, text

from shared.config import config
from shared.errors import BelfryError
from shared.outbox import OutboxMessage

Kind = Literal["transient", "permanent", "config", "uncertain"]


class SendFailedError(BelfryError):
    """The channel did not take the message."""

    def __init__(self, kind: Kind, code: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.code = kind, code


@dataclass(frozen=True)
class Claimed:
    """A delivery that this sender holds; `attempt` is its fence, its text is made of `facts` in `language`."""

    id: int
    attempt: int
    generation: int
    target: str
    language: str
    time_zone: str
    type: str
    reason: str
    severity: str
    facts: dict[str, Any]
    alert_id: int | None


_CLAIM = text("select * from belfry.claim_deliveries(cast(:ids as bigint[]), :channel, cast(:channels as text[]))")
_COMMITTING = text("select belfry.delivery_committing(:id, :attempt)")
_SENT = text("select belfry.delivery_sent(:id, :attempt, :message_id)")
_FAILED = text("""select belfry.deliveries_failed(cast(:ids as bigint[]), cast(:attempts as int[]), :kind, :code,
  :error, cast(:channels as text[]))""")
_IN_APP = text("select belfry.deliver_in_app(cast(:ids as bigint[]), cast(:channels as text[]))")
_REQUEUE = text("""
  with r as materialized (select * from belfry.requeue_deliveries())
  select (count(*) filter (where state = 'queued'))::int as requeued,
         (count(*) filter (where state = 'uncertain'))::int as uncertain,
         (count(*) filter (where state = 'dead'))::int as dead,
         coalesce(array_agg(id) filter (where state = 'queued'), '{}') as again,
         coalesce(array_agg(id) filter (where state = 'dead'), '{}') as given_up
  from r""")
_AGAIN = text("""select belfry.announce_deliveries(cast(:again as bigint[]), cast(:execution as uuid)),
  belfry.offer_other_channels(cast(:given_up as bigint[]), cast(:channels as text[]))""")
_EXPIRE = text("select belfry.expire_deliveries()")
_RELEASE = text("""select released, digests, digested, suppressed
  from belfry.release_deliveries(cast(:channels as text[]), :digest_min, cast(:execution as uuid))""")
_RETRY = text("select belfry.retry_deliveries(cast(:execution as uuid))")
_TAKE = text("select id, topic, attributes, payload from belfry.take_outbox(:limit)")
_COUNTED = text("""
  select channel || '_' || case when state = 'delivered' then 'sent' else state end as name, count(*)::int as n
  from belfry.notification_deliveries
  where created_at >= cast(:now as timestamptz) - make_interval(hours => :hours)
    and created_at < cast(:now as timestamptz)
  group by 1 order by 1""").columns(column("name", Text), column("n", Integer))


def claim(db: Connection, ids: Sequence[int], channel: str) -> list[Claimed]:
    """The next few of these deliveries, leased to the caller; what may not be sent now is moved away. Empty: none."""
    rows = db.execute(_CLAIM, {"ids": list(ids), "channel": channel, "channels": config().channels})
    return [Claimed(*row) for row in rows]


def committing(db: Connection, delivery: Claimed) -> bool:
    """Say that the point of no return comes next; False: somebody else has the delivery, do not send."""
    return bool(db.execute(_COMMITTING, {"id": delivery.id, "attempt": delivery.attempt}).scalar_one())


def mark_sent(db: Connection, delivery: Claimed, provider_message_id: str) -> bool:
    """The provider confirmed it: from now on nothing sends this delivery again (P5)."""
    sent = {"id": delivery.id, "attempt": delivery.attempt, "message_id": provider_message_id}
    return bool(db.execute(_SENT, sent).scalar_one())


def mark_failed(db: Connection, failed: Collection[Claimed], failure: SendFailedError) -> int:
    """Move what was not taken: next step of the ladder, dead, uncertain, or waiting for its channel. How many moved."""
    moves = {
        "ids": [d.id for d in failed],
        "attempts": [d.attempt for d in failed],
        "kind": failure.kind,
        "code": failure.code,
        "error": str(failure),
        "channels": config().channels,
    }
    return int(db.execute(_FAILED, moves).scalar_one())


def deliver_in_app(db: Connection, ids: Sequence[int]) -> int:
    """Put these into the inbox: one transaction, so exactly once (P6)."""
    return int(db.execute(_IN_APP, {"ids": list(ids), "channels": config().channels}).scalar_one())


def requeue(db: Connection, execution_id: str) -> dict[str, int]:
    """Take back sends whose lease ran out, and announce those that certainly did not leave."""
    row = db.execute(_REQUEUE).one()
    again = {"again": row.again, "given_up": row.given_up, "channels": config().channels, "execution": execution_id}
    db.execute(_AGAIN, again)
    return {"requeued": row.requeued, "uncertain": row.uncertain, "dead": row.dead}


def expire(db: Connection) -> int:
    """Give up what nobody needs to know any more; answers how many."""
    return int(db.execute(_EXPIRE).scalar_one())


def release(db: Connection, execution_id: str, *, digest_min: int) -> dict[str, int]:
    """Let go what waited for quiet hours to end or for a channel to come back, judged again and merged into digests."""
    asked = {"channels": config().channels, "digest_min": digest_min, "execution": execution_id}
    row: Row[Any] = db.execute(_RELEASE, asked).one()
    return dict(row._mapping)


def retry(db: Connection, execution_id: str) -> int:
    """Announce what is due again; answers how many deliveries."""
    return int(db.execute(_RETRY, {"execution": execution_id}).scalar_one())


def take_outbox(db: Connection, limit: int) -> list[OutboxMessage]:
    """The oldest unpublished messages, the caller's for half a minute: two sweeps never take the same (fault 46)."""
    return [OutboxMessage(str(r.id), r.topic, r.attributes, r.payload) for r in db.execute(_TAKE, {"limit": limit})]


def counted_by_channel(db: Connection, now: datetime, hours: int) -> dict[str, int]:
    """The deliveries of the hours before `now` by channel and state, e.g. {"email_sent": 12, "email_dead": 1}.

    From tick to tick every delivery is counted in one hour, what the run itself writes in the next.
    """
    return {row.name: row.n for row in db.execute(_COUNTED, {"now": now, "hours": hours})}
