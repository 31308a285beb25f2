"""Bring notifications again: one delivery, those of one execution, or everything of a subscription since a time.

A plan first, with counts from our own tables: Pub/Sub's seek is only eventually consistent (P12). Whatever is brought
again, the database decides as it did the first time, so nothing that was sent is sent again; `resend` is the operator's
word that it shall be: one more generation, with a reason, in the audit log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from shared import db
from shared.config import CHANNELS
from shared.errors import InvalidRequest
from shared.operator.replay_request import DEPENDENTS, Asked
from shared.operator.seek import Seeker

SKEW = timedelta(minutes=1)  # the counts go by the database's clock, the seek by Pub/Sub's
NOTIFICATIONS, EVENTS = "notifications", "job-events"
# What a look would send: a push claims what is queued or due, and what certainly did not leave a dead sender.
_A_LOOK_SENDS = """d.state = 'queued' or d.state = 'retry_wait' and d.next_attempt_at <= belfry.clock()
  or d.state = 'sending' and d.phase = 'connecting' and d.lease_until < clock_timestamp()"""
_TO_SEND = {
    "delivery": "belfry.redrivable(d.state, d.reason, true)",
    "execution": "belfry.redrivable(d.state, d.reason, false)",
    "subscription": _A_LOOK_SENDS,
}
_COPIED = """d.state in ('sent', 'delivered') and not exists (
  select from belfry.notification_deliveries n where n.notification_id = d.notification_id and n.user_id = d.user_id
    and n.channel = d.channel and n.generation = d.generation + 1)"""
_AUDIT = text("""insert into belfry.audit_log (actor, action, target, after, reason)
  values (:actor, :action, :target, cast(:after as jsonb), :reason)""")
_FINISHED = text("""
  select 'job-events' as channel, e.state, count(*)::int as n, 0 as to_send, 0 as copied
  from belfry.job_executions e
  where e.finished_at >= :since and (cast(:until as timestamptz) is null or e.finished_at <= :until)
    and e.state in ('succeeded', 'partial')
    and exists (select from belfry.job_dependencies p where p.depends_on = e.job_id)
  group by 2 order by 2""")


@dataclass(frozen=True)
class Plan:
    """What a replay does. All of `matches` fit; `again` are looked at, `to_send` of them may go out now, `resend` get a
    copy; what was sent is `unchanged`. `after_until`: a seek has no end, so these are looked at as well."""

    scope: str
    since: datetime | None
    until: datetime | None
    subscriptions: tuple[str, ...]
    matches: int
    again: int
    to_send: int
    already_sent: int
    unchanged: int
    resend: int
    after_until: int
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    applied: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        times = {name: at and at.isoformat() for name, at in (("since", self.since), ("until", self.until))}
        return {**asdict(self), **times}


def plan(connection: Connection, asked: Asked, seeker: Seeker | None) -> Plan:
    """What `apply` would do with this checked request; nothing is changed. `seeker` only for a subscription.

    Raises InvalidRequest for a snapshot or subscription that is not there, Unavailable when Pub/Sub does not answer.
    """
    subscriptions: tuple[str, ...] = ()
    if asked.scope == "subscription":
        assert seeker is not None
        subscriptions = _subscriptions(asked, seeker)
        if asked.snapshot is not None:
            asked = replace(asked, since=_reach(asked, asked.snapshot, seeker))
    if subscriptions == (DEPENDENTS,):
        rows = connection.execute(_FINISHED, {"since": asked.since, "until": asked.until}).all()
    else:
        where, given = _where(asked, subscriptions)
        statement = f"""
          select d.channel, d.state, count(*)::int as n,
                 (count(*) filter (where {_TO_SEND[asked.scope]}))::int as to_send,
                 (count(*) filter (where {_COPIED}))::int as copied
          from belfry.notification_deliveries d where {where} group by 1, 2 order by 1, 2"""  # noqa: S608  # constants
        rows = connection.execute(text(statement), given).all()
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        counts.setdefault(row.channel, {})[row.state] = row.n
    matches, to_send = sum(row.n for row in rows), sum(row.to_send for row in rows)
    resend = sum(row.copied for row in rows) if asked.resend else 0
    return Plan(
        scope=asked.scope,
        since=asked.since,
        until=asked.until,
        subscriptions=subscriptions,
        matches=matches,
        again=matches if subscriptions else to_send + resend,
        to_send=to_send,
        already_sent=sum(row.n for row in rows if row.state in ("sent", "delivered")),
        unchanged=matches - to_send - resend,
        resend=resend,
        after_until=_after_until(connection, asked, subscriptions),
        counts=counts,
    )


def apply(connection: Connection, asked: Asked, seeker: Seeker | None, *, actor: str) -> Plan:
    """Do what `plan` says, and write down who did it. Broken off and asked again, it ends the same.

    Raises as `plan`; a seek that fails leaves what was committed before it, which a second attempt finds done.
    """
    found = plan(connection, asked, seeker)
    if not found.again:
        return found
    with db.transaction(connection):
        done = record(connection, asked, found, actor=actor)
    # After the commit: what a seek brings again finds every copy, and a database that is down stops it all.
    if seeker is not None:
        bring(asked, done, seeker)
    return done


def record(connection: Connection, asked: Asked, found: Plan, *, actor: str) -> Plan:
    """The part of a plan that the database does, in the caller's transaction: queue again, copy, write the audit."""
    where, given = _where(replace(asked, since=found.since), found.subscriptions)
    if not found.subscriptions and found.to_send:
        one = {**given, "one": asked.scope == "delivery"}
        statement = f"""select belfry.redrive_deliveries(array(
          select d.id from belfry.notification_deliveries d where {where}), :one)"""  # noqa: S608
        found = replace(found, to_send=connection.execute(text(statement), one).scalar_one())
    if found.resend:
        statement = f"""select belfry.resend_deliveries(array(
          select d.id from belfry.notification_deliveries d where {where} and {_COPIED}))"""  # noqa: S608
        found = replace(found, resend=connection.execute(text(statement), given).scalar_one())
    found = replace(found, applied=True)
    connection.execute(_AUDIT, _audited(asked, found, actor))
    return found


