"""What do the rules of the state machine stand on? A database that is emptied for every example, a clock, and pictures of
its rows taken after every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from shared.db import new_engine, rollback, set_clock, sqlstate
from shared.operator import reload_rows

START = datetime(2026, 3, 2, 0, 0, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FAILURES = 2  # open the breaker
TERMINAL = ("succeeded", "partial", "failed", "lost", "missed", "skipped", "cancelled")
OPEN = ("waiting", "pending", "running", "retry_wait")
# From one picture to the next; several moves may lie between.
MOVES = {
    *((state, end) for state in ("waiting", "pending") for end in ("pending", "running", "skipped", "cancelled", "retry_wait")),
    *(("running", end) for end in ("succeeded", "partial", "failed", "retry_wait", "lost", "cancelled")),
    ("retry_wait", "running"), ("retry_wait", "cancelled"),
    *((state, "failed") for state in ("waiting", "pending", "retry_wait")),  # its function refused the last kick
}  # fmt: skip
MOVING = ("queued", "deferred", "sending", "retry_wait", "uncertain")
DELIVERED = ("sent", "delivered")
GIVEN_UP = ("suppressed", "dead", "expired", "cancelled")
GRIDS = {"*/30 * * * *": 30, "0 * * * *": 60, "15 */2 * * *": 120}  # the expression's period; UTC keeps them so
PHASE = {"*/30 * * * *": 0, "0 * * * *": 0, "15 */2 * * *": 15}

_SETUP = """
  create table if not exists public.effects (
    id bigint generated always as identity primary key, job_id text, run_at timestamptz, execution_id uuid, asked boolean);
  create index if not exists effects_of_a_tick on public.effects (job_id, run_at);
  create sequence if not exists public.numbers;
  create or replace function public.numbered() returns uuid language sql volatile as
  $$ select ('00000000-0000-4000-8000-' || lpad(to_hex(nextval('public.numbers')), 12, '0'))::uuid $$;
  alter table belfry.job_executions alter id set default public.numbered();
  alter table belfry.outbox alter id set default public.numbered();
  update belfry.biz_config set value = '3' where key = 'scheduler.run_slots'"""
# Ids that grow: the same example does the same every time.
_NUMBER = text("select public.numbered()")
# Truncated, not deleted: tables of one size have plans of one kind, and rows come in one order.
_TABLES = (
    "public.effects, belfry.execution_items, belfry.job_executions, belfry.job_summaries, belfry.job_dependencies, belfry.job_revisions, "
    "belfry.audit_log, belfry.jobs, belfry.outbox, belfry.notification_deliveries, belfry.notifications, belfry.alert_records, "
    "belfry.alert_events, belfry.notification_settings, belfry.channel_states"
)
_EMPTY = f"""
  truncate {_TABLES} restart identity;
  alter sequence public.numbers restart;
  insert into belfry.channel_states (channel) values ('system'), ('email'), ('wechat'), ('sms');
  update belfry.biz_config set value = 'true' where key = 'scheduler.enabled'"""
_EXECUTIONS = text("""
  select e.id, e.xmin::text, e.job_id, e.run_at, e.kind, e.parent_id, e.state, e.reason, e.overlap, e.attempt, e.max_attempts,
         e.fence, e.retry_at, e.created_at, e.biz_date, e.cancel_requested_at is not null as stopping,
         e.lease_until < clock_timestamp() as expired,
         md5((to_jsonb(e) - 'parent_id')::text) as image
  from belfry.job_executions e order by e.id""")
_DELIVERIES = text("""
  select d.id, d.channel, d.state, d.phase, d.attempt, d.uncertain_count, d.next_attempt_at,
         d.lease_until < clock_timestamp() as expired, md5((to_jsonb(d) - 'read_at')::text) as image
  from belfry.notification_deliveries d order by d.id""")
_JOBS = text("""
  select job_id, j.fence, j.swept_through, greatest(j.pruned_through, '2000-01-01') as pruned_through, s.breaker_opened_at,
         coalesce(s.consecutive_failures, 0) as failures
  from belfry.jobs j left join belfry.job_summaries s using (job_id)""")
_VIEWS = text(
    "select viewname from pg_views where schemaname = 'belfry' and viewname like 'v\\_invariant\\_%' order by 1"
)
_TWICE = """
  union all select 'effects of ' || job_id || ' at ' || run_at || ': ' || string_agg(execution_id::text, ' '), count(*)
    from public.effects where not asked group by job_id, run_at having count(*) > 1
  union all select 'an effect without its message', count(*) from public.effects f
    where not exists (select from belfry.outbox o where o.payload ->> 'effect' = f.id::text)"""


@dataclass(frozen=True)
class Revision:
    """A grid from an instant on; None: no ticks."""

    since: datetime
    schedule: str | None


@dataclass
class Job:
    """What the model knows of a job."""

    job_id: str
    overlap: str
    revisions: list[Revision]
    catchup: str = "last"
    enabled: bool = True
    paused: bool = False
    paused_until: datetime | None = None
    priority: str = "normal"
    upstream: str | None = None
    wait: timedelta = timedelta(minutes=40)
    on_wait_over: str = "run"
    grace: timedelta = timedelta(seconds=300)
    breaker: timedelta = timedelta(minutes=30)
    written: str | None = None  # the schedule in force once it is enabled
    resting_since: datetime | None = None  # paused until somebody resumes
    rests: list[tuple[datetime, datetime]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.written = self.schedule

    @property
    def schedule(self) -> str | None:
        return self.revisions[-1].schedule

    def due(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The ticks after < t <= until, each by the grid of its own time: plain arithmetic."""
        for begin, end in zip(self.revisions, [*self.revisions[1:], None], strict=True):
            if begin.schedule is None:
                continue
            low, high = max(after, begin.since), min(until, end.since if end else until)
            period, phase = GRIDS[begin.schedule], PHASE[begin.schedule]
            minute = int(low.timestamp() // 60)
            for at in range(minute - minute % period + phase - period, int(high.timestamp() // 60) + 1, period):
                tick = datetime.fromtimestamp(at * 60, UTC)
                if low < tick <= high:
                    yield tick


class Busy(Exception):
    """A lock was held by the transaction that is open elsewhere: the caller answers 503 and nothing has changed."""


@dataclass
class World:
    """Two connections: one for whatever happens, one for the transaction that somebody holds open meanwhile."""

    url: str
    now: datetime = START
    jobs: dict[str, Job] = field(default_factory=dict)
    rows: dict[UUID, Any] = field(default_factory=dict)
    deliveries: dict[int, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    held: UUID | None = None  # the execution whose last transaction is open

    def __post_init__(self) -> None:
        self.engine = new_engine(self.url, pool_size=2, socket_timeout=60)
        self.db = self.engine.connect()
        self.other = self.engine.connect()
        self.db.exec_driver_sql(_SETUP)
        for table in _TABLES.split(", "):
            self.db.exec_driver_sql(f"alter table {table} set (autovacuum_enabled = false)")
        self.db.exec_driver_sql("set lock_timeout = '25ms'")
        views = self.db.execute(_VIEWS).scalars().all()
        counted = " union all ".join(f"select '{view}' as what, count(*) as n from belfry.{view}" for view in views)
        self._broken = text(f"select what, n from ({counted} {_TWICE}) x where n > 0")

    def close(self) -> None:
        self.db.close()
        self.other.close()
        self.engine.dispose()

    @property
    def holding(self) -> bool:
        return self.held is not None

    def begin(self) -> None:
        """An empty database at the first moment."""
        self.held = None
        self.jobs, self.rows, self.deliveries, self.columns = {}, {}, {}, {}
        self.set_clock(START)
        self.db.exec_driver_sql(_EMPTY)

    def set_clock(self, now: datetime) -> None:
        self.now = now
        set_clock(self.db, now)
        if not self.holding:
            set_clock(self.other, now)

    def add(self, job: Job, **columns: Any) -> None:
        """Register a job as a reload does."""
        self.jobs[job.job_id] = job
        values = {
            "job_id": job.job_id, "func": job.job_id, "name": "{}", "category": "issues", "schedule": job.schedule, "time_zone": "UTC",
            "overlap": job.overlap, "catchup": job.catchup, "catchup_window_s": 7200, "grace_s": 300, "priority": job.priority,
            "backoff_s": [60, 600], "breaker_threshold": FAILURES, "breaker_open_s": 1800, "depends_on": [job.upstream] if job.upstream else [],
            "depends_wait_s": int(job.wait.total_seconds()), "on_wait_over": job.on_wait_over, "target_uri": f"http://{job.job_id}/",
            "swept_through": self.now, **columns,
        }  # fmt: skip
        marks = ", ".join(f":{name}" for name in values)
        self.db.execute(text(f"insert into belfry.jobs ({', '.join(values)}) values ({marks})"), values)
        reload_rows.link(self.db)
        self.revise()

    def new_id(self) -> UUID:
        return UUID(str(self.db.execute(_NUMBER).scalar_one()))

    def revise(self) -> None:
        reload_rows.revise(self.db, actor="model", now=self.now)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction of the busy world; Busy when it met the one that is held open."""
        self.db.exec_driver_sql("begin")
        try:
            yield self.db
        except DBAPIError as error:
            rollback(self.db)
            if self.holding and sqlstate(error) == "55P03":
                raise Busy from error
            raise
        except BaseException:
            rollback(self.db)
            raise
        self.db.exec_driver_sql("commit")

    def picture(self) -> None:
        """Look at every row, and whether each has moved as it may."""
        rows = {row.id: row for row in self.db.execute(_EXECUTIONS)}
        deliveries = {row.id: row for row in self.db.execute(_DELIVERIES)}
        columns = {row.job_id: row for row in self.db.execute(_JOBS)}
        for old in self.rows.values():
            if old.id in rows:
                _moved(old, rows[old.id])
            else:
                assert old.state in TERMINAL, f"{old} was deleted"
        for old in self.deliveries.values():
            _delivery_moved(old, deliveries[old.id])
        for was in self.columns.values():
            now = columns[was.job_id]
            assert now.fence >= was.fence
            assert now.swept_through >= was.swept_through
        self.rows, self.deliveries, self.columns = rows, deliveries, columns

    def broken(self) -> list[tuple[str, int]]:
        """What must never be and is."""
        return [(what, n) for what, n in self.db.execute(self._broken)]

    def of(self, job_id: str) -> Sequence[Any]:
        return [row for row in self.rows.values() if row.job_id == job_id]


def _moved(old: Any, new: Any) -> None:
    """I3 and I6: the fence only grows, and what is over never changes."""
    if old.state in TERMINAL:
        assert (new.xmin, new.image) == (old.xmin, old.image), f"{old} became {new}"
    assert new.attempt >= old.attempt
    assert old.fence is None or (new.fence is not None and new.fence >= old.fence)
    assert (new.fence == old.fence) == (new.attempt == old.attempt), f"{old} became {new}"
    assert old.state == new.state or (old.state, new.state) in MOVES, f"{old} became {new}"


def _delivery_moved(old: Any, new: Any) -> None:
    """P5 and P7: what was sent or given up stays so, attempts and doubts are never forgotten."""
    if old.state in DELIVERED or old.state in GIVEN_UP:
        assert new.image == old.image, f"{old} became {new}"
    assert new.attempt >= old.attempt
    assert new.uncertain_count >= old.uncertain_count
