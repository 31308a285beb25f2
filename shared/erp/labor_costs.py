"""What has a month's approved time cost each project, and what is still missing? (rulebook 6.4, job 37)"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Select,
    Text,
    TextClause,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, array
from sqlalchemy.sql.selectable import TextualSelect

from shared.erp.side_tables import labor_cost_periods
from shared.erp.tables import project_costs, projects

LISTED = 10  # projects and people that the message to finance lists
BOOKED = ("LABOR_COST", "LABOR_CORRECTION")


class Month:
    """The month that is calculated, and how its hours become money."""

    def __init__(self, period: date, factors: Mapping[str, Any], correction_months: int) -> None:
        self.period = period
        self.last = (period + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        oldest = period.year * 12 + period.month - 1 - correction_months
        self._values = {
            "lc_period": period, "lc_last": self.last, "lc_oldest": date(oldest // 12, oldest % 12 + 1, 1),
            **{f"lc_{kind.lower()}": str(factors[kind]) for kind in ("NORMAL", "OVERTIME", "WEEKEND", "HOLIDAY")},
        }

    def asks(self, query: str) -> TextClause:
        """A query over the month's priced time; only what it names is bound."""
        whole = f"with {_PRICED} {query}"
        return text(whole).bindparams(**{name: value for name, value in self._values.items() if f":{name}" in whole})


def status(period: date) -> Select[Any]:
    """OPEN, CALCULATED or LOCKED; no row yet is open."""
    return select(labor_cost_periods.c.status).where(labor_cost_periods.c.period == period)


def without_rate(month: Month) -> Select[Any]:
    """People's time on a project on days for which no rate is valid: their share of the project is not booked."""
    said = (column("item_type", Text), column("item_key", Text), column("error", Text))
    return select(month.asks(_WITHOUT_RATE).columns(*said).subquery("labor_unpriced"))


def booked(month: Month, execution: str) -> TextualSelect:
    """Make the month's cost rows equal to its approved time, and its corrections equal to what came late.

    Answers one row: created, updated, deleted, and the projects that lost a row (`left_projects`). Rows of other months
    are not touched (D-46); rows that differ in nothing are not written.
    """
    return month.asks(_BOOKED).bindparams(lc_execution=execution).columns(
        column("created"), column("updated"), column("deleted"), column("left_projects", ARRAY(BigInteger))
    )


def concerned(month: Month, left_projects: Sequence[int]) -> Select[Any]:
    """Projects (`id`) whose labor cost of the month stands, or has just gone."""
    c, p = project_costs.c, projects.c
    now = select(c.project_id).where(
        c.source_module == "TIMESHEET", c.source_type.in_(BOOKED), c.period == month.period
    )
    left = bindparam("lc_left", list(left_projects), type_=ARRAY(BigInteger))
    return select(p.id).where(p.id.in_(now) | (p.id == any_(left)))


def cost_updated(month: Month, left_projects: Sequence[int]) -> TextClause:
    """Set the stored cost of the concerned projects to the sum of their cost rows, where it differs."""
    return text(_COST_UPDATED).bindparams(
        bindparam("lc_left", list(left_projects), type_=ARRAY(BigInteger)), lc_period=month.period
    )


def closed_off(month: Month, now: datetime, execution: str) -> TextClause:
    """Write the month's totals as CALCULATED where they differ; answers how many rows."""
    return month.asks(_CLOSED_OFF).bindparams(lc_now=now, lc_execution=execution)


def done(month: Month, not_before: datetime) -> Select[Any]:
    """The message to finance: totals, the dearest projects, people without a rate, time not approved yet.

    Its key holds the figures: a run that finds the same tells nobody again.
    """
    told = month.asks(_DONE).bindparams(lc_listed=LISTED).columns(column("facts", JSONB)).subquery("labor_done").c
    key = literal(f"LABOR_COST_DONE|{month.period:%Y-%m}|", Text) + func.md5(cast(told.facts, Text), type_=Text)
    columns: tuple[Any, ...] = (
        key.label("dedupe_key"),
        array([literal("ROLE:FIN", Text)]).label("recipients"), literal("INFO", Text).label("severity"),
        literal("DIGEST", Text).label("reason"),
        array([literal("system", Text), literal("email", Text)]).label("channels"), told.facts,
        literal(not_before, DateTime(timezone=True)).label("not_before"),
    )
    return select(*columns).where(told.facts.is_not(None))


