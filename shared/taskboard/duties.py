"""Which duties are for which day, and who gets a task for them? (rulebook 6.6, job 25)"""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Date, Integer, Select, Text, TextClause, column, func, literal, or_, select, text
from sqlalchemy.dialects.postgresql import array

from shared.erp.facts import facts
from shared.erp.lists import LISTED, first
from shared.erp.tables import departments, job_duty_templates, positions, users, work_tasks
from shared.erp.tokens import user

_task, _duty = work_tasks.c, job_duty_templates.c
LONGEST_LEAD = 366  # days ahead that a task may be made


@dataclass(frozen=True)
class Morning:
    """The day of the run, and the local time of day at which duties are due."""

    now: datetime
    day: date
    zone: ZoneInfo
    due_at: time

    @property
    def bound(self) -> dict[str, Any]:
        return {"day": self.day}


# shared.rules.recurrence.duty_day. Of the days of rest just before, an occurrence is still ahead when its workday is:
# so the search begins the day after the last workday, and what it finds moves to its own next workday.
_OCCURRENCES = f"""
with workday as (
  select d::date as day, belfry.is_workday(d::date) as works
  from generate_series(cast(:day as date) - 31, cast(:day as date) + {LONGEST_LEAD} + 31, interval '1 day') d),
moved as materialized (
  select day, min(day) filter (where works) over (order by day desc) as workday from workday),
searched as (
  select coalesce(max(day) + 1, cast(:day as date)) as rested from workday where works and day < cast(:day as date)),
duty as (
  select t.*, case when skip_rest_days then rested else cast(:day as date) end as since
  from erp.job_duty_templates t cross join searched where t.is_active and t.auto_generate),
found as (
  select d.*, case frequency
      when 'DAILY' then since
      when 'WEEKLY' then since + mod(day_of_week - extract(isodow from since)::int + 7, 7)
      when 'MONTHLY' then case when this >= since then this else following end
      else case when this_year >= since then this_year else next_year end end as occurrence
  from duty d
  cross join lateral (
    select date_trunc('month', since)::date as m0, (date_trunc('month', since) + interval '1 month')::date as m1,
           (date_trunc('month', since) + interval '2 months')::date as m2,
           make_date(extract(year from since)::int, month_of_year, 1) as y0,
           make_date(extract(year from since)::int + 1, month_of_year, 1) as y1) b
  cross join lateral (
    select least(m0 + day_of_month - 1, m1 - 1) as this, least(m1 + day_of_month - 1, m2 - 1) as following,
           least(y0 + day_of_month - 1, (y0 + interval '1 month')::date - 1) as this_year,
           least(y1 + day_of_month - 1, (y1 + interval '1 month')::date - 1) as next_year) o
  where generate_before_days between 0 and {LONGEST_LEAD}
    and case frequency when 'WEEKLY' then day_of_week is not null when 'MONTHLY' then day_of_month is not null
             when 'YEARLY' then day_of_month is not null and month_of_year is not null else true end),
ahead as (
  select f.*, case when skip_rest_days then greatest(m.workday, cast(:day as date)) else occurrence end as plan_date
  from found f left join moved m on m.day = f.occurrence),
due as (
  select * from ahead where plan_date - generate_before_days <= cast(:day as date)),
holder as (
  select d.id as template_id, u.id as user_id from due d join erp.users u
    on u.is_active and u.position_id = d.position_id and (d.department_id is null or u.department_id = d.department_id))
"""  # noqa: S608  a constant of this file

_MADE = f"""{_OCCURRENCES},
made as (
  insert into erp.work_tasks (task_code, title, task_type, category, source_type, source_id, assignee_id, status,
    priority, deadline, estimated_hours, reminder_enabled, reminder_before_hours, plan_date, created_at, updated_at)
  select 'JD-' || to_char(cast(:day as date), 'YYYYMMDD') || '-'
           || lpad(nextval('belfry.duty_task_no_seq')::text, 6, '0'),
         w.duty_name, 'JOB_DUTY', 'JOB_DUTY', 'JOB_DUTY_TEMPLATE', w.id, w.user_id, 'NEW', w.default_priority,
         (w.plan_date + w.deadline_offset_days + cast(:due_at as time)) at time zone cast(:zone as text),
         w.estimated_hours, true, 24, w.plan_date, cast(:now as timestamptz), cast(:now as timestamptz)
  from (
    select d.*, h.user_id from due d join holder h on h.template_id = d.id
    where not exists (select from erp.work_tasks t where t.source_type = 'JOB_DUTY_TEMPLATE' and t.source_id = d.id
                        and t.assignee_id = h.user_id and t.plan_date = d.plan_date)
    order by d.plan_date, d.id, h.user_id) w
  returning id)
select (select count(*) from duty)::int as checked, (select count(*) from due)::int as due,
       (select count(*) from made)::int as made"""  # noqa: S608  as above


