"""How far is every project? Computed in one statement, written back where it differs. (rulebook job 13)"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, TextClause, func, literal, select, text

from shared.erp.projects import kept
from shared.erp.tables import project_tasks, projects

_t = project_tasks.c
_broken = ~_t.status.in_(("DONE", "CANCELLED")) & ~_t.progress_percent.between(0, 100)


def unjudgeable() -> Select[Any]:
    """Unfinished tasks whose progress is no percentage: their projects stay as they are."""
    item: tuple[Any, ...] = (
        literal("PROJECT_TASK").label("item_type"), func.concat(projects.c.project_code, "-T", _t.id).label("item_key"),
        func.concat("progress is ", _t.progress_percent, " percent").label("error"),
    )
    return select(*item).join_from(project_tasks, projects, projects.c.id == _t.project_id).where(kept, _broken)


def saved(day: date, min_change: Decimal, now: datetime, execution: str) -> TextClause:
    """Compute all kept projects and keep what changed: the ERP's percentage and the boards' summary.

    Answers one row: checked, updated (percentage), summarised (summary written), dropped (of projects not kept any
    more).
    """
    return text(_SAVED).bindparams(
        pg_day=day, pg_min_change=min_change, pg_now=now, pg_execution=execution
    )


_SAVED = """
with scope as (
  select p.* from erp.projects p
  where p.is_active and not p.is_archived and not exists (
    select from erp.project_tasks t where t.project_id = p.id and t.status not in ('DONE', 'CANCELLED')
      and t.progress_percent not between 0 and 100)),
task as (
  select t.project_id, count(*)::int as total, (count(*) filter (where t.status = 'DONE'))::int as done,
         (count(*) filter (where t.status = 'BLOCKED'))::int as blocked,
         (count(*) filter (where t.status <> 'DONE' and t.plan_end < :pg_day))::int as overdue,
         sum(w.weight * case when t.status = 'DONE' then 100 else coalesce(t.progress_percent, 0) end)
           / sum(w.weight) as mean
  from erp.project_tasks t cross join lateral (select case when t.weight > 0 then t.weight else 1 end as weight) w
  where t.status <> 'CANCELLED' group by 1),
milestone as (
  select project_id, count(*)::int as total,
         (count(*) filter (where status = 'COMPLETED' or actual_date <= :pg_day))::int as done,
         (count(*) filter (where planned_date < :pg_day and status <> 'COMPLETED'
                           and (actual_date is null or actual_date > :pg_day)))::int as overdue
  from erp.project_milestones where status <> 'CANCELLED' group by 1),
figure as (
  select p.id as project_id, p.progress_pct as old_pct,
         case when t.total = t.done then 100
              when t.total > 0 then least(99.99, round(t.mean, 2))
              when m.total > 0 then round(100.0 * m.done / m.total, 2)
              else p.progress_pct end as progress_pct,
         coalesce(t.total, 0) as tasks_total, coalesce(t.done, 0) as tasks_done,
         coalesce(t.blocked, 0) as tasks_blocked, coalesce(t.overdue, 0) as tasks_overdue,
         coalesce(m.total, 0) as milestones_total, coalesce(m.done, 0) as milestones_done,
         coalesce(m.overdue, 0) as milestones_overdue,
         case when p.planned_end_date > p.planned_start_date then
           round(greatest(0, least(100, 100.0 * (cast(:pg_day as date) - p.planned_start_date)
                                        / (p.planned_end_date - p.planned_start_date))), 2) end as planned_pct
  from scope p left join task t on t.project_id = p.id left join milestone m on m.project_id = p.id),
now_known as (
  select project_id, progress_pct, tasks_total, tasks_done, tasks_blocked, tasks_overdue, milestones_total,
         milestones_done, milestones_overdue, planned_pct, planned_pct - progress_pct as variance_pct
  from figure),
written as (
  update erp.projects p set progress_pct = f.progress_pct from figure f
  where p.id = f.project_id and (f.old_pct is null or abs(f.old_pct - f.progress_pct) >= :pg_min_change)
  returning p.id),
stored as (
  insert into belfry.project_progress_summary as s (project_id, progress_pct, tasks_total, tasks_done, tasks_blocked,
    tasks_overdue, milestones_total, milestones_done, milestones_overdue, planned_pct, variance_pct, calculated_at,
    execution_id)
  select n.*, cast(:pg_now as timestamptz), cast(:pg_execution as uuid)
  from now_known n left join belfry.project_progress_summary o on o.project_id = n.project_id
  where o.project_id is null
     or (o.progress_pct, o.tasks_total, o.tasks_done, o.tasks_blocked, o.tasks_overdue, o.milestones_total,
         o.milestones_done, o.milestones_overdue, o.planned_pct, o.variance_pct)
        is distinct from
        (n.progress_pct, n.tasks_total, n.tasks_done, n.tasks_blocked, n.tasks_overdue, n.milestones_total,
         n.milestones_done, n.milestones_overdue, n.planned_pct, n.variance_pct)
  order by n.project_id
  on conflict (project_id) do update set progress_pct = excluded.progress_pct, tasks_total = excluded.tasks_total,
    tasks_done = excluded.tasks_done, tasks_blocked = excluded.tasks_blocked, tasks_overdue = excluded.tasks_overdue,
    milestones_total = excluded.milestones_total, milestones_done = excluded.milestones_done,
    milestones_overdue = excluded.milestones_overdue, planned_pct = excluded.planned_pct,
    variance_pct = excluded.variance_pct, calculated_at = excluded.calculated_at, execution_id = excluded.execution_id
  returning s.project_id),
dropped as (
  delete from belfry.project_progress_summary s
  where not exists (select from erp.projects p where p.id = s.project_id and p.is_active and not p.is_archived)
  returning s.project_id)
select (select count(*) from figure)::int as checked, (select count(*) from written)::int as updated,
       (select count(*) from stored)::int as summarised, (select count(*) from dropped)::int as dropped"""