# Approved time of the month, and of locked months what was approved after they were calculated; each day with its rate.
_PRICED = """
  spent as (
    select t.user_id, t.project_id, t.work_date, t.overtime_type, t.hours, null::date as late_for
    from erp.timesheets t
    where t.status = 'APPROVED' and t.work_date between :lc_period and :lc_last
    union all
    select t.user_id, t.project_id, t.work_date, t.overtime_type, t.hours, l.period
    from belfry.labor_cost_periods l join erp.timesheets t
      on t.work_date >= l.period and t.work_date < l.period + interval '1 month'
    where l.status = 'LOCKED' and l.period >= :lc_oldest and l.period < :lc_period
      and t.status = 'APPROVED' and t.approved_at > l.calculated_at and t.project_id is not null),
  worked as (select distinct user_id, work_date from spent),
  valid as (select * from erp.hourly_rates where is_active),
  rate as (
    select w.user_id, w.work_date, coalesce(
      (select r.hourly_rate from valid r
       where r.scope = 'USER' and r.user_id = w.user_id and w.work_date >= coalesce(r.effective_date, w.work_date)
         and w.work_date <= coalesce(r.expiry_date, w.work_date)
       order by r.effective_date desc nulls last, r.id desc limit 1),
      (select max(q.hourly_rate) from (
         select distinct on (r.role_id) r.hourly_rate from valid r join erp.user_roles ur on ur.role_id = r.role_id
         where r.scope = 'ROLE' and ur.user_id = w.user_id and w.work_date >= coalesce(r.effective_date, w.work_date)
           and w.work_date <= coalesce(r.expiry_date, w.work_date)
         order by r.role_id, r.effective_date desc nulls last, r.id desc) q),
      (select r.hourly_rate from valid r
       where r.scope = 'DEPT' and r.dept_id = u.department_id and w.work_date >= coalesce(r.effective_date, w.work_date)
         and w.work_date <= coalesce(r.expiry_date, w.work_date)
       order by r.effective_date desc nulls last, r.id desc limit 1),
      (select r.hourly_rate from valid r
       where r.scope = 'DEFAULT' and w.work_date >= coalesce(r.effective_date, w.work_date)
         and w.work_date <= coalesce(r.expiry_date, w.work_date)
       order by r.effective_date desc nulls last, r.id desc limit 1)) as hourly_rate
    from worked w join erp.users u on u.id = w.user_id),
  priced as (
    select s.*, r.hourly_rate, s.hours * r.hourly_rate * case s.overtime_type
        when 'OVERTIME' then cast(:lc_overtime as numeric) when 'WEEKEND' then cast(:lc_weekend as numeric)
        when 'HOLIDAY' then cast(:lc_holiday as numeric) else cast(:lc_normal as numeric) end as amount
    from spent s left join rate r using (user_id, work_date)),
  share as (
    select project_id, user_id, late_for, sum(hours) as hours, round(sum(amount), 2) as amount,
           (count(distinct work_date) filter (where hourly_rate is null))::int as days_without_rate,
           min(work_date) filter (where hourly_rate is null) as first_without_rate
    from priced group by 1, 2, 3)
"""

_WITHOUT_RATE = """
  select 'TIMESHEET' as item_type,
         concat(coalesce(p.project_code, '-'), '/', u.username, '/',
                to_char(coalesce(s.late_for, cast(:lc_period as date)), 'YYYY-MM')) as item_key,
         concat('RATE_MISSING: no hourly rate on ', s.days_without_rate, ' of the days, the first ',
                s.first_without_rate) as error
  from share s join erp.users u on u.id = s.user_id left join erp.projects p on p.id = s.project_id
  where s.days_without_rate > 0"""