def occurrences(morning: Morning) -> Select[Any]:
    """The day that each duty is for next, made into tasks today or later: `id`, `plan_date`."""
    columns = column("id", BigInteger), column("plan_date", Date)
    rows = text(f"{_OCCURRENCES} select id, plan_date from ahead").bindparams(**morning.bound)  # noqa: S608  a constant
    return select(rows.columns(*columns).cte("duty_days"))


def made(morning: Morning) -> TextClause:
    """Make the tasks of duties whose day is near, one a person, unless they are there: checked, due, made."""
    return text(_MADE).bindparams(
        **morning.bound, due_at=morning.due_at, zone=morning.zone.key, now=morning.now
    )


def new_duties(morning: Morning, not_before: datetime) -> Select[Any]:
    """Messages of JOB_DUTY_NEW: per person one that lists the tasks this run made."""
    line = facts({
        "task_code": _task.task_code, "title": _task.title, "plan_date": _task.plan_date, "deadline": _task.deadline,
        "priority": _task.priority, "description": _duty.duty_description, "hours": _task.estimated_hours,
    })
    key = func.concat_ws("|", "JOB_DUTY_NEW|USER", _task.assignee_id, func.min(_task.id))
    return select(
        key.label("dedupe_key"), array([user(_task.assignee_id)], type_=Text).label("recipients"),
        literal("INFO", Text).label("severity"), literal(not_before).label("not_before"),
        facts({
            "day": literal(morning.day), "count": func.count(), "items": first(LISTED, line, _task.deadline, _task.id),
        }).label("facts"),
    ).outerjoin_from(work_tasks, job_duty_templates, _duty.id == _task.source_id).where(
        _task.source_type == text("'JOB_DUTY_TEMPLATE'"), _task.plan_date >= morning.day,
        _task.created_at == morning.now,
    ).group_by(_task.assignee_id)


def without_people(morning: Morning, not_before: datetime) -> Select[Any]:
    """Messages of JOB_DUTY_UNASSIGNED: once a week the duties that nobody has, for the PMO."""
    nobody = _without_people().subquery("nobody").c
    week = morning.day.isocalendar()
    line = facts({"duty": nobody.duty_name, "position": nobody.position_name, "department": nobody.dept_name})
    listed = select(
        literal(f"JOB_DUTY_UNASSIGNED|{week.year}-W{week.week:02}", Text).label("dedupe_key"),
        array([literal("ROLE:PMO", Text)]).label("recipients"), literal("WARNING", Text).label("severity"),
        array(["system", "email"], type_=Text).label("channels"), literal(not_before).label("not_before"),
        facts({
            "day": literal(morning.day), "count": func.count(), "items": first(LISTED, line, nobody.id),
        }).label("facts"),
    ).select_from(nobody.id.table)
    return listed.having(func.count() > 0)


def count_without_people() -> Select[Any]:
    """How many duties nobody has (`templates`)."""
    return select(func.count(type_=Integer).label("templates")).select_from(_without_people().subquery("nobody"))


def _without_people() -> Select[Any]:
    somebody = select(users.c.id).where(
        users.c.is_active, users.c.position_id == _duty.position_id,
        _duty.department_id.is_(None) | (users.c.department_id == _duty.department_id),
    ).exists()
    return select(_duty.id, _duty.duty_name, positions.c.position_name, departments.c.dept_name).outerjoin_from(
        job_duty_templates, positions, positions.c.id == _duty.position_id
    ).outerjoin(departments, departments.c.id == _duty.department_id).where(
        _duty.is_active, _duty.auto_generate, ~somebody
    )


def unjudgeable() -> Select[Any]:
    """Duties that do not say on which day, or ask for their task a negative time or more than a year ahead."""
    missing = {
        "WEEKLY": _duty.day_of_week.is_(None), "MONTHLY": _duty.day_of_month.is_(None),
        "YEARLY": _duty.day_of_month.is_(None) | _duty.month_of_year.is_(None),
    }
    silent = or_(*((_duty.frequency == frequency) & lacks for frequency, lacks in missing.items()))
    lead = (_duty.generate_before_days < 0) | (_duty.generate_before_days > LONGEST_LEAD)
    columns: tuple[Any, ...] = (
        literal("JOB_DUTY_TEMPLATE").label("item_type"), func.concat(_duty.duty_name, "#", _duty.id).label("item_key"),
        func.concat(
            _duty.frequency, " with day_of_week ", _duty.day_of_week, ", day_of_month ", _duty.day_of_month,
            ", month_of_year ", _duty.month_of_year, ", generate_before_days ", _duty.generate_before_days,
        ).label("error"),
    )
    return select(*columns).where(_duty.is_active, _duty.auto_generate, silent | lead)
