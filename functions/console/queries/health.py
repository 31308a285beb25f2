"""Is anything in the tables that must never be? One look at every invariant, at most once a minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from functions.console.moments import utc_now
from shared.db import sqlstate, transaction

KEPT = timedelta(seconds=60)
_TIMED_OUT = "57014"

# What grows for ever is looked at where it grew lately: a week of ticks, the newest notifications. A whole million of
# each took seconds, so that the look ran out of its time. (The clock in a subquery, so that an index can be asked.)
_VIOLATED = text("""select coalesce(array_agg(name order by name), '{}') from (
    select 'one_effect' as name where exists (
      select from belfry.v_invariant_one_effect where run_at > (select belfry.clock() - interval '7 days'))
    union all select 'one_running' where exists (select from belfry.v_invariant_one_running)
    union all select 'stale_lease' where exists (select from belfry.v_invariant_stale_lease)
    union all select 'fence_ahead' where exists (select from belfry.v_invariant_fence_ahead)
    union all select 'sent_twice' where exists (
      select from belfry.v_invariant_sent_twice
      where notification_id > (select max(id) - 100000 from belfry.notifications))
    union all select 'open_alerts' where exists (select from belfry.v_invariant_open_alerts)
    union all select 'stuck_sending' where exists (select from belfry.v_invariant_stuck_sending)
    union all select 'untold' where exists (select from belfry.v_invariant_untold)) violated""")

# By the real clock: who watches the watcher must not believe a virtual one.
_SWEEPS = text("""
  select case when max(last_success_at) > clock_timestamp() - interval '5 minutes' then 'ok'
              when max(last_success_at) is null then 'never' else 'late' end
  from belfry.job_summaries where job_id = 'sweep_runs'""")


@dataclass(frozen=True)
class Invariants:
    """Names of the invariants that do not hold; None: they could not be checked within their time."""

    violated: list[str] | None
    checked_at: datetime


def sweeps(db: Connection) -> str:
    """`ok` when a run sweep has committed within five minutes, else `late`, or `never` (P15)."""
    said: str = db.execute(_SWEEPS).scalar_one()
    return said


_last: dict[str, Invariants] = {}


def invariants(db: Connection) -> Invariants:
    """What the last look found, or a new one."""
    known = _last.get("last")
    if known is None or utc_now() - known.checked_at > KEPT:
        known = _last["last"] = Invariants(_look(db), utc_now())
    return known


def forget() -> None:
    """Look again at the next request."""
    _last.clear()


def _look(db: Connection) -> list[str] | None:
    try:
        with transaction(db, timeout=2):
            return list(db.execute(_VIOLATED).scalar_one())
    except DBAPIError as error:
        if sqlstate(error) != _TIMED_OUT:
            raise
        return None