_BOOKED = """,
  already as (
    select c.project_id, c.source_id as user_id, c.source_no, sum(c.amount) as amount, sum(c.hours) as hours
    from erp.project_costs c
    where c.source_module = 'TIMESHEET' and c.source_type = 'LABOR_CORRECTION' and c.period <> :lc_period
    group by 1, 2, 3),
  wanted as (
    select project_id, user_id, 'LABOR_COST' as source_type, to_char(cast(:lc_period as date), 'YYYY-MM') as source_no,
           hours, amount, days_without_rate
    from share where late_for is null and project_id is not null
    union all
    select s.project_id, s.user_id, 'LABOR_CORRECTION', to_char(s.late_for, 'YYYY-MM'),
           s.hours - coalesce(a.hours, 0), s.amount - coalesce(a.amount, 0), s.days_without_rate
    from share s left join already a on a.project_id = s.project_id and a.user_id = s.user_id
      and a.source_no = to_char(s.late_for, 'YYYY-MM')
    where s.late_for is not null
      and (s.days_without_rate > 0 or s.hours <> coalesce(a.hours, 0) or s.amount <> coalesce(a.amount, 0))),
  standing as (
    select * from erp.project_costs
    where source_module = 'TIMESHEET' and source_type in ('LABOR_COST', 'LABOR_CORRECTION') and period = :lc_period),
  updated as (
    update erp.project_costs c set amount = w.amount, hours = w.hours, run_id = cast(:lc_execution as uuid)
    from standing s join wanted w on w.project_id = s.project_id and w.user_id = s.source_id
      and w.source_type = s.source_type and w.source_no = s.source_no
    where c.id = s.id and w.days_without_rate = 0 and (w.amount, w.hours) is distinct from (s.amount, s.hours)
    returning c.id),
  created as (
    insert into erp.project_costs (project_id, cost_type, cost_category, source_module, source_type, source_id,
      source_no, period, amount, hours, cost_date, description, run_id)
    select w.project_id, 'LABOR', '直接人工', 'TIMESHEET', w.source_type, w.user_id, w.source_no, :lc_period, w.amount,
           w.hours, :lc_last,
           concat_ws(' ', w.source_no, case w.source_type when 'LABOR_COST' then '工时成本' else '工时成本更正' end,
                     coalesce(u.real_name, u.username)),
           cast(:lc_execution as uuid)
    from wanted w join erp.users u on u.id = w.user_id
    where w.days_without_rate = 0 and not exists (
      select from standing s where s.project_id = w.project_id and s.source_id = w.user_id
        and s.source_type = w.source_type and s.source_no = w.source_no)
    returning id),
  deleted as (
    delete from erp.project_costs c using standing s
    where c.id = s.id and not exists (
      select from wanted w where w.project_id = s.project_id and w.user_id = s.source_id
        and w.source_type = s.source_type and w.source_no = s.source_no)
    returning c.project_id)
  select (select count(*) from created)::int as created, (select count(*) from updated)::int as updated,
         (select count(*) from deleted)::int as deleted,
         coalesce((select array_agg(distinct project_id) from deleted), '{}') as left_projects"""

_COST_UPDATED = """
  update erp.projects p set actual_cost = c.amount
  from (select p.id, coalesce(sum(c.amount), 0) as amount
        from erp.projects p left join erp.project_costs c on c.project_id = p.id
        where p.id = any(:lc_left) or p.id in (
          select project_id from erp.project_costs
          where source_module = 'TIMESHEET' and source_type in ('LABOR_COST', 'LABOR_CORRECTION')
            and period = :lc_period)
        group by 1) c
  where c.id = p.id and p.actual_cost is distinct from c.amount"""

_TOTALS = """
  total as (
    select count(distinct c.project_id)::int as projects, count(distinct c.source_id)::int as users,
           coalesce(sum(c.hours), 0) as hours, coalesce(sum(c.amount), 0) as amount,
           (count(*) filter (where c.source_type = 'LABOR_CORRECTION'))::int as corrections,
           coalesce(sum(c.amount) filter (where c.source_type = 'LABOR_CORRECTION'), 0) as corrected
    from erp.project_costs c
    where c.source_module = 'TIMESHEET' and c.source_type in ('LABOR_COST', 'LABOR_CORRECTION')
      and c.period = :lc_period),
  overhead as (
    select coalesce(sum(hours), 0) as hours, coalesce(sum(amount), 0) as amount from share
    where project_id is null and days_without_rate = 0)"""

