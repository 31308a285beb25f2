"""When a job has succeeded: start the jobs that waited for it, and those that it alone fires."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Request, Response
from sqlalchemy import Connection

from shared import kicks
from shared.config import at_start
from shared.entrance import push
from shared.entrance.envelope import Finished, parse_event
from shared.ledger import dependents

MOST = 100
at_start()


def dispatch_dependents(request: Request) -> Response:
    """Serve the push subscription `dispatch-dependents` of the topic `job-events`."""
    return push.serve(request, "dispatch_dependents", parse_event, _start)


def _start(db: Connection, finished: Finished) -> Mapping[str, int]:
    promised = dependents.promise(db, finished.job_id)
    due = kicks.take_due(db, MOST, upstream=finished.job_id)
    kicked = kicks.kick_all(due, now=finished.now)
    kicks.record(db, kicked)
    return {"promised": promised, "kicked": kicked.reached, "refused": len(kicked.refused)}
