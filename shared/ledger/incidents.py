"""Which jobs are in trouble, as violations of the rule JOB_FAILED: one incident per job, whatever went wrong.

First, reminder, recovery (design 3): the alert itself tells the first, `reminders` repeats it while it is open,
`recoveries` tells the same people that it is over.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Select, Text, column, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.alerting.statement import violation_columns

_TROUBLE = """
  with late as (
    select e.job_id, 'sla_max_duration' as reason, min(e.started_at) as since
    from belfry.job_executions e join belfry.jobs j using (job_id)
    where e.state = 'running'
      and e.started_at < cast(:now as timestamptz) - make_interval(secs => j.sla_max_duration_s)
    group by 1
    union all
    select s.job_id, 'sla_max_duration', s.last_finished_at
    from belfry.job_summaries s join belfry.jobs j using (job_id)
    where s.last_state in ('succeeded', 'partial') and s.last_duration_ms > j.sla_max_duration_s * 1000
    union all
    select j.job_id, 'sla_finish_by', d.day + j.sla_finish_by
    from belfry.jobs j cross join lateral (
      select (date_trunc('day', cast(:now as timestamptz) at time zone j.time_zone)) at time zone j.time_zone as day,
             (cast(:now as timestamptz) at time zone j.time_zone)::date as biz_date) d
    where j.sla_finish_by is not null and d.day + j.sla_finish_by < cast(:now as timestamptz)
      and exists (select from belfry.job_executions e where e.job_id = j.job_id and e.biz_date = d.biz_date
                    and e.state not in ('skipped', 'cancelled') and e.kind <> 'manual')
      and not exists (select from belfry.job_executions e where e.job_id = j.job_id and e.biz_date = d.biz_date
                        and e.state in ('succeeded', 'partial') and e.finished_at <= d.day + j.sla_finish_by)),
  found as (
    select distinct on (job_id) * from (
      select s.job_id, case when s.breaker_opened_at is not null then 'breaker' else s.trouble end as reason,
             s.trouble_since as since, 0 as place
      from belfry.job_summaries s where s.trouble is not null
      union all
      select job_id, reason, since, 1 from late) x
    order by job_id, place, since)
  select null::bigint as target_id, j.job_id as target_no, j.name->>'zh' as target_name, null::bigint as project_id,
         case when s.consecutive_failures >= :critical_after or j.risk in ('HIGH', 'CRITICAL') then 'CRITICAL'
              else 'WARNING' end as level,
         array(select 'USER:' || u.id from erp.users u where u.email = j.owner and u.is_active) as recipients,
         jsonb_build_object('job_id', j.job_id, 'name_zh', j.name->>'zh', 'name_en', j.name->>'en', 'reason', f.reason,
                            'error', left(s.last_error, 500), 'failures', coalesce(s.consecutive_failures, 0),
                            'owner', j.owner, 'since', f.since, 'run_at', s.last_run_at) as facts,
         coalesce(s.consecutive_failures, 0)::numeric as trigger_value, :critical_after ::numeric as threshold_value
  from found f join belfry.jobs j using (job_id) left join belfry.job_summaries s using (job_id)
  where j.status in ('active', 'paused')"""
_MESSAGES = (
    column("dedupe_key", Text),
    column("recipients", ARRAY(Text)),
    column("severity", Text),
    column("facts", JSONB),
    column("alert_id", BigInteger),
    column("reason", Text),
)
_REMINDERS = """
  select 'JOB_FAILED|' || a.id || '|REMINDER|' || n.number as dedupe_key, a.recipients, a.alert_level as severity,
         a.facts || jsonb_build_object('alert_no', a.alert_no, 'target_no', a.target_no, 'target_name', a.target_name,
                                       'level', a.alert_level) as facts, a.id as alert_id, 'REMINDER' as reason
  from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id and r.rule_code = 'JOB_FAILED'
  cross join lateral (
    select floor(extract(epoch from cast(:now as timestamptz) - a.triggered_at) / 3600 / :hours)::int as number) n
  where a.status = 'PENDING' and n.number >= 1"""
_RECOVERIES = """
  select 'JOB_FAILED|' || a.id || '|RECOVERED' as dedupe_key,
         a.recipients || array(select 'ROLE:' || role from unnest(r.notify_roles) role) as recipients, 'INFO' as
           severity,
         a.facts || jsonb_build_object('alert_no', a.alert_no, 'target_no', a.target_no, 'target_name', a.target_name,
                                       'level', 'INFO') as facts, a.id as alert_id, 'RESOLVED' as reason
  from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id and r.rule_code = 'JOB_FAILED'
  where a.execution_id = cast(:execution as uuid) and a.status = 'RESOLVED' and a.acknowledged_by is null"""


def jobs_in_trouble(now: datetime, critical_after: int = 3) -> Select[Any]:
    """One row per job that failed, was lost or missed, whose breaker is open, or that is over its SLA.

    WARNING; CRITICAL after `critical_after` failures in a row or when the job's risk is HIGH or CRITICAL. Told to the
    owner's mailbox and, by the rule, to the administrators.
    """
    found = text(_TROUBLE).bindparams(now=now, critical_after=critical_after).columns(*violation_columns())
    return select(found.subquery("in_trouble"))


def all_jobs() -> Select[Any]:
    """Every registered job: what the rule has judged."""
    return select(
        text("select job_id as target_no from belfry.jobs").columns(column("target_no", Text)).subquery("known")
    )


def reminders(now: datetime, hours: int) -> Select[Any]:
    """The open incidents nobody has taken, once every `hours` since they were raised."""
    return select(text(_REMINDERS).bindparams(now=now, hours=hours).columns(*_MESSAGES).subquery("open"))


def recoveries(execution_id: str) -> Select[Any]:
    """The incidents that this execution has closed; who acknowledged one is told by the alert itself."""
    return select(text(_RECOVERIES).bindparams(execution=execution_id).columns(*_MESSAGES).subquery("over"))
