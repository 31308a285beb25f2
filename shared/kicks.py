"""How does Belfry start a run itself? A row that waits first, then one POST for whose end nobody waits long.

The row is the promise: what the POST does not start is kicked again by the next sweep, and a kick too many finds its
row claimed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Connection, text

from shared import logs
from shared.config import config
from shared.db import storable
from shared.errors import BelfryError, Unavailable

if TYPE_CHECKING:
    from requests import Response

CONNECT_TIMEOUT = 3.0  # seconds

# Locked, so that of two people who press the button at once the second sees the first one's row.
_LOCK = text("select target_uri from belfry.jobs where job_id = :job_id for update")
_RUNNING = text("""
  select id from (
    select id, 0 as place from belfry.job_executions
    where job_id = :job_id and state = 'running' and overlap <> 'allow'
    union all
    select id, 1 from belfry.job_executions
    where job_id = :job_id and state = 'pending' and kind = 'manual' and overlap <> 'allow') busy
  order by place limit 1""")
_INSERT = text("""
  insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, priority, max_attempts, kicked_at,
                                     params, parent_id, requested_by, request_reason)
  select job_id, cast(:run_at as timestamptz), (cast(:run_at as timestamptz) at time zone time_zone)::date, :kind,
         'pending', overlap, priority, max_attempts, belfry.clock(), cast(:params as jsonb), cast(:parent_id as uuid),
         :requested_by, :reason
  from belfry.jobs where job_id = :job_id
  returning id""")
# A waiting tick is kicked when its upstreams have succeeded or its patience is over: the claim decides which.
# Of a job whose runs may not overlap only the oldest is taken, and none while one runs: the others would be sent away.
_TAKE_DUE = text("""
  update belfry.job_executions x set kicked_at = belfry.clock()
  from (select e.id, j.target_uri
        from belfry.job_executions e join belfry.jobs j using (job_id)
        where e.state in ('pending', 'retry_wait', 'waiting') and coalesce(e.retry_at, '-infinity') <= belfry.clock()
          and coalesce(e.kicked_at, '-infinity') < belfry.clock() - interval '50 seconds' and j.target_uri is not null
          and (cast(:job as text) is null or e.job_id = cast(:job as text))
          and (cast(:upstream as text) is null or exists (select from belfry.job_dependencies d
                 where d.job_id = e.job_id and d.depends_on = cast(:upstream as text)))
          and (e.state <> 'waiting' or cardinality(belfry.unmet_dependencies(e.job_id, e.biz_date)) = 0
               or e.created_at < belfry.clock() - make_interval(secs => j.depends_wait_s))
          and (e.overlap = 'allow' or not exists (select from belfry.job_executions o
                 where o.job_id = e.job_id and o.overlap <> 'allow' and o.id <> e.id
                   and (o.state = 'running' or o.state in ('pending', 'retry_wait') and (o.run_at, o.id) < (e.run_at,
                     e.id)
                        and coalesce(o.retry_at, '-infinity') <= belfry.clock())))
        order by array_position('{high,normal,low}', e.priority), e.run_at
        limit :most for update of e skip locked) d
  where x.id = d.id
  returning x.id, x.job_id, x.run_at, x.kind, d.target_uri""")


_REFUSED = text("""select belfry.kick_refused(r.id, r.error)
  from jsonb_to_recordset(cast(:refused as jsonb)) as r (id uuid, error text)""")
# A refusal of these is no judgement on the call: too many at once, or too slow.
_PASSING = (408, 425, 429)


class AlreadyRunning(BelfryError):
    """The job is running, or a run by hand waits for its start."""

    def __init__(self, execution_id: UUID) -> None:
        super().__init__()
        self.execution_id = execution_id


class NoHandler(BelfryError):
    """Nobody knows where this job's function listens; a reload finds out."""


class Refused(Unavailable):
    """What stands before the function refuses the call: nobody there by that name, or not for this caller."""


@dataclass(frozen=True)
class Kicked:
    """What came of several kicks: how many were taken, and which were refused (execution, why)."""

    reached: int = 0
    refused: tuple[tuple[UUID, str], ...] = ()


@dataclass(frozen=True)
class Pending:
    """A run that is promised: what to kick and where."""

    execution_id: UUID
    job_id: str
    run_at: datetime
    kind: str
    target_uri: str

    @property
    def body(self) -> dict[str, Any]:
        """Params, requester and reason stay in the row: the claim reads them there."""
        return {
            "job": self.job_id,
            "run_at": self.run_at.isoformat(),
            "kind": self.kind,
            "execution_id": str(self.execution_id),
        }


