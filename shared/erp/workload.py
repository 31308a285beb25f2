"""Who has more work in the next weeks than working hours? (rulebook job 12)"""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import BigInteger, Numeric, Select, Text, case, cast, column, func, literal, null, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, array

from shared.erp import ladders
from shared.erp.facts import facts
from shared.erp.tables import users
from shared.rules.workload import DAY, overload_ladder

LISTED = 5  # contributors that an alert names


def overloaded(
    day: date, window_days: int, warning_percent: int, critical_percent: int, urgent_percent: int
) -> Select[Any]:
    """Violations of WORKLOAD_OVERLOAD: active people by the load of the window, with what makes most of it.

    Their manager is told and the managers of those projects, not they alone.
    """
    ladder, load = overload_ladder(warning_percent, critical_percent, urgent_percent), _loads(day, window_days).c
    level = ladders.answer(ladder, load.load_percent)
    told = {
        "first": literal(str(day)), "last": literal(str(_last(day, window_days))),
        "demand_hours": func.trim_scale(func.round(load.demand, 2)), "standard_hours": func.trim_scale(load.standard),
        "leave_hours": func.trim_scale(load.leave), "load_percent": func.trim_scale(func.trunc(load.load_percent, 2)),
        "items": load["items"], "contributors": load.contributors, "worst_week": load.worst_week, "weeks": load.weeks,
    }
    pmo: Any = case((or_(level.in_(("CRITICAL", "URGENT")), load.boss.is_(None)), literal("ROLE:PMO", Text)))
    boss: Any = case((load.boss.is_not(None), literal("MGR:", Text) + load.user_id.cast(Text)))
    first_told: Any = array([boss, pmo], type_=Text)
    columns: tuple[Any, ...] = (
        load.user_id.label("target_id"), load.username.label("target_no"), load.real_name.label("target_name"),
        cast(null(), BigInteger).label("project_id"), level.label("level"),
        func.array_cat(first_told, load.managers).label("recipients"), facts(told).label("facts"),
        func.trunc(load.load_percent, 2, type_=Numeric).label("trigger_value"),
        ladders.limit(ladder, load.load_percent).label("threshold_value"),
    )
    return select(*columns).where(level.is_not(None))


def judged(day: date, window_days: int) -> Select[Any]:
    """Active people with working hours in the window, none of whose work is contradictory."""
    asked = _asked("select user_id as target_id from judged", day, window_days)
    return select(asked.columns(column("target_id", BigInteger)).subquery("workload_judged"))


def present() -> Select[Any]:
    """People who still work here."""
    return select(users.c.id.label("target_id")).where(users.c.is_active)


def unjudgeable(day: date, window_days: int) -> Select[Any]:
    """Running tasks and allocations whose dates or amounts contradict themselves; the person's others are judged."""
    asked = _asked("select item_type, item_key, error from broken", day, window_days)
    said = (column("item_type", Text), column("item_key", Text), column("error", Text))
    return select(asked.columns(*said).subquery("workload_broken"))


def counted(day: date, window_days: int) -> Select[Any]:
    """How many people there are, how many have no working hours in the window, and tasks without dates."""
    asked = _asked(
        """select (select count(*) from capacity)::int as people,
             (select count(*) from capacity where standard <= 0)::int as without_hours,
             (select count(*) from task where plan_start is null or plan_end is null)::int as undated""",
        day, window_days,
    )
    return select(asked.columns(column("people"), column("without_hours"), column("undated")).subquery())


def _loads(day: date, window_days: int) -> Any:
    asked = _asked(_LOADS, day, window_days)
    return asked.bindparams(wl_listed=LISTED).columns(
        column("user_id", BigInteger), column("username", Text), column("real_name", Text), column("boss", BigInteger),
        column("demand", Numeric), column("standard", Numeric), column("leave", Numeric),
        column("load_percent", Numeric), column("items"), column("contributors", JSONB),
        column("worst_week", JSONB), column("weeks", JSONB), column("managers", ARRAY(Text)),
    ).subquery("workload")


def _asked(query: str, day: date, window_days: int) -> Any:
    return text(f"with {_KNOWN} {query}").bindparams(
        wl_first=day, wl_last=_last(day, window_days), wl_day=DAY
    )


def _last(day: date, window_days: int) -> date:
    return day + timedelta(days=window_days - 1)


