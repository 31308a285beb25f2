"""Which periodic tasks begin again, and which occurrences found their task unfinished? (rulebook 6.6, job T1)"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Select,
    Text,
    TextClause,
    TextualSelect,
    column,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import array

from shared.erp.facts import facts
from shared.erp.tables import users, work_tasks
from shared.erp.tokens import user
from shared.taskboard.tables import task_cycles

_task, _cycle = work_tasks.c, task_cycles.c
NEVER = "NONE"  # the default of tasks that say nothing: they do not come back


@dataclass(frozen=True)
class Tick:
    """When it is, and how a periodic task comes back that has not said so."""

    now: datetime
    day: date
    zone: ZoneInfo
    frequency: str

    @property
    def bound(self) -> dict[str, Any]:
        local = self.now.astimezone(self.zone).replace(tzinfo=None)
        return {"local": local, "day": self.day, "zone": self.zone.key, "frequency": self.frequency}


# A task whose category is PERIODIC comes back unless its recurrence says no; any other only where it says yes. Who
# closes a task means it, unless somebody said that it goes on.
_TASKS = """
with candidate as (
  select id from erp.work_tasks
  where category = 'PERIODIC' and status in ('NEW', 'PENDING', 'PROCESSING', 'COMPLETED', 'CLOSED')
  union
  select task_id from belfry.task_recurrence where is_active),
task as (
  select t.id, t.task_code, t.status, t.progress, t.expected_start, t.expected_end, t.actual_start, t.updated_at,
         coalesce(t.actual_end, t.updated_at) as ended, t.status in ('COMPLETED', 'CLOSED') as finished,
         coalesce(t.expected_start, t.actual_end, t.updated_at) as anchor,
         coalesce(t.expected_start, t.actual_end, t.updated_at) at time zone cast(:zone as text) as start,
         coalesce(r.frequency, cast(:frequency as text)) as frequency, coalesce(r.every, 1) as every, r.day, r.month,
         r.at_time, r.end_date, r.is_active, coalesce(r.missed_count, 0) as missed_count, r.missed_at
  from candidate c join erp.work_tasks t on t.id = c.id left join belfry.task_recurrence r on r.task_id = t.id
  where t.status in ('NEW', 'PENDING', 'PROCESSING', 'COMPLETED', 'CLOSED')
    and coalesce(r.is_active, t.category = 'PERIODIC') and (t.status <> 'CLOSED' or r.is_active)
    and coalesce(r.frequency, cast(:frequency as text)) <> 'NONE')"""

# shared.rules.recurrence.Recurrence.latest: of two periods, this one and the one before, the later that has come.
_JUDGED = f"""{_TASKS},
placed as (
  select t.*, o.occurrence, o.occurrence at time zone cast(:zone as text) as begins,
         t.end_date is null or (cast(:day as date) <= t.end_date + 1 and o.occurrence::date <= t.end_date) as allowed,
         coalesce(cast(:day as date) > t.end_date, false) as stops
  from task t
  cross join lateral (
    select start::date as first, date_trunc('week', start)::date as monday, date_trunc('month', start)::date as month0,
           extract(year from start)::int as year, coalesce(at_time, start::time) as clock) s
  cross join lateral (
    select case frequency
      when 'DAILY' then cast(:local as timestamp)::date - first
      when 'WEEKLY' then (date_trunc('week', cast(:local as timestamp))::date - monday) / 7
      when 'MONTHLY' then (extract(year from cast(:local as timestamp))::int - year) * 12
        + extract(month from cast(:local as timestamp))::int - extract(month from start)::int
      else extract(year from cast(:local as timestamp))::int - year end as periods) p
  cross join lateral (
    select max(d.on_day + clock) as occurrence
    from (values (periods - mod(periods, every)), (periods - mod(periods, every) - every)) k (ahead)
    cross join lateral (
      select case frequency
        when 'MONTHLY' then (month0 + make_interval(months => ahead))::date
        when 'YEARLY' then make_date(year + ahead, coalesce(month, extract(month from start)::int), 1) end as in_month
      ) m
    cross join lateral (
      select case frequency
        when 'DAILY' then first + ahead
        when 'WEEKLY' then monday + 7 * ahead + coalesce(day, extract(isodow from start)::int) - 1
        else least(in_month + coalesce(day, extract(day from start)::int) - 1,
                   (in_month + interval '1 month')::date - 1) end as on_day) d
    where ahead >= 0 and d.on_day + clock > start and d.on_day + clock <= cast(:local as timestamp)) o
  where not (t.frequency = 'WEEKLY' and coalesce(t.day, 1) > 7)),
