"""Which jobs are in trouble, as violations of the rule JOB_FAILED: one incident per job, whatever went wrong (rulebook
3.1)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Numeric, Select, Text, column, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB


def jobs_in_trouble(critical_after: int = 3) -> Select[Any]:
    """One row per job whose last terminal run failed, was lost or was missed.

    WARNING; CRITICAL after `critical_after` failures in a row or when the job's risk is HIGH or CRITICAL. Told to the
    owner's
    mailbox and, by the rule, to the administrators.
    """
    found = (
        text("""
      select null::bigint as target_id, j.job_id as target_no, j.name->>'zh' as target_name, null::bigint as project_id,
             case when s.consecutive_failures >= :critical_after or j.risk in ('HIGH', 'CRITICAL') then 'CRITICAL' else
               'WARNING' end as level,
             array(select 'USER:' || u.id from erp.users u where u.email = j.owner and u.is_active) as recipients,
             jsonb_build_object('job_id', j.job_id, 'name_zh', j.name->>'zh', 'name_en', j.name->>'en', 'reason',
               s.trouble,
                                'error', left(s.last_error, 500), 'failures', s.consecutive_failures, 'owner', j.owner,
                                'since', s.trouble_since, 'run_at', s.last_run_at) as facts,
             s.consecutive_failures::numeric as trigger_value, :critical_after ::numeric as threshold_value
      from belfry.jobs j join belfry.job_summaries s using (job_id)
      where s.trouble is not null and j.status in ('active', 'paused')""")
        .bindparams(critical_after=critical_after)
        .columns(
            column("target_id", BigInteger),
            column("target_no", Text),
            column("target_name", Text),
            column("project_id", BigInteger),
            column("level", Text),
            column("recipients", ARRAY(Text)),
            column("facts", JSONB),
            column("trigger_value", Numeric),
            column("threshold_value", Numeric),
        )
        .subquery("in_trouble")
    )
    return select(found)


def all_jobs() -> Select[Any]:
    """Every registered job: what the rule has judged."""
    return select(
        text("select job_id as target_no from belfry.jobs").columns(column("target_no", Text)).subquery("known")
    )
