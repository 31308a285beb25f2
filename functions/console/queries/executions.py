"""What did runs do, and whom did they tell?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from functions.console.queries.rows import read

STATES = (
    "waiting",
    "pending",
    "running",
    "retry_wait",
    "succeeded",
    "partial",
    "failed",
    "lost",
    "missed",
    "skipped",
    "cancelled",
)
KINDS = ("scheduled", "catchup", "manual", "dependency", "backfill")
SHOWN = 100  # deliveries, items and alerts of one execution

_OF_JOB = text("""
  select * from belfry.job_executions e
  where e.job_id = :job_id and (cast(:state as text) is null or e.state = :state)
    and (cast(:kind as text) is null or e.kind = :kind)
    and (cast(:after_run_at as timestamptz) is null
         or (e.run_at, e.id) < (cast(:after_run_at as timestamptz), cast(:after_id as uuid)))
  order by e.run_at desc, e.id desc limit :limit""")
_ONE = text("select * from belfry.job_executions where id = cast(:id as uuid)")
_DELIVERIES = text("""
  select d.id, d.channel, d.state, d.reason, d.failures, d.created_at, d.sent_at, d.next_attempt_at, d.last_error,
    d.read_at, n.type, n.reason as occasion, n.severity, n.facts, n.alert_id, a.alert_no, a.target_no, a.target_name,
    coalesce(u.real_name, u.username) as user_name
  from (select * from belfry.notification_deliveries
        where execution_id = cast(:id as uuid) order by id limit :limit) d
  join belfry.notifications n on n.id = d.notification_id
  left join belfry.alert_records a on a.id = n.alert_id
  left join erp.users u on u.id = d.user_id
  order by d.id""")
_TOLD = text("""select channel, state, count(*)::int as deliveries, count(distinct user_id)::int as people
  from belfry.notification_deliveries where execution_id = cast(:id as uuid) group by 1, 2 order by 1, 2""")
_ITEMS = text("""select item_type, item_key, status, error, attempt, at from belfry.execution_items
  where execution_id = cast(:id as uuid) order by status = 'succeeded', item_type, item_key limit :limit""")
_EVENTS = text("""
  select v.event, v.from_level, v.to_level, v.at, a.id as alert_id, a.alert_no, a.target_no, a.target_name,
    a.alert_level, r.name as rule_name
  from (select * from belfry.alert_events where execution_id = cast(:id as uuid) order by id limit :limit) v
  join belfry.alert_records a on a.id = v.alert_id join belfry.alert_rules r on r.id = a.rule_id
  order by v.id""")


@dataclass(frozen=True)
class Execution:
    """One row of the ledger."""

    id: UUID
    job_id: str
    run_at: datetime
    biz_date: date
    kind: str
    state: str
    reason: str | None
    attempt: int
    max_attempts: int
    attempts: list[dict[str, Any]]
    fence: int | None
    owner: str | None
    created_at: datetime
    received_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    retry_at: datetime | None
    counters: dict[str, Any]
    error_class: str | None
    error: str | None
    params: dict[str, Any]
    parent_id: UUID | None
    requested_by: str | None
    request_reason: str | None
    cancel_requested_at: datetime | None


@dataclass(frozen=True)
class Delivery:
    """One person told on one channel, or not, and why."""

    id: int
    channel: str
    state: str
    reason: str | None
    failures: int
    created_at: datetime
    sent_at: datetime | None
    next_attempt_at: datetime
    last_error: str | None
    read_at: datetime | None
    type: str
    occasion: str
    severity: str
    facts: dict[str, Any]
    alert_id: int | None
    alert_no: str | None
    target_no: str | None
    target_name: str | None
    user_name: str | None


@dataclass(frozen=True)
class Told:
    """How many messages of one execution are where."""

    channel: str
    state: str
    deliveries: int
    people: int


@dataclass(frozen=True)
class Item:
    """A row that could not be judged, a data defect, or a step."""

    item_type: str
    item_key: str
    status: str
    error: str | None
    attempt: int
    at: datetime


@dataclass(frozen=True)
class AlertEvent:
    """What an execution did to an alert."""

    event: str
    from_level: str | None
    to_level: str | None
    at: datetime
    alert_id: int
    alert_no: str
    target_no: str | None
    target_name: str | None
    alert_level: str
    rule_name: dict[str, str]


def of_job(
    db: Connection,
    job_id: str,
    *,
    state: str | None = None,
    kind: str | None = None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Execution]:
    """A job's executions, newest first; one more than `limit` says that there are more."""
    rows = db.execute(
        _OF_JOB,
        {
            "job_id": job_id,
            "state": state,
            "kind": kind,
            "limit": limit + 1,
            "after_run_at": after and after[0],
            "after_id": after and str(after[1]),
        },
    )
    return [read(Execution, row) for row in rows]


def one(db: Connection, execution_id: UUID) -> Execution | None:
    row = db.execute(_ONE, {"id": str(execution_id)}).one_or_none()
    return read(Execution, row) if row else None


def deliveries(db: Connection, execution_id: UUID, limit: int = SHOWN) -> list[Delivery]:
    return [read(Delivery, row) for row in db.execute(_DELIVERIES, {"id": str(execution_id), "limit": limit})]


def told(db: Connection, execution_id: UUID) -> list[Told]:
    return [read(Told, row) for row in db.execute(_TOLD, {"id": str(execution_id)})]


def items(db: Connection, execution_id: UUID, limit: int = SHOWN) -> list[Item]:
    return [read(Item, row) for row in db.execute(_ITEMS, {"id": str(execution_id), "limit": limit})]


def alert_events(db: Connection, execution_id: UUID, limit: int = SHOWN) -> list[AlertEvent]:
    return [read(AlertEvent, row) for row in db.execute(_EVENTS, {"id": str(execution_id), "limit": limit})]
