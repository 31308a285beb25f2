"""What did the plant and each workshop do on a day, against its plan? (rulebook 22)

The figures of several days in one pass: plan spread over the workdays of each order's window, reports of the local day,
who should have been there, exceptions. The same rules in Python are shared/rules/daily_figures.py; one table of cases
tests both.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    Integer,
    Numeric,
    Select,
    Text,
    bindparam,
    case,
    column,
    func,
    literal,
    or_,
    select,
    text,
)

from shared.erp.tables import work_orders, work_reports
from shared.rules.daily_figures import LONGEST_DAYS

FIGURES = (
    "plan_qty", "completed_qty", "completion_rate", "plan_hours", "actual_hours", "earned_hours", "overtime_hours",
    "efficiency", "total_qty", "qualified_qty", "defect_qty", "pass_rate",
)
COUNTS = ("should_attend", "actual_attend", "leave_count", "new_exception_count", "resolved_exception_count")

SLIP_DAYS = 92  # a window that ends longer before it begins is nobody's slip of these days: an index bounds the search

_order, _report = work_orders.c, work_reports.c
_end = func.coalesce(_order.plan_end_date, _order.plan_start_date)
_days = _end - _order.plan_start_date
_broken_plan = or_(_days < 0, _days > LONGEST_DAYS, _order.plan_qty <= 0, _order.standard_hours < 0)
_broken_report = or_(
    _report.work_hours < 0, _report.completed_qty < 0, _report.qualified_qty < 0, _report.defect_qty < 0
)


@dataclass(frozen=True)
class Span:
    """The days to work out, in the job's zone; a worker's day has so many hours."""

    first: date
    last: date
    zone: str
    day_hours: int

    @classmethod
    def until(cls, last: date, *, days_before: int, zone: str, day_hours: int) -> "Span":
        return cls(last - timedelta(days_before), last, zone, day_hours)


def daily_stats(span: Span) -> Select[Any]:
    """One row per day for the plant (workshop_id null), each active workshop, and others that somebody reported in."""
    kinds: dict[str, Any] = dict.fromkeys(FIGURES, Numeric) | dict.fromkeys(COUNTS, Integer)
    found = text(_STATS).bindparams(
        bindparam("first", span.first, Date), bindparam("last", span.last, Date), bindparam("zone", span.zone, Text),
        bindparam("day_hours", span.day_hours, Numeric), bindparam("longest", LONGEST_DAYS, Integer),
    ).columns(
        column("report_date", Date), column("workshop_id", BigInteger), column("workshop_name", Text),
        column("is_workday", Boolean), *(column(name, kind) for name, kind in kinds.items()),
    )
    return select(found.cte("daily_stats"))


def unjudgeable(span: Span) -> Select[Any]:
    """Orders whose plan, and reports whose numbers contradict themselves; the day's other rows are counted."""
    dates = func.concat("planned from ", _order.plan_start_date, " to ", _order.plan_end_date)
    quantity = func.concat("plan quantity is ", func.trim_scale(_order.plan_qty))
    reason = case(
        (_order.plan_qty <= 0, quantity), (_days < 0, dates), (_days > LONGEST_DAYS, dates),
        else_=func.concat("standard hours are ", func.trim_scale(_order.standard_hours)),
    )
    said = (
        "hours ", func.trim_scale(_report.work_hours), ", completed ", func.trim_scale(_report.completed_qty),
        ", qualified ", func.trim_scale(_report.qualified_qty), ", defect ", func.trim_scale(_report.defect_qty),
    )
    local = func.date(func.timezone(span.zone, _report.report_time))
    plans = select(
        literal("WORK_ORDER").label("item_type"), _order.work_order_no.label("item_key"), reason.label("error")
    ).where(
        _order.status != "CANCELLED", _broken_plan, _order.plan_start_date <= span.last,
        func.greatest(_end, _order.plan_start_date) >= span.first, _end >= span.first - timedelta(SLIP_DAYS),
    )
    reports = select(
        literal("WORK_REPORT"), func.concat(_order.work_order_no, "/", _report.id), func.concat(*said)
    ).join_from(work_reports, work_orders, _order.id == _report.work_order_id).where(
        local.between(span.first, span.last), _report.status != "REJECTED", _broken_report,
        _report.report_time >= span.first - timedelta(2), _report.report_time < span.last + timedelta(3),
    )
    return select(plans.union_all(reports).subquery())


