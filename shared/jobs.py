"""Runs one tick of a job: trigger in, claim, body, finish, publish, answer out.

The order is the promise. The claim commits by itself (from then on the database owns the tick), the body's effects
commit together
with the finished execution or not at all, messages leave after that, and a 2xx is answered only for what is committed.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from flask import Request, Response
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from shared import db, executions, logs
from shared.config import at_start, config
from shared.entrance import trigger
from shared.entrance.trigger import Trigger
from shared.errors import (
    Cancelled,
    DeadlineExceeded,
    InvalidRequest,
    InvalidText,
    LeaseLost,
    PermanentError,
    Unavailable,
)
from shared.executions import Claim, JobRow
from shared.ledger.leases import Lease
from shared.run import Run

__all__ = ["Run", "job"]

FUTURE = timedelta(seconds=60)
OWNER = f"{os.environ.get('K_REVISION') or socket.gethostname()}:{uuid4().hex[:8]}"


def job(body: Callable[[Run], None]) -> Callable[[Request], Response]:
    """Make a body (Run) -> None into the plain function (flask.Request) -> Response that functions-framework serves.

    The function's name is its id. Bodies raise to fail; PermanentError says that trying again will not help.
    """
    function = body.__name__
    at_start()

    def entrance(request: Request) -> Response:
        logs.clear()
        request_id = (
            request.headers.get("X-Cloud-Trace-Context") or request.headers.get("traceparent") or uuid4().hex
        )[:64]
        logs.bind(trace=request_id)
        try:
            return _serve(body, trigger.read(request, function), function)
        except InvalidRequest as error:
            return refusal(error, request_id)
        except Exception as error:  # noqa: BLE001  the one boundary: nothing of an error reaches the caller but its kind
            temporary = db.is_retryable(error) or isinstance(error, Unavailable)
            logs.event(
                "trigger_failed",
                level=40,
                function=function,
                error=type(error).__name__,
                exc_info=None if temporary else error,
            )
            body_ = {
                "error": {
                    "code": "unavailable" if temporary else "internal",
                    "message": "try again later",
                    "request_id": request_id,
                }
            }
            return _answer(503 if temporary else 500, body_, {"Retry-After": "10"})

    entrance.__name__ = entrance.__qualname__ = function
    entrance.__doc__ = body.__doc__
    return entrance


def refusal(error: InvalidRequest, request_id: str) -> Response:
    """A 4xx in the one shape that every entrance uses; the request's own content is never repeated."""
    content = {
        "code": error.code,
        "message": str(error),
        "field": error.field,
        "allowed": error.allowed,
        "request_id": request_id,
    }
    return _answer(error.status, {"error": content}, {"Allow": "POST"} if error.status == 405 else {})


