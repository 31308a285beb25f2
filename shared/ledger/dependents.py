"""Jobs without a schedule run once per success of their one upstream: the row that promises it."""

from __future__ import annotations

from sqlalchemy import Connection, text

_PROMISE = text("""
  with written as (
    insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, priority, max_attempts)
    select j.job_id, e.run_at, (e.run_at at time zone j.time_zone)::date, 'dependency', 'pending', j.overlap,
      j.priority,
           j.max_attempts
    from belfry.jobs j
    join belfry.job_dependencies d on d.job_id = j.job_id
    join belfry.job_executions e on e.job_id = d.depends_on
    where j.effective_schedule is null and j.status = 'active' and e.state in ('succeeded', 'partial')
      and e.kind <> 'manual' and e.parent_id is null and e.run_at > j.pruned_through
      and e.finished_at > greatest(j.created_at, belfry.clock() - interval '1 day')
      and (cast(:upstream as text) is null or d.depends_on = cast(:upstream as text))
      and not exists (select from belfry.job_executions x
                      where x.job_id = j.job_id and x.run_at = e.run_at and x.kind <> 'manual' and x.parent_id is null)
    on conflict (job_id, run_at) where kind <> 'manual' and parent_id is null do nothing
    returning id)
  select count(*)::int from written""")


def promise(db: Connection, upstream: str | None = None) -> int:
    """Write the pending row of each success of the last day that has none; how many. None: of every upstream."""
    return int(db.execute(_PROMISE, {"upstream": upstream}).scalar_one())
