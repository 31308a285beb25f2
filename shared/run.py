"""What a job's body sees of its run, and what must stand in the same transaction as its effects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, text
from sqlalchemy.exc import DBAPIError

from shared import db, executions, logs, outbox
from shared.config import config
from shared.errors import BelfryError, Cancelled, LeaseLost
from shared.executions import Claim, JobRow
from shared.fan_out import fan_out
from shared.ledger.leases import Lease
from shared.outbox import OutboxMessage

_ITEMS = text("""insert into belfry.execution_items (execution_id, item_type, item_key, status, error, attempt)
  select cast(:id as uuid), i.item_type, i.item_key, i.status, i.error, :attempt
  from jsonb_to_recordset(cast(:items as jsonb)) as i (item_type text, item_key text, status text, error text)
  on conflict (execution_id, item_type, item_key) do update set status = excluded.status, error = excluded.error,
    attempt = excluded.attempt""")
_SAVEPOINT, _UNDO_PART = text("savepoint part"), text("rollback to savepoint part")
_STEPS = text(
    """select item_key from belfry.execution_items
  where execution_id = cast(:id as uuid) and item_type = 'step' and status = 'succeeded'"""
)


class Rehearsal(Protocol):
    """Who watches the transactions of a dry run."""

    def begins(self) -> None:
        """A transaction has begun."""

    def ends(self) -> None:
        """Everything is written, and is about to be rolled back."""


class Run:
    """What a job's body sees: the tick's time, its parameters, the database of its effect, and where to report.

    `now` is the tick (aware, UTC), never the wall clock; `biz_date` the tick's day in the job's zone: a retry, a replay
    and a backfill decide the same. `db` is one transaction that ends with the run; a job that must commit on the way
    uses `step` instead.
    """

    def __init__(
        self,
        job: JobRow,
        claim: Claim,
        connection: Connection,
        lease: Lease,
        *,
        dry_run: bool = False,
        virtual_now: datetime | None = None,
    ) -> None:
        self.id, self.job_id, self.kind, self.attempt = str(claim.execution_id), job.job_id, claim.kind, claim.attempt
        self.now, self.biz_date, self.time_zone = claim.run_at, claim.biz_date, ZoneInfo(job.time_zone)
        self.params: dict[str, Any] = {**job.effective_params, **claim.params}
        self.dry_run = dry_run
        self.virtual_now = virtual_now  # the local cloud's clock, for what this run starts elsewhere
        self.counters: dict[str, int] = {}
        self.fence, self.lease, self.connection = claim.fence, lease, connection
        self.in_transaction = False
        self.outbox: list[OutboxMessage] = []
        self._items: list[dict[str, str]] = []
        self._failed_items = 0
        self._told_from: int | None = None
        self._parts_done = 0
        self._part_failed: DBAPIError | None = None
        self._steps: set[str] | None = None
        self.rehearsal: Rehearsal | None = None
        self.log = logs.event

    @property
    def db(self) -> Connection:
        """The effect transaction, begun on first use (inside a step: the step's). Nothing in a body commits or rolls
        back."""
        if not self.in_transaction:
            if self._steps is not None:
                raise BelfryError("a job uses run.db or run.step, never both")
            self._begin()
        return self.connection

    def read(self, rows: Select[Any]) -> Sequence[Any]:
        """All rows of one statement, before the effect transaction begins: for a body that computes for long.

        A transaction that stood open meanwhile would hold its locks and be ended after 30 s.
        """
        if self.in_transaction:
            raise BelfryError("run.read comes before run.db")
        self.check()
        db.set_patience(self.connection, self.lease.remaining + 5)
        try:
            return self.connection.execute(rows).all()
        finally:
            db.set_patience(self.connection, config().socket_timeout)

    def count(self, **numbers: int) -> None:
        """Add to the run's counters: checked, created, updated, resolved, skipped, failed, notified and the job's
        own."""
        for name, number in numbers.items():
            self.counters[name] = self.counters.get(name, 0) + number

    def item_failed(self, item_type: str, key: object, error: object) -> None:
        """One row that could not be judged: recorded with its reason, the run ends partial."""
        said = {"item_key": db.storable(str(key)), "error": db.storable(str(error))[:2000]}
        self._items.append({"item_type": item_type, "status": "failed", **said})
        self._failed_items += 1
        self.count(failed=1)

    def item_skipped(self, item_type: str, key: object, why: str) -> None:
        """One thing that this run did not come to: recorded with its reason, the run ends partial."""
        said = {"item_key": db.storable(str(key)), "error": db.storable(why)[:2000]}
        self._items.append({"item_type": item_type, "status": "skipped", **said})
        self._failed_items += 1
        self.count(skipped=1)

    def item_done(self, item_type: str, key: object, note: str = "") -> None:
        """One thing that was done, where a reader wants to know what came of it."""
        said = {"item_key": db.storable(str(key)), "error": db.storable(note)[:2000]}
        self._items.append({"item_type": item_type, "status": "succeeded", **said})

    def items_failed(self, rows: Select[Any]) -> None:
        """Every row of the SELECT (item_type, item_key, error) could not be judged: recorded in one statement, the run
        ends partial."""
        failed = self._record(rows, "failed")
        self._failed_items += failed
        self.count(failed=failed)

    def data_defects(self, rows: Select[Any]) -> None:
        """Rows (item_type, item_key, error) that were judged although something in them contradicts itself:
        recorded."""
        self.count(data_defects=self._record(rows, "defect"))

    def check(self) -> None:
        """Call it in long loops and before every call to the outside: raises when the run must stop."""
        self.lease.check()

    def wants_fan_out(self, first: int) -> None:
        """Notifications were written, none numbered below `first`: their deliveries are made once, before the
        transaction ends."""
        self._told_from = min(first, self._told_from or first)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """One of several questions that do not depend on each other, inside the one effect transaction.

        What the database refuses (a view of the company's that lacks a column, a number that does not fit) is undone
        and recorded as a failed item, and the other parts go on: the run ends partial. What would trouble every part
        (the connection, the deadline, a lock) is raised; and when no part succeeds, the last refusal is.
        """
        self.check()
        self.db.execute(_SAVEPOINT)  # one of the same name hides the last part's: nothing is to be released
        before = dict(self.counters), list(self._items), self._failed_items, self._told_from
        try:
            yield
        except DBAPIError as error:
            if db.is_retryable(error):
                raise
            self.connection.execute(_UNDO_PART)
            self.counters, self._items, self._failed_items, self._told_from = before
            self._part_failed = error
            self.item_failed("part", name, db.refusal(error))
            logs.event("job_part_failed", level=40, part=name, error=db.refusal(error))
        else:
            self._parts_done += 1
            self._items.append({"item_type": "part", "item_key": name, "status": "succeeded", "error": ""})

    def has_finished(self, step: str) -> bool:
        """Whether an earlier attempt of this tick has committed that step."""
        if self._steps is None:
            self._steps = set() if self.dry_run else set(self.connection.execute(_STEPS, {"id": self.id}).scalars())
        return step in self._steps

    @contextmanager
    def step(self, name: str) -> Iterator[Connection]:
        """A fenced transaction of its own: its effects, alerts, deliveries and its record commit together."""
        if self.in_transaction or self.has_finished(name):
            raise BelfryError(
                f"step {name!r} has finished"
                if not self.in_transaction
                else "a job uses run.db or run.step, never both"
            )
        self.check()
        self._begin()
        try:
            yield self.connection
            self._items.append({"item_type": "step", "item_key": name, "status": "succeeded", "error": ""})
            self.write_down()
            if self.rehearsal:
                self.rehearsal.ends()
            if (
                not self.dry_run
                and not executions.heartbeat(self.connection, UUID(self.id), self.fence, self.lease.seconds)[0]
            ):
                raise LeaseLost
        except BaseException:
            self.roll_back()
            raise
        self.end("rollback" if self.dry_run else "commit")
        self._steps = (self._steps or set()) | {name}
        self.publish()

    def _begin(self) -> None:
        db.set_patience(self.connection, self.lease.remaining + 5)
        timeout_ms = int(self.lease.remaining * 1000)
        self.in_transaction = True  # also when the message fails half way
        if self.dry_run:
            self.connection.exec_driver_sql(f"begin; set local statement_timeout = {timeout_ms}")
            if self.rehearsal:
                self.rehearsal.begins()
            return
        cancelled = executions.begin(self.connection, UUID(self.id), self.fence, timeout_ms)
        if cancelled is None:
            raise LeaseLost
        if cancelled:
            raise Cancelled

    def _record(self, rows: Select[Any], status: str) -> int:
        listed = rows.subquery("listed")
        statement = (
            text("""insert into belfry.execution_items (execution_id, item_type, item_key, status, error, attempt)
            select cast(:id as uuid), r.item_type, r.item_key::text, :status, r.error, :attempt from rows_found r
            on conflict (execution_id, item_type, item_key) do update set status = excluded.status, error =
              excluded.error, attempt = excluded.attempt
            returning item_key""")
            .columns()
            .cte("written")
        )
        counted = (
            text("select count(*)::int as n from written")
            .columns()
            .add_cte(Select(listed).cte("rows_found"), statement)
        )
        return int(self.db.execute(counted, {"id": self.id, "status": status, "attempt": self.attempt}).scalar_one())

    def write_down(self) -> None:
        """What must stand in the same transaction as the effects: items, deliveries, outbox."""
        if self._items:
            self.connection.execute(_ITEMS, {"id": self.id, "attempt": self.attempt, "items": json.dumps(self._items)})
            self._items = []
        if self._told_from is not None:
            told = fan_out(self.connection, self.id, self._told_from)
            self.count(deliveries=told.deliveries, suppressed=told.suppressed, no_recipient=told.no_recipient)
            self.outbox += told.outbox
            self._told_from = None

    def end(self, word: str) -> None:
        """Say commit or rollback."""
        self.in_transaction = False
        self.connection.exec_driver_sql(word)
        db.set_patience(self.connection, config().socket_timeout)

    def roll_back(self) -> None:
        """Undo what the open transaction did; outside one, nothing."""
        if self.in_transaction:
            self.in_transaction = False
            if not self.connection.invalidated:
                db.set_patience(self.connection, config().socket_timeout)
            db.rollback(self.connection)
            if not self.connection.invalidated:
                db.set_patience(self.connection, config().socket_timeout)

    def finish(self) -> str:
        """Commit effects and the finished execution together. Raises LeaseLost when another holder has the
        execution."""
        if self._part_failed is not None and not self._parts_done:
            raise self._part_failed
        state = "partial" if self._failed_items else "succeeded"
        if self._items or self._told_from is not None:
            if not self.in_transaction:
                self._begin()
            self.write_down()
        self.check()
        outcome: dict[str, Any] = {"counters": self.counters, "elapsed_ms": self.lease.elapsed_ms}
        execution = self.connection, UUID(self.id), self.fence, state
        if self.in_transaction:
            ended: list[dict[str, Any]] | None = executions.commit(*execution, **outcome)
            self.in_transaction = False
            db.set_patience(self.connection, config().socket_timeout)
        else:
            ended = executions.finish(*execution, **outcome)
        if ended is None:
            raise LeaseLost
        self.outbox += [OutboxMessage(**message) for message in ended]
        return state

    def publish(self) -> None:
        """Hand committed outbox messages to Pub/Sub; what fails is the sweeper's."""
        if self.outbox and not self.dry_run:
            from shared import pubsub  # 200 ms of imports that a tick without notifications never pays

            messages, self.outbox = self.outbox, []
            outbox.mark_published(self.connection, pubsub.publish(messages))
