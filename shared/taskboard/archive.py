"""Which tasks and messages have had their time? (rulebook T4; what Belfry keeps is shared/ledger/pruning.py's)"""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, Text, TextClause, literal, select, text
from sqlalchemy.dialects.postgresql import array

from shared.erp.facts import facts

# Nobody needs it any more: no part of it is unfinished, no open alert speaks of it, and it does not come back.
_ENDED = """
  select t.id from erp.work_tasks t
  where t.status in ('CLOSED', 'CANCELLED') and t.updated_at < cast(:tasks_before as timestamptz)
    and not exists (select from belfry.task_recurrence r where r.task_id = t.id and r.is_active)
    and not exists (select from erp.work_tasks p where p.source_type = 'WORK_TASK' and p.source_id = t.id
                      and p.status not in ('COMPLETED', 'CLOSED', 'CANCELLED'))
    and not exists (select from belfry.alert_records a where a.target_type = 'WORK_TASK' and a.target_id = t.id
                      and a.status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING'))"""

_READ = """
  select d.id from belfry.notification_deliveries d
  where d.channel = 'system' and d.state in ('sent', 'delivered') and d.read_at is not null
    and d.created_at < cast(:messages_before as timestamptz)"""

_ARCHIVED = text(f"""
with ended as ({_ENDED} order by t.updated_at, t.id limit :batch for update of t skip locked),
kept as (
  insert into belfry.work_tasks_archive (id, payload, archived_at, execution_id)
  select t.id, jsonb_build_object(
           'task', to_jsonb(t),
           'cycles', (select jsonb_agg(to_jsonb(c) order by c.cycle_no) from belfry.task_cycles c
                      where c.task_id = t.id),
           'recurrence', (select to_jsonb(r) from belfry.task_recurrence r where r.task_id = t.id)),
         cast(:now as timestamptz), cast(:execution as uuid)
  from erp.work_tasks t join ended e on e.id = t.id
  on conflict (id) do update set payload = excluded.payload, archived_at = excluded.archived_at,
    execution_id = excluded.execution_id
  returning id),
cycles as (delete from belfry.task_cycles c using ended e where c.task_id = e.id returning c.task_id),
recurrences as (delete from belfry.task_recurrence r using ended e where r.task_id = e.id returning r.task_id),
gone as (delete from erp.work_tasks t using kept k where t.id = k.id returning t.id)
select (select count(*) from gone)::int as gone, (select count(*) from cycles)::int as cycles,
       (select count(*) from recurrences)::int as recurrences""")  # noqa: S608  constants of this file

_FORGOTTEN = text(f"""
with gone as (delete from belfry.notification_deliveries where id in ({_READ} limit :batch) returning id)
select count(*)::int as gone, 0 as cycles, 0 as recurrences from gone""")  # noqa: S608  as above

_COUNTED = text(f"""
select (select count(*) from ({_ENDED}) t)::int as tasks, (select count(*) from ({_READ}) m)::int as messages
""")  # noqa: S608  as above

_NOTED = text("""
insert into belfry.audit_log (at, actor, action, job_id, after)
values (cast(:now as timestamptz), 'job:' || cast(:job as text), 'tasks.archive', cast(:job as text),
        cast(:counters as jsonb))""")


def days_before(now: datetime, days: int) -> datetime:
    """The instant so many days of 24 hours ago."""
    return now - timedelta(days=days)


def archived(before: datetime, batch: int, now: datetime, execution_id: str) -> TextClause:
    """Move a batch of ended tasks, oldest first, with all that belongs to them: gone, cycles, recurrences."""
    return _ARCHIVED.bindparams(tasks_before=before, batch=batch, now=now, execution=execution_id)


def forgotten(before: datetime, batch: int) -> TextClause:
    """Delete a batch of in-app messages that were read: gone."""
    return _FORGOTTEN.bindparams(messages_before=before, batch=batch)


def counted(tasks_before: datetime, messages_before: datetime) -> TextClause:
    """How much there is to do: tasks, messages."""
    return _COUNTED.bindparams(tasks_before=tasks_before, messages_before=messages_before)


def noted(now: datetime, job_id: str, counters: str) -> TextClause:
    """Write into the audit log what was done."""
    return _NOTED.bindparams(now=now, job=job_id, counters=counters)


def report(day: date, counters: dict[str, Any]) -> Select[Any]:
    """The message of CLEANUP_DONE for the administrators."""
    return select(
        literal(f"CLEANUP_DONE|{day}", Text).label("dedupe_key"),
        array([literal("ROLE:SYS_ADMIN", Text)]).label("recipients"), literal("WARNING", Text).label("severity"),
        array(["system", "email"], type_=Text).label("channels"),
        facts({"day": literal(day), **{name: literal(number) for name, number in counters.items()}}).label("facts"),
    )
