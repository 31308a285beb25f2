"""Which ticks should have a row and have none: found by arithmetic from the schedules that were in force, and written
down (P9)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, text

from shared.schedule import Schedule

MOST = 20_000  # ticks written by one sweep; a longer silence is caught up by the next ones

_GRIDS = text("""
  select j.job_id, j.swept_through, r.effective_at, r.schedule, r.time_zone, r.enabled, r.catchup, r.catchup_window_s,
    r.grace_s,
         lead(r.effective_at) over (partition by j.job_id order by r.revision) as ends_at,
         r.gate_every_days, r.gate_anchor, r.gate_year
  from belfry.jobs j join belfry.job_revisions r using (job_id)
  where cast(:resting as text) is null or j.job_id = :resting and j.paused
  order by j.job_id, r.revision""")
# The jobs' rows are locked before their summaries, as a claim does, or the two would wait for each other.
_RECORD = text("""
with swept as (
  update belfry.jobs j set swept_through = s.through
  from jsonb_to_recordset(cast(:swept as jsonb)) as s (job_id text, through timestamptz)
  where j.job_id = s.job_id and j.swept_through < s.through
  returning j.*),
tick as (
  select t.job_id, t.run_at, t.state, t.reason, j.time_zone, j.overlap, j.priority, j.max_attempts, j.paused,
         j.paused_until
  from jsonb_to_recordset(cast(:ticks as jsonb)) as t (job_id text, run_at timestamptz, state text, reason text)
  join swept j using (job_id)
  where not exists (select from belfry.job_executions e
                    where e.job_id = t.job_id and e.run_at = t.run_at and e.kind <> 'manual' and e.parent_id is null)),
judged as (
  select job_id, run_at, (run_at at time zone time_zone)::date as biz_date, overlap, priority, max_attempts,
         case when paused and (paused_until is null or paused_until > run_at) then 'skipped' else state end as state,
         case when paused and (paused_until is null or paused_until > run_at) then 'paused' else reason end as reason
  from tick),
written as (
  insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, reason, overlap, priority, max_attempts,
    finished_at)
  select job_id, run_at, biz_date, case state when 'pending' then 'catchup' else 'scheduled' end, state, reason,
    overlap, priority,
         max_attempts, case when state <> 'pending' then belfry.clock() end
  from judged
  on conflict (job_id, run_at) where kind <> 'manual' and parent_id is null do nothing
  returning *)
select state, count(*)::int as n, count(belfry.summarise(row(written.*)::belfry.job_executions)) as summarised
from written group by state""")


@dataclass(frozen=True)
class _Grid:
    """One schedule of a job and the time it was in force: from < tick <= through."""

    schedule: Schedule
    begin: datetime
    end: datetime
    catchup: str
    window: timedelta


def record_missing(db: Connection, now: datetime, *, resting: str | None = None) -> dict[str, int]:
    """Write a row for every tick that is overdue by more than its grace and has none; how many by state.

    `catchup: last` promises the newest missed tick of its window, `all` each of them (both become pending), `none`
    nothing; the others are missed, and those of a paused job skipped. Ticks are judged by the revision that was in
    force when they were due. `resting`: only those of this paused job, up to now, before it resumes.
    """
    ticks: list[dict[str, Any]] = []
    swept: list[dict[str, str]] = []
    for job_id, rows in groupby(db.execute(_GRIDS, {"resting": resting}).all(), key=lambda r: r.job_id):
        revisions = list(rows)
        through = now if resting else now - timedelta(seconds=revisions[-1].grace_s)
        if through <= revisions[-1].swept_through:
            continue
        due = [tick for grid in _grids(revisions, through) for tick in _states(grid, now)]
        if len(ticks) + len(due) > MOST and ticks:
            break
        ticks += [{"job_id": job_id, **tick} for tick in due]
        swept.append({"job_id": job_id, "through": through.isoformat()})
    if not swept:
        return {}
    found = db.execute(_RECORD, {"ticks": json.dumps(ticks), "swept": json.dumps(swept)})
    return {row.state: row.n for row in found}


def _grids(revisions: Iterable[Row[Any]], through: datetime) -> Iterator[_Grid]:
    for r in revisions:
        begin, end = max(r.swept_through, r.effective_at), min(through, r.ends_at or through)
        if r.schedule and r.enabled and begin < end:
            grid = Schedule(r.schedule, r.time_zone, r.gate_every_days or 1, r.gate_anchor, r.gate_year)
            yield _Grid(grid, begin, end, r.catchup, timedelta(seconds=r.catchup_window_s))


def _states(grid: _Grid, now: datetime) -> Iterator[dict[str, str]]:
    times = list(grid.schedule.ticks(grid.begin, grid.end))
    promised = [t for t in times if t >= now - grid.window] if grid.catchup != "none" else []
    kept = set(promised[-1:] if grid.catchup == "last" else promised)
    for tick in times:
        late = tick in kept
        yield {"run_at": tick.isoformat(), "state": "pending" if late else "missed", "reason": "misfire"}
