"""Which alerts are open, what became of the others, and the one statement that moves an alert on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from functions.console.queries.executions import Delivery
from functions.console.queries.rows import read

OPEN = ("PENDING", "ACKNOWLEDGED", "PROCESSING")
STATUSES = (*OPEN, "RESOLVED", "IGNORED", "EXPIRED", "CLOSED")
LEVELS = ("URGENT", "CRITICAL", "WARNING", "INFO")

# The open ones are few (a partial index holds them): the worst first, then the oldest.
_OPEN = text("""
  select a.*, r.rule_code, r.name as rule_name, p.project_code, p.project_name
  from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id
  left join erp.projects p on p.id = a.project_id
  where a.status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING')
    and (cast(:status as text) is null or a.status = :status)
    and (cast(:level as text) is null or a.alert_level = :level)
    and (cast(:rule as text) is null or r.rule_code = :rule)
    and (cast(:project as bigint) is null or a.project_id = :project)
    and (cast(:after_id as bigint) is null or (-belfry.level_rank(a.alert_level), a.triggered_at, a.id)
                                              > (:after_rank, cast(:after_at as timestamptz), :after_id))
  order by -belfry.level_rank(a.alert_level), a.triggered_at, a.id limit :limit""")
_DONE = text("""
  select a.*, r.rule_code, r.name as rule_name, p.project_code, p.project_name
  from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id
  left join erp.projects p on p.id = a.project_id
  where a.status in ('RESOLVED', 'IGNORED', 'EXPIRED', 'CLOSED')
    and (cast(:status as text) is null or a.status = :status)
    and (cast(:level as text) is null or a.alert_level = :level)
    and (cast(:rule as text) is null or r.rule_code = :rule)
    and (cast(:project as bigint) is null or a.project_id = :project)
    and (cast(:after_id as bigint) is null
         or (a.triggered_at, a.id) < (cast(:after_at as timestamptz), :after_id))
  order by a.triggered_at desc, a.id desc limit :limit""")
_ONE = text("""
  select a.*, r.rule_code, r.name as rule_name, p.project_code, p.project_name
  from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id
  left join erp.projects p on p.id = a.project_id
  where a.id = :id""")
_COUNTS = text("""
  select a.alert_level, count(*)::int as alerts from belfry.alert_records a
  where a.status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING') group by 1""")
# The choices of the filters: every rule, and the projects that have an open alert.
_CHOICES = text("""
  select
    (select coalesce(jsonb_agg(jsonb_build_object('code', rule_code, 'name', name) order by rule_code), '[]')
     from belfry.alert_rules) as rules,
    (select coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'code', p.project_code, 'name', p.project_name)
                               order by p.project_code), '[]')
     from (select id, project_code, project_name from erp.projects p
           where exists (select from belfry.alert_records a
                         where a.project_id = p.id and a.status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING'))
           order by project_code limit 500) p) as projects""")
_EVENTS = text("""
  select v.event, v.from_level, v.to_level, v.from_status, v.to_status, v.note, v.at, v.execution_id,
    coalesce(u.real_name, u.username) as actor_name
  from belfry.alert_events v left join erp.users u on u.id = v.actor_id
  where v.alert_id = :id order by v.id desc limit 200""")
_DELIVERIES = text("""
  select d.id, d.channel, d.state, d.reason, d.failures, d.created_at, d.sent_at, d.next_attempt_at, d.last_error,
    d.read_at, n.type, n.reason as occasion, n.severity, n.facts, n.alert_id, a.alert_no, a.target_no, a.target_name,
    coalesce(u.real_name, u.username) as user_name
  from belfry.notifications n join belfry.notification_deliveries d on d.notification_id = n.id
  join belfry.alert_records a on a.id = n.alert_id
  left join erp.users u on u.id = d.user_id
  where n.alert_id = :id order by d.id desc limit 200""")

# One statement: two people who press different buttons at once cannot both win, and neither event nor audit can be
# missing.
_MOVE = text("""
  with old as (
    select id, status, version, recipients, handler_id from belfry.alert_records where id = :id for update),
  moved as (
    update belfry.alert_records a set
      status = :to, version = a.version + 1,
      acknowledged_by = case when :to in ('ACKNOWLEDGED', 'PROCESSING')
                             then coalesce(a.acknowledged_by, cast(:user as bigint)) else a.acknowledged_by end,
      acknowledged_at = case when :to in ('ACKNOWLEDGED', 'PROCESSING')
                             then coalesce(a.acknowledged_at, belfry.clock()) else a.acknowledged_at end,
      handler_id = case when :to = 'PROCESSING' then coalesce(cast(:user as bigint), a.handler_id)
                        else a.handler_id end,
      handle_start_at = case when :to = 'PROCESSING' then belfry.clock() else a.handle_start_at end,
      resolved_by = case when :to = 'RESOLVED' then cast(:user as bigint) else a.resolved_by end,
      resolved_at = case when :to = 'RESOLVED' then belfry.clock() else a.resolved_at end,
      mute_until = case when :to = 'IGNORED' then belfry.clock() + interval '7 days' else a.mute_until end,
      handle_result = coalesce(cast(:note as text), a.handle_result)
    from old
    where a.id = old.id and old.status = any(cast(:from as text[])) and a.status = old.status
      and (cast(:version as int) is null or a.version = :version)
      and (:may_all or old.recipients && cast(:tokens as text[]) or old.handler_id = cast(:user as bigint))
    returning a.id, a.status, a.version),
  told as (
    insert into belfry.alert_events (alert_id, event, from_status, to_status, actor_id, note)
    select m.id, :event, old.status, m.status, cast(:user as bigint), cast(:note as text)
    from moved m join old on old.id = m.id),
  written as (
    insert into belfry.audit_log (actor, action, target, before, after, reason, request_id)
    select :actor, 'alert.' || :action, 'alert:' || m.id,
           jsonb_build_object('status', old.status, 'version', old.version),
           jsonb_build_object('status', m.status, 'version', m.version), cast(:note as text), :request_id
    from moved m join old on old.id = m.id)
  select old.status, old.version,
         old.recipients && cast(:tokens as text[]) or coalesce(old.handler_id = cast(:user as bigint), false) as own,
         m.status as new_status, m.version as new_version
  from old left join moved m on m.id = old.id""")


