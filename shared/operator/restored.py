"""After Postgres came back to an earlier time: what may have been sent since then is held, until somebody says send.

What left the house between that time (`to`) and the restoration (`at`) is not known any more (W6). So three things are
not sent by themselves: deliveries that waited at `to` and were due before `at`; those of runs that were under way at
`to`, or whose tick lies in between; and those of the first run of every other job that rang in between, since it finds
again what the forgotten run had found and told. They are `suppressed` for the reason `restored`, visible and counted.
In-app messages were forgotten with everything else, so they are written again. Numbers of the forgotten time are not
given a second time: a mail's Message-ID and a message in Pub/Sub name them.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from shared.db import transaction
from shared.errors import InvalidRequest
from shared.schedule import Schedule

KEY, REASON = "restored", "restored"
APART = 1_000_000  # numbers left out: more than Belfry gives out in any time that is worth forgetting
LONGEST = timedelta(days=31)  # how far back Pub/Sub and the backups reach
# Whose deliveries the fan-out holds (shared/fan_out.py); one look at one row while nothing was restored.
HELD = f"""
  select e.id from belfry.biz_config c
  join belfry.job_executions e on e.id in (select distinct execution_id from r)
  cross join lateral (select cast(c.value ->> 'to' as timestamptz) as since,
                             cast(c.value ->> 'at' as timestamptz) as at) x
  where c.key = '{KEY}'
    and (e.created_at < x.at or e.run_at > x.since and e.run_at <= x.at
         or c.value -> 'jobs' ? e.job_id
            and not exists (select from belfry.job_executions o where o.job_id = e.job_id and o.id <> e.id
                            and o.state in ('succeeded', 'partial') and o.run_at > x.since and o.finished_at > x.at))"""  # noqa: S608

_NOW = text("select belfry.clock(), (select value from belfry.biz_config where key = :key)")
_GRIDS = text("""
  select job_id, effective_schedule as schedule, time_zone, gate_every_days, gate_anchor, gate_year
  from belfry.jobs where not orphan""")
_KEEP = text("""
  insert into belfry.biz_config (key, value) values (:key, cast(:value as jsonb))
  on conflict (key) do update set value = excluded.value, updated_at = clock_timestamp()""")
_HOLD = text("""
  with held as (
    update belfry.notification_deliveries set state = 'suppressed', reason = :reason, phase = 'none', lease_until = null
    where channel <> 'system' and state in ('queued', 'deferred', 'retry_wait', 'sending', 'uncertain')
      and (state = 'sending' or next_attempt_at <= :at)
    returning channel)
  select channel, count(*)::int as n from held group by 1 order by 1""")
_RENUMBER = text("""
  select count(setval(format('%I.%I', schemaname, sequencename)::regclass, coalesce(last_value, 0) + :apart))
  from pg_sequences where schemaname = 'belfry' and increment_by = 1""")
_COUNTED = text("""
  select channel, count(*)::int as n from belfry.notification_deliveries
  where state = 'suppressed' and reason = :reason group by 1 order by 1""")
_SEND = text("""
  with sent as (
    update belfry.notification_deliveries set
      state = 'queued', reason = null, failures = 0, next_attempt_at = belfry.clock(),
      not_after = greatest(not_after, belfry.clock() + interval '24 hours')
    where state = 'suppressed' and reason = :reason
    returning id, channel)
  select channel, count(*)::int as n, array_agg(id order by id) as ids from sent group by 1 order by 1""")
_ANNOUNCE = text("select belfry.announce_deliveries(cast(:ids as bigint[]))")
_END = text("delete from belfry.biz_config where key = :key")
_AUDIT = text("""
  insert into belfry.audit_log (actor, action, target, after, reason)
  values (:actor, :action, 'deliveries', cast(:after as jsonb), :reason)""")


def hold(db: Connection, to: datetime, *, actor: str, reason: str = "") -> dict[str, Any]:
    """Say that the database stands where it stood at `to`. To be said before anything rings or sends.

    Answers {to, at, held: {channel: n}, jobs}; said again for the same time it changes nothing. Raises InvalidRequest.
    """
    with transaction(db):
        now, known = db.execute(_NOW, {"key": KEY}).one()
        if known is not None and datetime.fromisoformat(known["to"]) == to:
            return {**known, "held": counted(db)}
        if not now - LONGEST <= to < now:
            raise InvalidRequest(400, "invalid_field", "that is no time within the last 31 days", field="to")
        jobs = sorted(row.job_id for row in db.execute(_GRIDS) if _rang(row, to, now))
        told = {"to": to.isoformat(), "at": now.isoformat(), "jobs": jobs}
        held = {row.channel: row.n for row in db.execute(_HOLD, {"reason": REASON, "at": now})}
        db.execute(_RENUMBER, {"apart": APART})
        db.execute(_KEEP, {"key": KEY, "value": json.dumps(told)})
        _audit(db, actor, "restored", {**told, "held": held}, reason)
    return {**told, "held": held}


def counted(db: Connection) -> dict[str, int]:
    """How many are held, by channel."""
    return {row.channel: row.n for row in db.execute(_COUNTED, {"reason": REASON})}


def resend(db: Connection, *, actor: str, reason: str) -> dict[str, int]:
    """Send what is held after all; whoever got it in the forgotten time gets it twice. How many, by channel."""
    if not reason.strip():
        raise InvalidRequest(400, "reason_required", "say why it is sent", field="reason", allowed="a text")
    with transaction(db):
        sent = db.execute(_SEND, {"reason": REASON}).all()
        db.execute(_ANNOUNCE, {"ids": [number for row in sent for number in row.ids]})
        counts = {row.channel: row.n for row in sent}
        _audit(db, actor, "restored_resend", counts, reason)
    return counts


def end(db: Connection, *, actor: str) -> dict[str, int]:
    """From now on nothing more is held; what is stays so until it is sent. How many, by channel."""
    with transaction(db):
        db.execute(_END, {"key": KEY})
        counts = counted(db)
        _audit(db, actor, "restored_end", counts, "")
    return counts


def _rang(row: Any, since: datetime, until: datetime) -> bool:
    """Whether a job had a tick in the forgotten time; one that its upstream fires may have."""
    if row.schedule is None:
        return True
    grid = Schedule(row.schedule, row.time_zone, row.gate_every_days or 1, row.gate_anchor, row.gate_year)
    return any(True for _ in grid.ticks(since, until))


def _audit(db: Connection, actor: str, action: str, after: dict[str, Any], reason: str) -> None:
    db.execute(_AUDIT, {"actor": actor, "action": action, "after": json.dumps(after), "reason": reason or None})