def insert_pending(
    db: Connection,
    job_id: str,
    *,
    run_at: datetime,
    kind: str = "manual",
    params: dict[str, Any] | None = None,
    requested_by: str | None = None,
    reason: str | None = None,
    parent_id: UUID | None = None,
    queue: bool = False,
) -> Pending:
    """Promise a run inside the caller's transaction; kick it after the commit.

    `queue`: wait behind a run that is going on instead of raising AlreadyRunning. NoHandler: the job has no address.
    """
    target_uri = db.execute(_LOCK, {"job_id": job_id}).scalar_one()
    if target_uri is None:
        raise NoHandler
    running = None if queue else db.execute(_RUNNING, {"job_id": job_id}).scalar_one_or_none()
    if running is not None:
        raise AlreadyRunning(running)
    execution_id = db.execute(
        _INSERT,
        {
            "job_id": job_id,
            "run_at": run_at,
            "kind": kind,
            "params": json.dumps(params or {}),
            "parent_id": parent_id and str(parent_id),
            "requested_by": requested_by,
            "reason": reason,
        },
    ).scalar_one()
    return Pending(execution_id, job_id, run_at, kind, target_uri)


def take_due(db: Connection, most: int, *, upstream: str | None = None, job: str | None = None) -> list[Pending]:
    """Executions that may start now, by priority and age; each is kicked once a minute at most.

    `upstream`: only those of jobs that depend on it; `job`: only those of one job.
    """
    return [Pending(*row) for row in db.execute(_TAKE_DUE, {"most": most, "upstream": upstream, "job": job})]


def kick_all(due: Sequence[Pending], *, now: datetime | None, check: Callable[[], None] | None = None) -> Kicked:
    """Kick several at once. One that was not reached is taken again by the next sweep; `record` those refused."""

    def one(pending: Pending) -> tuple[bool, str | None]:
        if check:
            check()
        about: dict[str, Any] = {"job_id": pending.job_id, "execution_id": str(pending.execution_id)}
        try:
            refusal = refused(kick(pending.target_uri, pending.body, now=now))
        except Refused as error:
            refusal = str(error)
        except Unavailable as error:
            logs.event("kick_failed", level=30, **about, error=str(error))
            return False, None
        if refusal is not None:
            logs.event("kick_refused", level=40, **about, error=refusal)
        return refusal is None, refusal

    with ThreadPoolExecutor(max_workers=8) as pool:
        told = list(pool.map(one, due))
    why = [(pending.execution_id, refusal) for pending, (_, refusal) in zip(due, told, strict=True) if refusal]
    return Kicked(sum(reached for reached, _ in told), tuple(why))


def record(db: Connection, kicked: Kicked) -> None:
    """A refused kick is a failed attempt of its execution: shown with its error, tried again as the job's backoff says,
    and with the last attempt failed, so that its incident is told. Nothing waits for ever (P10)."""
    said = [{"id": str(one), "error": storable(logs.redact(error))} for one, error in kicked.refused]
    if said:
        db.execute(_REFUSED, {"refused": json.dumps(said)})


def refused(answer: Mapping[str, Any] | None) -> str | None:
    """Why a function sent the call away for good; None when it did not."""
    if answer is None or not 400 <= answer["http_status"] < 500 or answer["http_status"] in _PASSING:
        return None
    said = answer.get("error")
    why = f"{said.get('code')}: {said.get('message')}" if isinstance(said, dict) else "it says no more"
    return f"the function refuses the call: HTTP {answer['http_status']}, {why}"


def kick(
    target_uri: str, body: dict[str, Any], *, timeout: float = 3.0, now: datetime | None = None
) -> dict[str, Any] | None:
    """POST a trigger to a function; its JSON answer with `http_status`, None when it works on after `timeout` s.

    `now` is the virtual clock of a local cloud. Raises Unavailable when nothing listens there, or no function does,
    Refused when what stands there sends the call away for good.
    """
    import requests  # 60 ms that no scheduled tick pays

    headers = {"X-Belfry-Now": now.isoformat()} if now else {}
    if config().in_cloud:
        headers["Authorization"] = f"Bearer {_id_token(target_uri)}"
    limits = (CONNECT_TIMEOUT, timeout)
    try:
        answer = requests.post(target_uri, json=body, headers=headers, timeout=limits, allow_redirects=False)
    except requests.ReadTimeout:
        return None
    except requests.RequestException as error:
        raise Unavailable(f"{body.get('job')}: its function did not answer ({type(error).__name__})") from error
    content = _read(answer)
    if not isinstance(content, dict):
        said = f"{body.get('job')}: what answers there is not a function (HTTP {answer.status_code})"
        raise Refused(said) if refused({"http_status": answer.status_code}) else Unavailable(said)
    return {**content, "http_status": answer.status_code}


def _read(answer: Response) -> object:
    try:
        return answer.json()
    except ValueError:
        return None


def _id_token(audience: str) -> str:
    from google.auth.transport.requests import Request
    from google.oauth2 import id_token

    token: str = id_token.fetch_id_token(Request(), audience)  # type: ignore[no-untyped-call]
    return token