def _answer(status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(
        json.dumps(content, ensure_ascii=False, default=str) + "\n", status, headers, mimetype="application/json"
    )


def _serve(body: Callable[[Run], None], asked: Trigger, function: str) -> Response:
    with _connection_and_job(asked) as (connection, row):
        if row is None:
            raise InvalidRequest(
                404,
                "unknown_job",
                "no such job is registered",
                field="job",
                allowed="a job of cron.yaml, after a reload",
            )
        if row.func != function:
            raise InvalidRequest(
                403, "wrong_job", "this function does not serve that job", field="job", allowed=function
            )
        _check_time(asked, row)
        _check_params(asked, row)
        kind, run_at = _tick(connection, asked, row)
        if kind == "scheduled" and not row.gate_opens(run_at):
            # Cron can say less than an interval or a date: this tick of the expression is none of the job's.
            return _answer(200, {"status": "not_due", "job": row.job_id, "run_at": run_at.isoformat()})
        if asked.dry_run:
            from shared import dryrun

            return _answer(200, dryrun.rehearse(body, connection, row, asked, run_at))
        lease = config().lease if row.timeout_s > 120 or config().lease < 90 else row.timeout_s + 30.0
        claim = _claim(connection, asked, row, kind, run_at, lease)
        if claim.decision != "run":
            return _answer(
                202 if claim.decision == "in_progress" else 200,
                _told(row, claim, claim.decision, claim.state, claim.counters),
            )
        return _perform(body, connection, row, claim, lease, asked.virtual_now)


def _claim(connection: Connection, asked: Trigger, row: JobRow, kind: str, run_at: datetime, lease: float) -> Claim:
    owner = f"{OWNER}:{uuid4().hex[:8]}"

    def ask() -> Claim:
        return executions.claim(
            connection,
            row.job_id,
            run_at,
            kind,
            lease=lease,
            owner=owner,
            execution_id=asked.execution_id,
            params=asked.params,
            requested_by=asked.requested_by,
            reason=asked.reason,
        )

    try:
        return ask()
    except SQLAlchemyError as error:
        if not db.is_stale(error):
            raise
        # The answer was lost on the way. Who asks again under the same name is told what was decided (P13).
        connection.rollback()
        db.set_clock(connection, asked.virtual_now)
        return ask()


@contextmanager
def _connection_and_job(asked: Trigger) -> Iterator[tuple[Connection, JobRow | None]]:
    # Reading the job's row is harmless to repeat, so it finds out whether a pooled connection is dead: no ping is paid
    # for.
    for last in (False, True):
        with db.engine().connect() as connection:
            try:
                db.set_clock(connection, asked.virtual_now)
                row = executions.read_job(connection, asked.job_id)
            except SQLAlchemyError as error:
                if last or not db.is_stale(error):
                    raise
                continue
            yield connection, row
            if row and row.crowded and not connection.invalidated:
                connection.invalidate()
            return


def _check_time(asked: Trigger, row: JobRow) -> None:
    # By the database's clock: an instance whose own clock is behind must not send its ticks away.
    if asked.at is not None and asked.at > row.now + FUTURE:
        raise InvalidRequest(
            400,
            "invalid_schedule_time",
            "the tick lies in the future",
            field="run_at" if asked.in_body else "X-CloudScheduler-ScheduleTime",
            allowed="at most 60 seconds ahead of the clock",
        )


def _check_params(asked: Trigger, row: JobRow) -> None:
    if asked.params and row.params_schema:
        from jsonschema import Draft202012Validator

        errors = list(Draft202012Validator(row.params_schema).iter_errors({**row.effective_params, **asked.params}))
        if errors:
            path = ".".join(["params", *map(str, errors[0].path)])
            raise InvalidRequest(
                400,
                "invalid_params",
                f"{path} is not what the job's schema allows",
                field=path,
                allowed=errors[0].schema,
            )


def _tick(connection: Connection, asked: Trigger, row: JobRow) -> tuple[str, datetime]:
    """Kind and time of the run: a scheduled time is snapped to the grid in force, one off it is a manual run (P1)."""
    if asked.at is None:
        return "manual", row.now.replace(microsecond=0)
    if asked.kind == "manual":
        return "manual", asked.at
    if asked.kind != "scheduled":
        return asked.kind, asked.at.replace(second=0, microsecond=0)
    grid = row.grid
    # Cloud Scheduler fires a job's own offset late; Belfry's own calls name the nominal time.
    nominal = (
        (grid.floor_tick(asked.at - timedelta(seconds=row.offset_s)) or grid.floor_tick(asked.at)) if grid else None
    )
    # A call that comes after an edit may mean a tick of the grid before; as a manual run it would be caught up as well.
    nominal = nominal or executions.earlier_tick(connection, row.job_id, asked.at)
    return ("scheduled", nominal) if nominal else ("manual", asked.at)


def _told(row: JobRow, claim: Claim, status: str, state: str, counters: dict[str, int], **more: Any) -> dict[str, Any]:
    return {
        "status": status,
        "job": row.job_id,
        "execution_id": claim.execution_id,
        "run_at": claim.run_at.isoformat(),
        "kind": claim.kind,
        "state": state,
        "reason": claim.reason,
        "attempt": claim.attempt,
        "duplicate": status == "duplicate",
        "counters": counters,
        **more,
    }


def _perform(
    body: Callable[[Run], None],
    connection: Connection,
    row: JobRow,
    claim: Claim,
    lease_seconds: float,
    virtual_now: datetime | None,
) -> Response:
    about: dict[str, Any] = {
        "job_id": row.job_id,
        "job_name": row.name.get("zh"),
        "owner": row.owner,
        "category": row.category,
    }
    logs.bind(execution_id=str(claim.execution_id))
    logs.event("job_run_start", **about, run_at=claim.run_at.isoformat(), kind=claim.kind, attempt=claim.attempt)
    with Lease(claim.execution_id, claim.fence, seconds=lease_seconds, timeout=row.timeout_s) as lease:
        run = Run(row, claim, connection, lease, virtual_now=virtual_now)
        try:
            body(run)
            state = run.finish()
        except Exception as error:  # noqa: BLE001  the one boundary: every failure becomes a state of the execution
            run.roll_back()
            state, reason = _after(error, connection, row, claim, lease, virtual_now)
            logs.event(
                "job_run_failed" if state not in ("succeeded", "partial") else "job_run_success",
                level=40,
                **about,
                duration_ms=lease.elapsed_ms,
                state=state,
                reason=reason,
                error=f"{type(error).__name__}: {error}",
                exc_info=error,
            )
            return _answer(
                202 if state == "lease_lost" else 200,
                _told(row, replace(claim, reason=reason), state, state, run.counters),
            )
        logs.event("job_run_success", **about, duration_ms=lease.elapsed_ms, state=state, counters=run.counters)
        run.publish()
    return _answer(200, _told(row, claim, state, state, run.counters))


def _after(
    error: Exception, connection: Connection, row: JobRow, claim: Claim, lease: Lease, virtual_now: datetime | None
) -> tuple[str, str | None]:
    """Record what became of an attempt that raised. Raises Unavailable when the database is away.

    The run's own connection does it, or what SQLAlchemy puts in its place if it broke: an instance whose runs hold
    every connection must not wait for one more.
    """
    if isinstance(error, LeaseLost):
        return "lease_lost", None
    try:
        connection.rollback()
        db.set_clock(connection, virtual_now)
        known = executions.read_back(connection, claim.execution_id, claim.fence)
        if known in ("succeeded", "partial"):  # the answer to COMMIT was lost, not the COMMIT (P13)
            return known, None
        state, reason, retry_in = "failed", "error", None
        if isinstance(error, Cancelled):
            state, reason = "cancelled", "operator"
        elif isinstance(error, DeadlineExceeded) or db.sqlstate(error) == "57014":
            reason = "timeout"
        if (
            state == "failed"
            and claim.attempt < row.max_attempts
            and not isinstance(error, (PermanentError, InvalidText))
        ):
            state, retry_in = (
                "retry_wait",
                (row.backoff_s or [30])[min(claim.attempt, len(row.backoff_s or [30])) - 1],
            )
        recorded = executions.finish(
            connection,
            claim.execution_id,
            claim.fence,
            state,
            reason=reason,
            error=error,
            error_text=db.storable(logs.redact(str(error)))[:8000],
            retry_in=retry_in,
            elapsed_ms=lease.elapsed_ms,
        )
        if recorded is None:
            known = executions.read_back(connection, claim.execution_id, claim.fence)
            if known in ("succeeded", "partial"):  # the COMMIT was still on its way when we looked first
                return known, None
    except SQLAlchemyError as failure:
        if db.is_retryable(failure):
            raise Unavailable from failure
        raise
    return ("lease_lost", None) if recorded is None else (state, reason)