@dataclass(frozen=True)
class Alert:
    """An alert with its rule and its project."""

    id: int
    alert_no: str
    rule_code: str
    rule_name: dict[str, str]
    target_type: str
    target_id: int | None
    target_no: str | None
    target_name: str | None
    project_id: int | None
    project_code: str | None
    project_name: str | None
    base_level: str
    alert_level: str
    facts: dict[str, Any]
    recipients: list[str]
    trigger_value: Any
    threshold_value: Any
    status: str
    triggered_at: datetime
    level_changed_at: datetime
    acknowledged_by: int | None
    acknowledged_at: datetime | None
    handler_id: int | None
    handle_start_at: datetime | None
    resolved_at: datetime | None
    resolved_by: int | None
    handle_result: str | None
    escalation_count: int
    escalated_at: datetime | None
    mute_until: datetime | None
    previous_alert_id: int | None
    execution_id: UUID | None
    version: int

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


@dataclass(frozen=True)
class Event:
    """One step in an alert's life."""

    event: str
    from_level: str | None
    to_level: str | None
    from_status: str | None
    to_status: str | None
    note: str | None
    at: datetime
    execution_id: UUID | None
    actor_name: str | None


@dataclass(frozen=True)
class Filters:
    """What the reader asked for; `status` belongs to the half (open or done) that is listed."""

    level: str | None = None
    rule: str | None = None
    project: int | None = None
    status: str | None = None


@dataclass(frozen=True)
class Move:
    """What became of an attempt to move an alert; `new_status` None: nothing."""

    status: str
    version: int
    own: bool
    new_status: str | None
    new_version: int | None


def still_open(db: Connection, filters: Filters, *, after: tuple[int, datetime, int] | None, limit: int) -> list[Alert]:
    """Open alerts, the worst first, then the oldest."""
    rank, at, id_ = after or (None, None, None)
    values = {**vars(filters), "after_rank": rank, "after_at": at, "after_id": id_, "limit": limit + 1}
    return [read(Alert, row) for row in db.execute(_OPEN, values)]


def done(db: Connection, filters: Filters, *, after: tuple[datetime, int] | None, limit: int) -> list[Alert]:
    """Alerts nobody needs to do anything about, newest first."""
    at, id_ = after or (None, None)
    values = {**vars(filters), "after_at": at, "after_id": id_, "limit": limit + 1}
    return [read(Alert, row) for row in db.execute(_DONE, values)]


def one(db: Connection, alert_id: int) -> Alert | None:
    row = db.execute(_ONE, {"id": alert_id}).one_or_none()
    return read(Alert, row) if row else None


def counts(db: Connection) -> dict[str, int]:
    """Open alerts of each level."""
    return {row.alert_level: row.alerts for row in db.execute(_COUNTS)}


def choices(db: Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rules and projects one may filter by."""
    row = db.execute(_CHOICES).one()
    return row.rules, row.projects


def events(db: Connection, alert_id: int) -> list[Event]:
    return [read(Event, row) for row in db.execute(_EVENTS, {"id": alert_id})]


def deliveries(db: Connection, alert_id: int) -> list[Delivery]:
    """Whom this alert told, newest first."""
    return [read(Delivery, row) for row in db.execute(_DELIVERIES, {"id": alert_id})]


def move(
    db: Connection,
    alert_id: int,
    *,
    action: str,
    event: str,
    to: str,
    allowed_from: tuple[str, ...],
    version: int | None,
    actor: str,
    user_id: int | None,
    tokens: frozenset[str],
    may_all: bool,
    note: str | None,
    request_id: str,
) -> Move | None:
    """Move an alert if it is where the action starts and the actor may; None when there is no such alert."""
    row = db.execute(
        _MOVE,
        {
            "id": alert_id,
            "action": action,
            "event": event,
            "to": to,
            "from": list(allowed_from),
            "version": version,
            "actor": actor,
            "user": user_id,
            "tokens": sorted(tokens),
            "may_all": may_all,
            "note": note,
            "request_id": request_id,
        },
    ).one_or_none()
    return Move(*row) if row else None