_CLOSED_OFF = f""",
  {_TOTALS},
  known as (
    select cast(:lc_period as date) as period, t.projects, t.users, t.hours, t.amount, o.hours as overhead_hours,
           o.amount as overhead_amount
    from total t cross join overhead o)
  insert into belfry.labor_cost_periods as p (period, status, projects, users, hours, amount, overhead_hours,
    overhead_amount, execution_id, calculated_at)
  select k.period, 'CALCULATED', k.projects, k.users, k.hours, k.amount, k.overhead_hours, k.overhead_amount,
         cast(:lc_execution as uuid), cast(:lc_now as timestamptz)
  from known k
  where not exists (
    select from belfry.labor_cost_periods p where p.period = k.period and p.status <> 'OPEN'
      and (p.projects, p.users, p.hours, p.amount, p.overhead_hours, p.overhead_amount)
          = (k.projects, k.users, k.hours, k.amount, k.overhead_hours, k.overhead_amount))
  on conflict (period) do update set status = 'CALCULATED', projects = excluded.projects, users = excluded.users,
    hours = excluded.hours, amount = excluded.amount, overhead_hours = excluded.overhead_hours,
    overhead_amount = excluded.overhead_amount, execution_id = excluded.execution_id,
    calculated_at = excluded.calculated_at
  where p.status <> 'LOCKED'"""  # noqa: S608  two constants of this file

_DONE = f""",
  {_TOTALS},
  dearest as (
    select p.project_code, p.project_name, sum(c.hours) as hours, sum(c.amount) as amount
    from erp.project_costs c join erp.projects p on p.id = c.project_id
    where c.source_module = 'TIMESHEET' and c.source_type in ('LABOR_COST', 'LABOR_CORRECTION')
      and c.period = :lc_period
    group by p.id, p.project_code, p.project_name order by amount desc, p.project_code limit :lc_listed),
  missing as (
    select u.username, u.real_name, sum(s.hours) as hours from share s join erp.users u on u.id = s.user_id
    where s.days_without_rate > 0 group by u.id, u.username, u.real_name),
  waiting as (
    select u.username, u.real_name, sum(t.hours) as hours, count(*)::int as entries
    from erp.timesheets t join erp.users u on u.id = t.user_id
    where t.status = 'SUBMITTED' and t.work_date between :lc_period and :lc_last group by u.id, u.username, u.real_name)
  select jsonb_build_object(
    'period', to_char(cast(:lc_period as date), 'YYYY-MM'), 'projects', t.projects, 'users', t.users,
    'hours', trim_scale(t.hours), 'amount', trim_scale(t.amount), 'overhead_hours', trim_scale(o.hours),
    'overhead_amount', trim_scale(o.amount), 'corrections', t.corrections, 'corrected', trim_scale(t.corrected),
    'dearest', coalesce((select jsonb_agg(jsonb_build_object(
        'project_code', d.project_code, 'project_name', d.project_name, 'hours', trim_scale(d.hours),
        'amount', trim_scale(d.amount)) order by d.amount desc, d.project_code) from dearest d), '[]'),
    'missing_count', (select count(*) from missing),
    'missing', coalesce((select jsonb_agg(x.told) from (
        select jsonb_build_object('name', coalesce(m.real_name, m.username), 'hours', trim_scale(m.hours)) as told
        from missing m order by m.username limit :lc_listed) x), '[]'),
    'submitted_count', (select coalesce(sum(entries), 0) from waiting),
    'submitted_hours', (select trim_scale(coalesce(sum(hours), 0)) from waiting),
    'submitted', coalesce((select jsonb_agg(x.told) from (
        select jsonb_build_object('name', coalesce(w.real_name, w.username), 'hours', trim_scale(w.hours)) as told
        from waiting w order by w.hours desc, w.username limit :lc_listed) x), '[]')) as facts
  from total t cross join overhead o
  where t.projects > 0 or o.hours > 0 or exists (select from missing) or exists (select from waiting)"""  # noqa: S608