# A task is either counted itself or by its allocation, never both: one of its own, whoever works on it, or one of its
# owner for the whole project in the same days.
_KNOWN = """
  workday as materialized (
    select d::date as day, date_trunc('week', d)::date as week
    from generate_series(cast(:wl_first as date), cast(:wl_last as date), interval '1 day') d
    where belfry.is_workday(d::date)),
  task as (
    select t.*, p.pm_id, p.project_code from erp.project_tasks t join erp.projects p on p.id = t.project_id
    where t.status not in ('DONE', 'CANCELLED') and t.owner_id is not null
      and p.is_active and not p.is_archived and p.status not in ('ST30', 'ST99')),
  allocation as (
    select a.id, a.user_id, coalesce(a.project_id, t.project_id) as project_id, a.task_id, a.start_date, a.end_date,
           a.planned_hours, a.allocation_percent, t.task_name, p.pm_id, p.project_code
    from erp.resource_allocations a left join erp.project_tasks t on t.id = a.task_id
      left join erp.projects p on p.id = coalesce(a.project_id, t.project_id)
    where a.status not in ('COMPLETED', 'CANCELLED') and (t.id is null or t.status not in ('DONE', 'CANCELLED'))
      and (p.id is null or p.is_active and not p.is_archived and p.status not in ('ST30', 'ST99'))),
  broken as (
    select 'PROJECT_TASK' as item_type, project_code || '-T' || id as item_key, owner_id as user_id,
           concat('planned from ', plan_start, ' to ', plan_end, ', progress ', progress_percent, ' percent') as error
    from task where plan_end < plan_start or progress_percent not between 0 and 100
    union all
    select 'RESOURCE_ALLOCATION', id::text, user_id,
           concat('from ', start_date, ' to ', end_date, ', ', planned_hours, ' hours, ', allocation_percent,
                  ' percent')
    from allocation where end_date < start_date or planned_hours < 0 or allocation_percent < 0),
  leave as (
    select w.user_id, d.week, sum(l.hours) as hours
    from erp.worker_leaves l join erp.workers w on w.id = l.worker_id join workday d on d.day = l.day
    where w.user_id is not null group by 1, 2),
  capacity as (
    select u.id as user_id, u.username, u.real_name, coalesce(u.manager_id, b.manager_user_id) as boss,
           coalesce(l.hours, 0) as leave, (select count(*) from workday) * :wl_day - coalesce(l.hours, 0) as standard
    from erp.users u left join erp.departments b on b.id = u.department_id
      left join (select user_id, sum(hours) as hours from leave group by 1) l on l.user_id = u.id
    where u.is_active),
  judged as (
    select user_id from capacity c
    where standard > 0 and not exists (select from broken x where x.user_id = c.user_id))
"""

_LOADS = """,
  item as (
    select 'task' as kind, t.id, t.owner_id as user_id, t.project_code, t.pm_id, t.task_name as name, t.plan_start as s,
           t.plan_end as e, null::numeric as planned, 0 as of_days, (100 - t.progress_percent)::numeric as percent
    from task t
    where t.plan_start <= :wl_last and t.plan_end >= :wl_first and t.plan_end >= t.plan_start
      and t.progress_percent between 0 and 100
      and t.id not in (select task_id from allocation where task_id is not null)
      and not exists (
        select from allocation a
        where a.task_id is null and a.user_id = t.owner_id and a.project_id = t.project_id
          and a.start_date <= least(t.plan_end, cast(:wl_last as date))
          and a.end_date >= greatest(t.plan_start, cast(:wl_first as date)))
    union all
    select 'allocation', a.id, a.user_id, a.project_code, a.pm_id, a.task_name, a.start_date, a.end_date,
           a.planned_hours, case when a.planned_hours is not null then belfry.workdays(a.start_date, a.end_date) end,
           a.allocation_percent
    from allocation a
    where a.start_date <= :wl_last and a.end_date >= :wl_first and a.end_date >= a.start_date
      and coalesce(a.planned_hours, 0) >= 0 and a.allocation_percent >= 0),
  part as materialized (
    select i.kind, i.id, i.user_id, d.week, count(*) as days
    from item i join workday d on d.day between i.s and i.e group by 1, 2, 3, 4),
  part_hours as (
    select p.*, case when i.planned is null then p.days * :wl_day * i.percent / 100
                     else coalesce(i.planned * p.days / nullif(i.of_days, 0), 0) end as hours
    from part p join item i using (kind, id)),
  whole as (
    select i.*, case when i.planned is null then p.days * :wl_day * i.percent / 100
                     else coalesce(i.planned * p.days / nullif(i.of_days, 0), 0) end as hours
    from item i join (select kind, id, sum(days) as days from part group by 1, 2) p using (kind, id)),
  ranked as (
    select *, row_number() over (partition by user_id order by hours desc, kind, id) as place
    from whole where hours > 0),
  demand as (
    select user_id, sum(hours) as hours, count(*)::int as items,
           jsonb_agg(jsonb_build_object('name', name, 'project_code', project_code, 'kind', kind,
                                        'hours', trim_scale(round(hours, 2)), 'from', s, 'to', e) order by place)
             filter (where place <= :wl_listed) as contributors,
           array_agg(distinct 'USER:' || pm_id) filter (where pm_id is not null) as managers
    from ranked group by 1),
  week_load as (
    select p.user_id, p.week, sum(p.hours) as hours, w.days * :wl_day - coalesce(max(l.hours), 0) as standard
    from part_hours p join (select week, count(*) as days from workday group by 1) w using (week)
      left join leave l on l.user_id = p.user_id and l.week = p.week
    group by p.user_id, p.week, w.days),
  week_told as (
    select *, jsonb_build_object(
             'week', week, 'hours', trim_scale(round(hours, 2)), 'standard', trim_scale(standard),
             'percent', case when standard > 0 then trim_scale(trunc(100 * hours / standard, 2)) end) as told
    from week_load),
  weeks as (
    select user_id, jsonb_agg(told order by week) as weeks,
           (array_agg(told order by hours / nullif(standard, 0) desc, week) filter (where standard > 0))[1]
             as worst_week
    from week_told group by 1)
  select c.user_id, c.username, c.real_name, c.boss, d.hours as demand, c.standard, c.leave,
         round(100 * d.hours / c.standard, 6) as load_percent, d.items, d.contributors,
         w.worst_week, w.weeks, d.managers
  from capacity c join demand d on d.user_id = c.user_id left join weeks w on w.user_id = c.user_id
  where c.standard > 0"""
