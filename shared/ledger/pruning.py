"""What may be forgotten, and when: statements that delete a bounded batch of rows past their retention.

Before executions go, each job remembers the newest tick whose row goes (`pruned_through`): a trigger of a tick up to
there is a duplicate for ever. Deliveries outlive the longest life of a Pub/Sub message (31 days) by far, so a replay
never finds a key missing (P5, P12). What somebody has read in the inbox is not forgotten here but by
cleanup_old_data.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

_TERMINAL = "('succeeded', 'partial', 'failed', 'lost', 'missed', 'skipped', 'cancelled')"
_REMEMBER = text("""
  update belfry.jobs j set pruned_through = p.through
  from (select j.job_id, max(e.run_at) as through
        from belfry.jobs j join belfry.job_executions e using (job_id)
        where e.run_at < cast(:now as timestamptz) - case when j.category = 'platform' and j.priority = 'high'
                then make_interval(hours => :sweeper_hours) else make_interval(days => :runs_days) end
        group by 1) p
  where j.job_id = p.job_id and j.pruned_through < p.through""")
_BATCHES = {
    "executions": f"""
      delete from belfry.job_executions where id in (
        select e.id from belfry.job_executions e join belfry.jobs j using (job_id)
        where e.run_at <= j.pruned_through and e.state in {_TERMINAL}
          and not exists (select from belfry.job_summaries s where s.last_execution_id = e.id)
        limit :batch)""",  # noqa: S608  a constant of this file
    "deliveries": """
      delete from belfry.notification_deliveries where id in (
        select id from belfry.notification_deliveries
        where created_at < cast(:now as timestamptz) - make_interval(days => :deliveries_days)
          and state in ('sent', 'delivered', 'suppressed', 'dead', 'expired', 'cancelled')
          and (channel <> 'system' or state not in ('sent', 'delivered')
               or read_at is null and created_at < cast(:now as timestamptz) - make_interval(days => :unread_days))
        limit :batch)""",
    "messages": """
      update belfry.notifications set facts = '{}' where id in (
        select n.id from belfry.notifications n
        where n.created_at < cast(:now as timestamptz) - make_interval(days => :deliveries_days) and n.facts <> '{}'
          and not exists (select from belfry.notification_deliveries d where d.notification_id = n.id) limit :batch)""",
    "outbox": """
      delete from belfry.outbox where id in (
        select id from belfry.outbox
        where published_at < cast(:now as timestamptz) - make_interval(days => :outbox_days) limit :batch)""",
    "dead_letters": """
      delete from belfry.dead_letters where id in (
        select id from belfry.dead_letters
        where last_seen_at < cast(:now as timestamptz) - make_interval(days => :dead_letters_days) limit :batch)""",
    "idempotency_keys": """
      delete from belfry.idempotency_keys where (actor, key) in (
        select actor, key from belfry.idempotency_keys
        where created_at < cast(:now as timestamptz) - interval '2 days' limit :batch)""",
}  # fmt: skip
KINDS = tuple(_BATCHES)


def remember(db: Connection, now: datetime, limits: dict[str, Any]) -> None:
    """Note for each job through which tick its rows are about to go."""
    db.execute(_REMEMBER, {"now": now, **{name: limits[name] for name in ("sweeper_hours", "runs_days")}})


def prune(db: Connection, kind: str, now: datetime, limits: dict[str, Any]) -> int:
    """Forget one batch of a kind; how many rows. Fewer than `limits["batch"]`: nothing is left of it."""
    statement = text(_BATCHES[kind])
    names = statement.compile().params
    return int(db.execute(statement, {name: {"now": now, **limits}[name] for name in names}).rowcount)