judged as (
  select *, coalesce(finished and occurrence is not null and allowed, false) as again,
         coalesce(not finished and occurrence is not null and allowed, false) and missed_at is distinct from begins
           as missed,
         frequency in ('MONTHLY', 'YEARLY') and day is null and extract(day from start) > 28 as drifts
  from placed)"""  # noqa: S608  constants of this file

_WRITTEN = f"""{_JUDGED},
ended as (
  insert into belfry.task_cycles (task_id, cycle_no, status, progress, missed_count, expected_start, expected_end,
    actual_start, actual_end, closed_at, execution_id)
  select j.id, coalesce((select max(c.cycle_no) from belfry.task_cycles c where c.task_id = j.id), 0) + 1, j.status,
         j.progress, j.missed_count, j.expected_start, j.expected_end, j.actual_start, j.ended,
         cast(:now as timestamptz), cast(:execution as uuid)
  from judged j where j.again
  returning task_id),
begun as (
  update erp.work_tasks t set
    status = 'NEW', progress = 0, time_progress = 0, actual_start = null, actual_end = null,
    expected_start = j.begins, deadline = t.deadline + (j.begins - j.anchor), updated_at = cast(:now as timestamptz),
    expected_end = j.begins + case when j.expected_end > j.expected_start then j.expected_end - j.expected_start
                                   else make_interval(days => :default_days) end
  from judged j where t.id = j.id and j.again
  returning t.id),
kept as (
  insert into belfry.task_recurrence (task_id, day, month, missed_count, missed_at, is_active, updated_at, execution_id)
  select id, case when again and drifts then extract(day from start)::int else day end,
         case when again and drifts and frequency = 'YEARLY' then coalesce(month, extract(month from start)::int)
              else month end,
         case when again then 0 when missed then missed_count + 1 else missed_count end,
         case when again then null when missed then begins else missed_at end,
         case when stops then false else is_active end, cast(:now as timestamptz), cast(:execution as uuid)
  from judged where missed or stops or (again and (drifts or missed_count > 0))
  on conflict (task_id) do update set day = excluded.day, month = excluded.month, missed_count = excluded.missed_count,
    missed_at = excluded.missed_at, is_active = excluded.is_active, updated_at = excluded.updated_at,
    execution_id = excluded.execution_id
  returning task_id)
select (select count(*) from judged)::int as checked, (select count(*) from begun)::int as begun,
       (select count(*) from judged where missed)::int as missed,
       (select count(*) from judged where stops)::int as stopped,
       (select count(*) from ended)::int as ended, (select count(*) from kept)::int as kept"""  # noqa: S608  as above


def begun(tick: Tick, default_days: int, execution_id: str) -> TextualSelect | TextClause:
    """Begin the tasks again whose occurrence has come, keep their cycles, mark the unfinished, stop what is over.

    Answers one row: checked, begun, missed, stopped. `default_days` is the planned time of tasks without any.
    """
    return text(_WRITTEN).bindparams(
        **tick.bound, now=tick.now, default_days=default_days, execution=execution_id
    )


def resets(execution_id: str, not_before: datetime) -> Select[Any]:
    """Messages of TASK_RESET: one for each cycle that this execution ended, to the task's assignee."""
    key = func.concat_ws("|", "TASK_RESET|WORK_TASK", _task.id, _task.assignee_id, _cycle.cycle_no + 1)
    return select(
        key.label("dedupe_key"), array([user(_task.assignee_id)], type_=Text).label("recipients"),
        literal("INFO", Text).label("severity"), _task.project_id, literal(not_before).label("not_before"),
        facts({
            "target_no": _task.task_code, "target_name": _task.title, "cycle_no": _cycle.cycle_no + 1,
            "assignee": users.c.real_name, "expected_start": _task.expected_start, "expected_end": _task.expected_end,
            "deadline": _task.deadline, "missed_count": _cycle.missed_count,
        }).label("facts"),
    ).join_from(task_cycles, work_tasks, _task.id == _cycle.task_id).outerjoin(
        users, users.c.id == _task.assignee_id
    ).where(_cycle.execution_id == literal(execution_id, _cycle.execution_id.type))


def unjudgeable(tick: Tick) -> Select[Any]:
    """Periodic tasks of a week with more than seven days."""
    return _items(tick, "'no day ' || day || ' in a week'", "frequency = 'WEEKLY' and day > 7")


def without_start(tick: Tick) -> Select[Any]:
    """Finished periodic tasks whose last cycle had no planned start: they count from their end."""
    error = "'no expected_start: the next cycle counts from ' || start"
    return _items(tick, error, "finished and expected_start is null")


def _items(tick: Tick, error: str, where: str) -> Select[Any]:
    bound = {name: value for name, value in tick.bound.items() if name in ("zone", "frequency")}
    items = f"""{_TASKS}
      select 'WORK_TASK' as item_type, task_code as item_key, {error} as error from task where {where}"""  # noqa: S608
    columns = (column(name, Text) for name in ("item_type", "item_key", "error"))
    return select(text(items).bindparams(**bound).columns(*columns).cte("periodic"))
