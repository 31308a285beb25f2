"""Which jobs are there, and how are they? From the job's row and its summary: never from history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from functions.console.queries.rows import read

STATES = ("healthy", "trouble", "running", "paused", "disabled", "orphan")

# A pause with an end is over by itself: the table's status does not know the clock.
_LIST = text("""
  select j.*, j.condition as status, s.trouble, s.trouble_since, s.last_state, s.last_execution_id, s.last_run_at,
    s.last_finished_at, s.last_duration_ms, s.last_success_at, s.last_error,
    coalesce(s.success_count, 0) as success_count, coalesce(s.partial_count, 0) as partial_count,
    coalesce(s.failure_count, 0) as failure_count, coalesce(s.missed_count, 0) as missed_count,
    coalesce(s.skipped_count, 0) as skipped_count, coalesce(s.consecutive_failures, 0) as consecutive_failures,
    case when s.breaker_opened_at + make_interval(secs => j.breaker_open_s) > belfry.clock()
         then s.breaker_opened_at + make_interval(secs => j.breaker_open_s) end as breaker_until,
    coalesce(s.strip, '[]') as strip, r.running_id, r.running_since
  from (select job_id, origin, func, name, description, category, owner, risk, runbook, schedule, effective_schedule,
               time_zone, calendar, offset_s, depends_on, paused_until, paused_reason, paused_by, override_reason,
               override_by, override_at, override_params, params, effective_params, params_schema, timeout_s, overlap,
               catchup, catchup_window_s, grace_s, max_attempts, backoff_s, breaker_threshold, breaker_open_s,
               priority, sla_max_duration_s, sla_finish_by, reads, writes, target_uri, version, created_at, created_by,
               updated_at,
               case when status = 'paused' and paused_until <= belfry.clock() then 'active' else status end as condition
        from belfry.jobs) j
  left join belfry.job_summaries s on s.job_id = j.job_id
  left join (select distinct on (job_id) job_id, id as running_id, started_at as running_since
             from belfry.job_executions where state = 'running' order by job_id, started_at) r on r.job_id = j.job_id
  where (cast(:job_id as text) is null or j.job_id = :job_id)
    and (cast(:category as text) is null and (:platform or j.category <> 'platform') or j.category = :category)
    and (cast(:pattern as text) is null or j.job_id ilike :pattern or j.name ->> 'zh' ilike :pattern
         or j.name ->> 'en' ilike :pattern or j.owner ilike :pattern)
    and (cast(:state as text) is null
         or :state = 'running' and r.running_id is not null
         or :state = 'healthy' and j.condition = 'active' and s.trouble is null
         or :state = 'trouble' and j.condition = 'active' and s.trouble is not null
         or :state = j.condition)
    and (cast(:after_category as text) is null or (j.category, j.job_id) > (:after_category, :after_job))
  order by j.category, j.job_id limit :limit""")
_OVERVIEW = text("""
  with judged as (
    select j.job_id, j.category, j.category = 'platform' as platform, s.trouble is not null as trouble,
           case when j.status = 'paused' and j.paused_until <= belfry.clock() then 'active' else j.status end as status
    from belfry.jobs j left join belfry.job_summaries s on s.job_id = j.job_id)
  select count(*) filter (where shown and status = 'active' and not trouble)::int as healthy,
         count(*) filter (where shown and status = 'active' and trouble)::int as trouble,
         (select count(distinct e.job_id) from belfry.job_executions e join judged d on d.job_id = e.job_id
          where e.state = 'running' and (:platform or not d.platform))::int as running,
         count(*) filter (where shown and status = 'paused')::int as paused,
         count(*) filter (where shown and status = 'disabled')::int as disabled,
         count(*) filter (where shown and status = 'orphan')::int as orphan,
         coalesce(array_agg(job_id order by job_id) filter (where platform and status = 'active' and trouble), '{}')
           as platform_trouble,
         coalesce(array_agg(distinct category) filter (where category is not null), '{}') as categories,
         (select value from belfry.biz_config where key = 'local.history') as history,
         (select value <> 'false' from belfry.biz_config where key = 'scheduler.enabled') as enabled
  from (select *, :platform or not platform as shown from judged) x""")
_DAYS = text("select day, is_workday from belfry.biz_calendar where day >= cast(:first as date) order by day limit 800")
_NAMES = text("select job_id, name from belfry.jobs where job_id = any(cast(:ids as text[]))")
_REVISIONS = text("""
  select revision, schedule, time_zone, calendar, enabled, effective_at, created_by, reason
  from belfry.job_revisions where job_id = :job_id order by revision desc limit :limit""")
_DEPENDENTS = text("select job_id from belfry.job_dependencies where depends_on = :job_id order by job_id")


@dataclass(frozen=True)
class Job:
    """A job with its summary. `status`: active, paused, disabled or orphan; `trouble`: why it is not well."""

    job_id: str
    origin: str
    func: str
    name: dict[str, str]
    description: dict[str, str]
    category: str
    owner: str | None
    risk: str
    runbook: str | None
    schedule: str | None
    effective_schedule: str | None
    time_zone: str
    calendar: str
    offset_s: int
    depends_on: list[str]
    status: str
    paused_until: datetime | None
    paused_reason: str | None
    paused_by: str | None
    override_reason: str | None
    override_by: str | None
    override_at: datetime | None
    override_params: dict[str, Any] | None
    params: dict[str, Any]
    effective_params: dict[str, Any]
    params_schema: dict[str, Any]
    timeout_s: int
    overlap: str
    catchup: str
    catchup_window_s: int
    grace_s: int
    max_attempts: int
    backoff_s: list[int]
    breaker_threshold: int
    priority: str
    sla_max_duration_s: int | None
    sla_finish_by: Any
    reads: list[str]
    writes: list[str]
    target_uri: str | None
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    trouble: str | None
    trouble_since: datetime | None
    last_state: str | None
    last_execution_id: UUID | None
    last_run_at: datetime | None
    last_finished_at: datetime | None
    last_duration_ms: int | None
    last_success_at: datetime | None
    last_error: str | None
    success_count: int
    partial_count: int
    failure_count: int
    missed_count: int
    skipped_count: int
    consecutive_failures: int
    breaker_until: datetime | None
    strip: list[dict[str, Any]]
    running_id: UUID | None
    running_since: datetime | None

    @property
    def success_rate(self) -> int | None:
        """Percent of the runs that ended, rounded down: 100 means none failed."""
        good = self.success_count + self.partial_count
        ended = good + self.failure_count
        return good * 100 // ended if ended else None


@dataclass(frozen=True)
class Revision:
    """When a job rang from a time on, who changed that and why."""

    revision: int
    schedule: str | None
    time_zone: str
    calendar: str
    enabled: bool
    effective_at: datetime
    created_by: str
    reason: str | None


@dataclass(frozen=True)
class Overview:
    """The figures above the list, and what is said about the whole house."""

    healthy: int
    trouble: int
    running: int
    paused: int
    disabled: int
    orphan: int
    platform_trouble: list[str]
    categories: list[str]
    history: dict[str, Any] | None
    enabled: bool | None


def listed(
    db: Connection,
    *,
    category: str | None,
    words: str | None,
    state: str | None,
    platform: bool,
    after: tuple[str, str] | None,
    limit: int,
) -> list[Job]:
    """Jobs in the order of their categories; one row more than `limit` says that there are more."""
    pattern = None
    if words:
        pattern = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    after_category, after_job = after or (None, None)
    asked = {
        "job_id": None,
        "category": category,
        "pattern": pattern,
        "state": state,
        "platform": platform,
        "after_category": after_category,
        "after_job": after_job,
        "limit": limit + 1,
    }
    return [read(Job, row) for row in db.execute(_LIST, asked)]


def one(db: Connection, job_id: str) -> Job | None:
    asked = dict.fromkeys(("category", "pattern", "state", "after_category", "after_job"))
    row = db.execute(_LIST, {**asked, "job_id": job_id, "platform": True, "limit": 1}).one_or_none()
    return read(Job, row) if row else None


def overview(db: Connection, *, platform: bool) -> Overview:
    return Overview(*db.execute(_OVERVIEW, {"platform": platform}).one())


def calendar(db: Connection, first: date) -> Mapping[date, bool]:
    """Legal holidays (False) and make-up workdays (True) from a day on."""
    return {row.day: row.is_workday for row in db.execute(_DAYS, {"first": first})}


def names(db: Connection, ids: list[str]) -> dict[str, dict[str, str]]:
    return {row.job_id: row.name for row in db.execute(_NAMES, {"ids": ids})} if ids else {}


def revisions(db: Connection, job_id: str, limit: int) -> list[Revision]:
    """How the job's schedule came to be what it is, the newest first."""
    return [read(Revision, row) for row in db.execute(_REVISIONS, {"job_id": job_id, "limit": limit})]


def dependents(db: Connection, job_id: str) -> list[str]:
    """Jobs that wait for this one."""
    return list(db.execute(_DEPENDENTS, {"job_id": job_id}).scalars())
