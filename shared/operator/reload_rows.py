"""The statements of a reload: what is stored, and how its rows, revisions and dependencies are written, set-wise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.operator import declared
from shared.schedule import Schedule

_LOCK = text("select pg_advisory_xact_lock(hashtext('belfry.reload'))")
_STORED = text("select to_jsonb(j) from belfry.jobs j order by job_id")
_SWITCH = text("select value from belfry.biz_config where key = 'scheduler.enabled'")
_TURN = text("""
  insert into belfry.biz_config (key, value) values ('scheduler.enabled', cast(:value as jsonb))
  on conflict (key) do update set value = excluded.value, updated_at = clock_timestamp()""")
_NAMES = ", ".join(declared.COLUMNS)
_TYPED = ", ".join(f"{name} {kind}" for name, kind in declared.COLUMNS.items())
_SET = ", ".join(f"{name} = excluded.{name}" for name in declared.COLUMNS)
_UPSERT = text(f"""
  insert into belfry.jobs as j (job_id, {_NAMES}, swept_through, created_by, updated_by)
  select job_id, {_NAMES}, coalesce(cast(:now as timestamptz), belfry.clock()), :actor, :actor
  from jsonb_to_recordset(cast(:rows as jsonb)) as d (job_id text, {_TYPED})
  on conflict (job_id) do update set {_SET},
    swept_through = case when j.orphan then excluded.swept_through else j.swept_through end,
    orphan = false, version = j.version + 1, updated_at = clock_timestamp(), updated_by = excluded.updated_by
""")  # noqa: S608  the names are this module's own
_CLEAR = ", ".join(f"{name} = null" for name in declared.OVERRIDES)
_RESET = text(f"""
  update belfry.jobs set {_CLEAR}, version = version + 1, updated_at = clock_timestamp(), updated_by = :actor
  where job_id in (select jsonb_array_elements_text(cast(:jobs as jsonb)))
