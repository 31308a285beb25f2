"""What did a day bring? What fired and how it ended, and who was told what, over which channel."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from infra.local.ticks import SWEEPERS, Answer
from shared import i18n

_FIRED = text("""
  with counted as (
    select e.job_id, c.key, sum(c.value::numeric) as n
    from belfry.job_executions e, jsonb_each_text(e.counters) c
    where jsonb_typeof(e.counters -> c.key) = 'number'
    group by e.job_id, c.key
  ), ended as (
    select job_id, case when reason is null then state else state || '/' || reason end as state, count(*) as n
    from belfry.job_executions group by 1, 2
  )
  select j.job_id, (select coalesce(jsonb_object_agg(state, n), '{}') from ended where job_id = j.job_id) as states,
         (select coalesce(jsonb_object_agg(key, n), '{}') from counted where job_id = j.job_id and n <> 0) as counters
  from belfry.jobs j where j.status = 'active' order by j.category, j.job_id""")
_FIRINGS = text("""
  select j.job_id, e.run_at, j.time_zone, e.kind,
         case when e.reason is null then e.state else e.state || '/' || e.reason end as ended
  from belfry.job_executions e join belfry.jobs j using (job_id)
  where e.run_at >= :start and j.job_id <> all(:sweepers)
  order by e.run_at, j.job_id""")
_TOLD = text("""
  select u.real_name, d.channel, n.type, n.reason as why, n.severity, n.facts,
         a.target_no, a.target_name
  from belfry.notification_deliveries d
  join belfry.notifications n on n.id = d.notification_id
  left join belfry.alert_records a on a.id = n.alert_id
  left join erp.users u on u.id = d.user_id
  where n.created_at >= :start and d.state in ('sent', 'delivered')
  order by u.real_name, d.channel, d.id""")
_NOT_TOLD = text("""
  select case when d.reason is null then d.state else d.state || '/' || d.reason end, count(*)
  from belfry.notification_deliveries d join belfry.notifications n on n.id = d.notification_id
  where n.created_at >= :start and d.state not in ('sent', 'delivered')
  group by 1 order by 2 desc""")
_INVARIANTS = text("""
  select table_name from information_schema.views where table_schema = 'belfry' and table_name like 'v\\_invariant%'""")


@dataclass(frozen=True)
class Fired:
    """One job's day. `refused` counts answers that were no 2xx."""

    job: str
    ticks: int
    states: dict[str, int]
    counters: dict[str, int]
    refused: int


@dataclass(frozen=True)
class Firing:
    """One tick: when, by the clocks of the job's zone, and how it ended."""

    job: str
    at: str
    kind: str
    ended: str


@dataclass(frozen=True)
class Told:
    """Messages of one subject to one person over one channel."""

    user: str
    channel: str
    subject: str
    count: int


def fired(connection: Connection, answers: Iterable[Answer]) -> list[Fired]:
    posted, refused = Counter[str](), Counter[str]()
    for answer in answers:
        posted[answer.tick.job] += 1
        refused[answer.tick.job] += not answer.good
    return [
        Fired(job, posted[job], states, {name: int(n) for name, n in counters.items()}, refused[job])
        for job, states, counters in connection.execute(_FIRED)
    ]


def firings(connection: Connection, start: datetime) -> list[Firing]:
    """Every tick since `start` in its order; the sweepers' own are left out."""
    rows = connection.execute(_FIRINGS, {"start": start, "sweepers": list(SWEEPERS)})
    return [
        Firing(
            row.job_id, row.run_at.astimezone(ZoneInfo(row.time_zone)).isoformat(" ", "minutes"), row.kind, row.ended
        )
        for row in rows
    ]


def told(connection: Connection, start: datetime) -> list[Told]:
    rows = connection.execute(_TOLD, {"start": start}).mappings()
    counted = Counter((row["real_name"] or "?", row["channel"], _subject(row)) for row in rows)
    return [Told(*key, count) for key, count in counted.items()]


def not_told(connection: Connection, start: datetime) -> dict[str, int]:
    """Deliveries that reached nobody by the end of the day, by state and reason."""
    return dict(connection.execute(_NOT_TOLD, {"start": start}).tuples().all())


def broken_invariants(connection: Connection) -> dict[str, int]:
    """Rows of the views that must be empty, by view; an empty answer is the good one."""
    views = list(connection.execute(_INVARIANTS).scalars())
    counts = {view: connection.execute(text(f"select count(*) from belfry.{view}")).scalar_one() for view in views}  # noqa: S608
    return {view: count for view, count in counts.items() if count}


def table(jobs: Iterable[Fired], letters: Iterable[Told], silent: Mapping[str, int]) -> Iterator[str]:
    """All of it for a reader, line by line."""
    yield f"{'job':<28} {'ticks':>5}  {'ended':<34} counted"
    for job in jobs:
        ended = " ".join(f"{state}:{n}" for state, n in sorted(job.states.items()))
        counters = " ".join(f"{name}={n}" for name, n in sorted(job.counters.items()))
        yield f"{job.job:<28} {job.ticks:>5}  {ended:<34} {counters}".rstrip()
        if job.refused:
            yield f"{'':<28} {job.refused:>5}  refused"
    yield ""
    yield "told"
    for letter in letters:
        times = f" x{letter.count}" if letter.count > 1 else ""
        yield f"  {letter.user}  {letter.channel}  {letter.subject}{times}"
    yield ""
    yield "not told"
    for state, count in silent.items():
        yield f"  {state}  {count}"


def as_json(things: Iterable[Fired] | Iterable[Firing] | Iterable[Told]) -> list[dict[str, Any]]:
    return [asdict(thing) for thing in things]


def _subject(row: Any) -> str:
    names = {"level": row["severity"], "target_no": row["target_no"], "target_name": row["target_name"]}
    return i18n.render(row["type"], "zh", {**names, **row["facts"]}, reason=row["why"]).title