def bring(asked: Asked, done: Plan, seeker: Seeker) -> None:
    """The part of a plan that Pub/Sub does, after the commit. Done twice, it brings the same again and finds it done.

    Raises Unavailable when Pub/Sub does not do it.
    """
    for name in done.subscriptions:
        if asked.snapshot is not None:
            seeker.to_snapshot(name, asked.snapshot)
        else:
            assert asked.since is not None
            seeker.to_time(name, asked.since - SKEW)


def _subscriptions(asked: Asked, seeker: Seeker) -> tuple[str, ...]:
    """The push subscriptions that are meant and are there."""
    if asked.subscription == DEPENDENTS:
        there, wanted = seeker.subscriptions(EVENTS), [DEPENDENTS]
    else:
        channels = [asked.channel] if asked.channel else list(CHANNELS)
        there = seeker.subscriptions(NOTIFICATIONS)
        wanted = [asked.subscription] if asked.subscription else [f"notify-{channel}" for channel in channels]
    found = tuple(name for name in wanted if name in there)
    if not found:
        named = "subscription" if asked.subscription else "channel"
        message = f"Pub/Sub has no push subscription {' or '.join(wanted)}"
        raise InvalidRequest(404, f"unknown_{named}", message, field=named, allowed=sorted(there))
    return found


def _reach(asked: Asked, snapshot: str, seeker: Seeker) -> datetime:
    topic, since = seeker.reach(snapshot)
    wanted = EVENTS if asked.subscription == DEPENDENTS else NOTIFICATIONS
    if topic != wanted:
        message = f"the snapshot is of the topic {topic}, the subscription of {wanted}"
        raise InvalidRequest(422, "wrong_topic", message, field="snapshot", allowed=f"a snapshot of {wanted}")
    return since


def _where(asked: Asked, subscriptions: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """Which deliveries are meant, as a condition on `d` of constant parts, and its parameters."""
    channels = [name.removeprefix("notify-") for name in subscriptions]
    parts: dict[str, tuple[str, Any]] = {
        "delivery": ("d.id = :delivery", asked.delivery),
        "execution": ("d.execution_id = cast(:execution as uuid)", asked.execution and str(asked.execution)),
        "since": ("d.created_at >= :since", asked.since),
        "until": ("d.created_at <= :until", asked.until),
        "channels": ("d.channel = any(cast(:channels as text[]))", channels or None),
    }
    given = {name: value for name, (_, value) in parts.items() if value is not None}
    return " and ".join(parts[name][0] for name in given), given


def _after_until(connection: Connection, asked: Asked, subscriptions: tuple[str, ...]) -> int:
    if asked.until is None or not subscriptions or subscriptions == (DEPENDENTS,):
        return 0
    later = text("""select count(*)::int from belfry.notification_deliveries d
      where d.created_at > :until and d.channel = any(cast(:channels as text[]))""")
    channels = [name.removeprefix("notify-") for name in subscriptions]
    count: int = connection.execute(later, {"until": asked.until, "channels": channels}).scalar_one()
    return count


def _audited(asked: Asked, done: Plan, actor: str) -> dict[str, Any]:
    target = asked.delivery or asked.execution or asked.snapshot or ", ".join(done.subscriptions)
    return {
        "actor": actor,
        "action": f"replay.{done.scope}" + (".resend" if asked.resend else ""),
        "target": str(target),
        "after": json.dumps(done.as_dict()),
        "reason": asked.reason.strip() or None,
    }