""")  # noqa: S608
_ORPHAN = text("""
  update belfry.jobs set orphan = true, version = version + 1, updated_at = clock_timestamp(), updated_by = :actor
  where not orphan and job_id in (select jsonb_array_elements_text(cast(:jobs as jsonb)))""")
_DEPENDENCIES = text("""
  with wanted as (select job_id, unnest(depends_on) as depends_on from belfry.jobs where not orphan),
  gone as (
    delete from belfry.job_dependencies d
    where not exists (select from wanted w where w.job_id = d.job_id and w.depends_on = d.depends_on))
  insert into belfry.job_dependencies (job_id, depends_on)
  select w.job_id, w.depends_on from wanted w join belfry.jobs upstream on upstream.job_id = w.depends_on
  on conflict do nothing""")
# What an operator's schedule replaces, it replaces with its gate.
_GRID = """j.effective_schedule, j.time_zone, j.calendar, j.offset_s,
           case when j.override_schedule is null then j.gate_every_days end,
           case when j.override_schedule is null then j.gate_anchor end,
           case when j.override_schedule is null then j.gate_year end,
           coalesce(j.override_enabled, j.enabled) and not j.orphan, j.catchup, j.catchup_window_s, j.grace_s"""
_GRID_NAMES = """schedule, time_zone, calendar, offset_s, gate_every_days, gate_anchor, gate_year, enabled, catchup,
           catchup_window_s, grace_s"""
_GRID_BEFORE = ", ".join(f"r.{name.strip()}" for name in _GRID_NAMES.split(","))
# The grid in force from now on; what was due before is judged by the revision of its time.
_REVISE = text(f"""
  with moved (job_id, revision, {_GRID_NAMES}) as (
    select j.job_id, coalesce(r.revision, 0) + 1, {_GRID}
    from belfry.jobs j
    left join lateral (select * from belfry.job_revisions r where r.job_id = j.job_id
                       order by r.revision desc limit 1) r on true
    where ({_GRID_BEFORE}) is distinct from ({_GRID})),
  written as (
    insert into belfry.job_revisions (job_id, revision, {_GRID_NAMES}, effective_at, created_by, reason)
    select job_id, revision, {_GRID_NAMES}, coalesce(cast(:now as timestamptz), belfry.clock()), :actor,
           coalesce(cast(:reasons as jsonb) ->> job_id, :reason)
    from moved returning job_id, revision)
  update belfry.jobs j set revision = w.revision from written w where j.job_id = w.job_id""")  # noqa: S608
_TIMING = text("""
  update belfry.jobs set schedule = :schedule, time_zone = :time_zone, gate_every_days = :gate_every_days,
    gate_anchor = :gate_anchor, gate_year = :gate_year, version = version + 1,
    updated_at = coalesce(cast(:now as timestamptz), belfry.clock()), updated_by = :actor
  where job_id = :job_id and origin = 'custom'""")
_AUDIT = text("""
  insert into belfry.audit_log (actor, action, target, after, reason)
  values (:actor, 'reload', 'cron.yaml', cast(:after as jsonb), :reason)""")


def lock(connection: Connection) -> None:
    """Two reloads go one after the other."""
    connection.execute(_LOCK)


def stored(connection: Connection) -> dict[str, dict[str, Any]]:
    """Every row of the jobs table by id."""
    return {row["job_id"]: row for (row,) in connection.execute(_STORED)}


def switched_on(connection: Connection) -> bool:
    """Whether ticks run at all; switched off, each of them is a recorded skip."""
    return connection.execute(_SWITCH).scalar_one_or_none() is not False


def turn(connection: Connection, on: bool) -> None:
    connection.execute(_TURN, {"value": json.dumps(on)})


def upsert(connection: Connection, rows: Iterable[Mapping[str, Any]], *, actor: str, now: datetime | None) -> None:
    """Rows that are new, or whose declared columns changed; what was an orphan is one no longer and starts now."""
    names = ("job_id", *declared.COLUMNS)
    content = json.dumps([{name: row[name] for name in names} for row in rows])
    connection.execute(_UPSERT, {"rows": content, "actor": actor, "now": now})


def clear_overrides(connection: Connection, jobs: Iterable[str], *, actor: str) -> None:
    connection.execute(_RESET, {"jobs": json.dumps(list(jobs)), "actor": actor})


def orphan(connection: Connection, jobs: Iterable[str], *, actor: str) -> None:
    """Jobs that the file no longer has: kept with their history, never run."""
    connection.execute(_ORPHAN, {"jobs": json.dumps(list(jobs)), "actor": actor})


def link(connection: Connection) -> None:
    """Who waits for whom, as the jobs' rows say."""
    connection.execute(_DEPENDENCIES)


def revise(
    connection: Connection,
    *,
    actor: str,
    reason: str | None = None,
    reasons: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> None:
    """A revision for every job whose grid or gate in force differs from its last one; to be called after each
    override. A job's own of the `reasons` goes before the reason of all."""
    connection.execute(
        _REVISE, {"actor": actor, "reason": reason, "reasons": json.dumps(dict(reasons or {})), "now": now}
    )


def set_timing(
    connection: Connection,
    job_id: str,
    schedule: Schedule,
    *,
    actor: str,
    reason: str | None = None,
    now: datetime | None = None,
) -> bool:
    """A custom job rings by this schedule from now on, an interval or a date with its gate; False: no such custom job.

    The ticks before are judged by the schedule before. Cloud Scheduler hears of it at the next reload.
    """
    columns = {**declared.timing(schedule), "job_id": job_id, "actor": actor, "now": now}
    if not connection.execute(_TIMING, columns).rowcount:
        return False
    revise(connection, actor=actor, reason=reason, now=now)
    return True


def note(connection: Connection, after: Mapping[str, Any], *, actor: str, reason: str | None) -> None:
    """The one audit row of a reload."""
    connection.execute(_AUDIT, {"after": json.dumps(after), "actor": actor, "reason": reason})
