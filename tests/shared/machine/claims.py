"""What should belfry.claim decide? The gates of design 3 once more, in Python, from the rows as they were before."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from tests.shared.machine.world import FAILURES, Job, World


class Seen(NamedTuple):
    """A row as the claim sees it, after it has reaped."""

    id: UUID
    kind: str
    run_at: datetime
    state: str
    reason: str | None
    retry_at: datetime | None
    created_at: datetime
    parent_id: UUID | None


def expected(
    world: World,
    job: Job,
    kind: str,
    run_at: datetime,
    execution_id: UUID | None,
    *,
    enabled: bool,
) -> tuple[str, str | None]:
    """(decision, reason of a new row or None)."""
    rows = [_reaped(world, row) for row in world.of(job.job_id)]
    row = _row(rows, kind, run_at, execution_id)
    if row is None and execution_id is not None:
        return "duplicate", None
    if (
        row is None
        and kind in ("scheduled", "catchup", "dependency")
        and run_at <= world.columns[job.job_id].pruned_through
    ):
        return "duplicate", None
    if row is not None and row.state == "running":
        return "in_progress", None
    if row is not None and row.state not in ("pending", "retry_wait", "waiting"):
        return "duplicate", None
    if row is not None and row.state == "retry_wait" and row.retry_at is not None and row.retry_at > world.now:
        return "pending", None
    state, reason = _gate(world, job, kind, run_at, row, rows, enabled=enabled)
    if state == "running":
        return "run", None
    if row is None:
        return state, reason
    if state in ("pending", "waiting"):
        return ("waiting" if row.state == "waiting" else "pending"), None
    return "skipped", None


def _row(rows: list[Seen], kind: str, run_at: datetime, execution_id: UUID | None) -> Seen | None:
    if execution_id is not None:
        return next((row for row in rows if row.id == execution_id), None)
    if kind == "manual":
        return None
    return next((r for r in rows if r.run_at == run_at and r.kind != "manual" and r.parent_id is None), None)


def _gate(
    world: World, job: Job, kind: str, run_at: datetime, row: Seen | None, rows: list[Seen], *, enabled: bool
) -> tuple[str, str | None]:  # fmt: skip
    busy = job.overlap != "allow" and any(r.state == "running" for r in rows)
    if kind == "manual" or (row is not None and row.kind == "manual"):
        return (("skipped" if row is None else "pending"), "overlap") if busy else ("running", None)
    if not enabled or not job.enabled:
        return "skipped", "disabled"
    if job.paused and (job.paused_until is None or job.paused_until > world.now) and kind != "backfill":
        return "skipped", "paused"
    if row is None and _broken(world, job, rows):
        return "skipped", "breaker"
    if job.upstream is not None and not _has_run(world, job.upstream, run_at):
        since = max(run_at, row.created_at if row else world.now)
        if world.now < since + job.wait:
            return "waiting", "dependency"
        if job.on_wait_over == "skip":
            return "skipped", "dependency"
    if busy:
        if row is not None:
            return "pending", "overlap"
        buffered = any(r.state == "pending" and r.reason == "overlap" for r in rows)
        return ("pending" if job.overlap == "buffer_one" and not buffered else "skipped"), "overlap"
    running = sum(_reaped_state(world, r, job) == "running" for r in world.rows.values())
    if job.priority != "high" and running >= 3:
        return "pending", "run_slots"
    return "running", None


def _broken(world: World, job: Job, rows: list[Seen]) -> bool:
    """Whether the breaker is open; the holders that this very claim declares lost may have opened it."""
    known = world.columns[job.job_id]
    lost = sum(row.state == "lost" for row in rows) - sum(row.state == "lost" for row in world.of(job.job_id))
    if lost and known.failures + lost >= FAILURES:
        return True
    return known.breaker_opened_at is not None and known.breaker_opened_at > world.now - job.breaker


def _has_run(world: World, upstream: str, run_at: datetime) -> bool:
    done = [row for row in world.of(upstream) if row.state in ("succeeded", "partial")]
    return any(row.biz_date == run_at.date() for row in done)


def _reaped_state(world: World, row: Any, job: Job) -> str:
    """Only the job's own dead holders are seen as dead by its claim."""
    return _reaped(world, row).state if row.job_id == job.job_id else row.state


def _reaped(world: World, row: Any) -> Seen:
    seen = Seen(row.id, row.kind, row.run_at, row.state, row.reason, row.retry_at, row.created_at, row.parent_id)
    if row.state != "running" or not row.expired or row.id == world.held:  # who is about to commit is not dead
        return seen
    again = row.attempt < row.max_attempts and not row.stopping
    return seen._replace(state="retry_wait" if again else "lost", reason="lease", retry_at=world.now)