# A group is the plant or a workshop of a day. Sums are additive; who was there and who worked longer is not, because a
# worker who helps in two workshops is one person in the plant.
_STATS = """
with days as (
  select d::date as day, belfry.is_workday(d::date) as worked,
         d::timestamp at time zone :zone as begins, (d + interval '1 day')::timestamp at time zone :zone as ends
  from generate_series(cast(:first as timestamp), cast(:last as timestamp), interval '1 day') d),
planned as (
  select workshop_id, coalesce(plan_qty, 1) as qty, coalesce(standard_hours, 0) as hours, plan_start_date as first,
         coalesce(plan_end_date, plan_start_date) as last
  from erp.work_orders
  where status <> 'CANCELLED' and coalesce(plan_end_date, plan_start_date) >= :first and plan_start_date <= :last
    and coalesce(plan_end_date, plan_start_date) - plan_start_date between 0 and :longest
    and coalesce(plan_qty, 1) > 0 and coalesce(standard_hours, 0) >= 0),
calendar as (
  select day, worked, sum(worked) over (order by day) - worked as before
  from (select d::date as day, belfry.is_workday(d::date)::int as worked
        from (select min(first) as first, max(last) as last from planned) w,
             generate_series(w.first, w.last, interval '1 day') d) c),
spread as (
  select p.*, b.before + b.worked - a.before as workdays, p.last - p.first + 1 as days
  from planned p join calendar a on a.day = p.first join calendar b on b.day = p.last),
reports as (
  select d.day, d.worked, o.workshop_id, r.worker_id, r.completed_qty, r.qualified_qty, r.defect_qty,
         coalesce(r.work_hours, 0) as hours,
         case when coalesce(o.plan_qty, 1) > 0 and o.standard_hours > 0
              then coalesce(r.completed_qty, 0) * o.standard_hours / coalesce(o.plan_qty, 1) else 0 end as earned
  from days d join erp.work_reports r on r.report_time >= d.begins and r.report_time < d.ends
  join erp.work_orders o on o.id = r.work_order_id
  where r.report_time >= cast(:first as timestamp) at time zone :zone
    and r.report_time < (cast(:last as timestamp) + interval '1 day') at time zone :zone
    and r.status <> 'REJECTED' and least(r.work_hours, r.completed_qty, r.qualified_qty, r.defect_qty, 0) >= 0),
staff as (
  select d.day, w.workshop_id, l.worker_id is not null as away
  from days d join erp.workers w on d.worked and coalesce(w.entry_date, d.day) <= d.day
    and (w.leave_date >= d.day or (w.leave_date is null and w.status <> 'RESIGNED'))
  left join erp.worker_leaves l on l.worker_id = w.id and l.day = d.day and l.hours >= :day_hours),
exceptions as (
  select d.day, coalesce(e.workshop_id, o.workshop_id) as workshop_id, 1 as reported, 0 as resolved
  from days d join erp.production_exceptions e on e.report_time >= d.begins and e.report_time < d.ends
  left join erp.work_orders o on o.id = e.work_order_id
  where e.report_time >= cast(:first as timestamp) at time zone :zone
    and e.report_time < (cast(:last as timestamp) + interval '1 day') at time zone :zone
  union all
  select d.day, coalesce(e.workshop_id, o.workshop_id), 0, 1
  from days d join erp.production_exceptions e on e.resolved_at >= d.begins and e.resolved_at < d.ends
  left join erp.work_orders o on o.id = e.work_order_id
  where e.resolved_at >= cast(:first as timestamp) at time zone :zone
    and e.resolved_at < (cast(:last as timestamp) + interval '1 day') at time zone :zone),
plan_of as (
  select d.day, p.workshop_id, grouping(p.workshop_id) as plant,
         sum(p.qty / coalesce(nullif(p.workdays, 0), p.days)) as qty,
         sum(p.hours / coalesce(nullif(p.workdays, 0), p.days)) as hours
  from days d join spread p on d.day between p.first and p.last and (d.worked or p.workdays = 0)
  group by grouping sets ((d.day), (d.day, p.workshop_id))),
done_of as (
  select day, workshop_id, grouping(workshop_id) as plant, sum(completed_qty) as completed,
         coalesce(sum(qualified_qty), 0) as qualified, coalesce(sum(defect_qty), 0) as defect, sum(hours) as hours,
         sum(earned) as earned
  from reports group by grouping sets ((day), (day, workshop_id))),
worker_of as (
  select day, worked, workshop_id, grouping(workshop_id) as plant, worker_id, sum(hours) as hours
  from reports group by grouping sets ((day, worked, worker_id), (day, worked, workshop_id, worker_id))),
people_of as (
  select day, workshop_id, plant, count(*) as present,
         sum(case when worked then greatest(hours - :day_hours, 0) else hours end) as overtime
  from worker_of group by day, workshop_id, plant),
staff_of as (
  select day, workshop_id, grouping(workshop_id) as plant, count(*) filter (where not away) as due,
         count(*) filter (where away) as away
  from staff group by grouping sets ((day), (day, workshop_id))),
exceptions_of as (
  select day, workshop_id, grouping(workshop_id) as plant, sum(reported) as reported, sum(resolved) as resolved
  from exceptions group by grouping sets ((day), (day, workshop_id))),
groups as (
  select day, worked, null::bigint as workshop_id, null::text as workshop_name, 1 as plant from days
  union all
  select d.day, d.worked, w.id, w.workshop_name, 0 from days d cross join erp.workshops w
  where w.is_active or exists (select from reports r where r.day = d.day and r.workshop_id = w.id)),
figures as (
  select g.*, coalesce(p.qty, 0) as plan_qty, coalesce(p.hours, 0) as plan_hours,
         coalesce(nullif(r.completed, 0), r.qualified + r.defect, 0) as completed_qty,
         coalesce(nullif(r.qualified + r.defect, 0), r.completed, 0) as total_qty,
         coalesce(r.qualified, 0) as qualified_qty, coalesce(r.defect, 0) as defect_qty,
         coalesce(r.hours, 0) as actual_hours, coalesce(r.earned, 0) as earned_hours,
         coalesce(w.overtime, 0) as overtime_hours, coalesce(w.present, 0)::int as actual_attend,
         coalesce(s.due, 0)::int as should_attend, coalesce(s.away, 0)::int as leave_count,
         coalesce(e.reported, 0)::int as new_exception_count, coalesce(e.resolved, 0)::int as resolved_exception_count
  from groups g
  left join plan_of p on p.day = g.day and p.plant = g.plant and p.workshop_id is not distinct from g.workshop_id
  left join done_of r on r.day = g.day and r.plant = g.plant and r.workshop_id is not distinct from g.workshop_id
  left join people_of w on w.day = g.day and w.plant = g.plant and w.workshop_id is not distinct from g.workshop_id
  left join staff_of s on s.day = g.day and s.plant = g.plant and s.workshop_id is not distinct from g.workshop_id
  left join exceptions_of e on e.day = g.day and e.plant = g.plant and e.workshop_id is not distinct from g.workshop_id)
select day as report_date, workshop_id, workshop_name, worked as is_workday,
  round(plan_qty, 2) as plan_qty, round(completed_qty, 2) as completed_qty,
  case when plan_qty > 0 then least(999.99, round(completed_qty * 100 / plan_qty, 2)) else 0 end as completion_rate,
  round(plan_hours, 2) as plan_hours, round(actual_hours, 2) as actual_hours, round(earned_hours, 2) as earned_hours,
  round(overtime_hours, 2) as overtime_hours,
  round(earned_hours * 100 / nullif(actual_hours, 0), 2) as efficiency,
  round(total_qty, 2) as total_qty, round(qualified_qty, 2) as qualified_qty, round(defect_qty, 2) as defect_qty,
  case when total_qty = 0 then 0 when qualified_qty + defect_qty > 0 then round(qualified_qty * 100 / total_qty, 2) end
    as pass_rate,
  should_attend, actual_attend, leave_count, new_exception_count, resolved_exception_count
from figures
"""
