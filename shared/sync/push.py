"""How do local rows go out? A page is read, sent over the network, and only then remembered as accepted.

A crash in between sends the page again under the same key; the other side, keyed by row, finds nothing new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from shared import remote
from shared.rules import sync as rules
from shared.run import Run
from shared.sync import outgoing, sources, writing
from shared.sync.outgoing import Outgoing
from shared.sync.pages import SourceError
from shared.sync.pull import SECONDS_LEFT
from shared.sync.sources import Source

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def push(run: Run, source: Source) -> None:
    """Send what changed. What goes wrong with the other side is recorded with it, and the other sources go on."""
    code, params = source.source_code, run.params
    since = (source.seen or LONG_AGO) - timedelta(minutes=params["overlap_minutes"])
    sent = refused = number = 0
    problem: Exception | None = None
    watermark = source.seen
    while True:
        with run.step(f"{code} {run.attempt}.{number} read") as db:
            page = outgoing.following(db, source, since, run.now)
        if not page or run.dry_run:
            run.count(sent=len(page))
            break
        try:
            run.check()
            if run.lease.remaining < SECONDS_LEFT or sent >= params["max_rows"]:
                raise SourceError("it is more than one run can send; the next run goes on from here")
            refusals = _send(source, page, params["answer_seconds"])
        except (remote.RemoteError, SourceError) as error:
            problem = error
            break
        with run.step(f"{code} {run.attempt}.{number}") as db:
            _remember(run, db, source, page, refusals)
            watermark = rules.read_up_to(watermark, page[-1].changed_at, run.now)
            sources.read_up_to(db, source, watermark)
        number, sent, refused = number + 1, sent + len(page), refused + len(refusals)
    run.count(refused=refused)
    with run.step(f"{code} {run.attempt} end") as db:
        if isinstance(problem, remote.AskedForPatience):
            sources.patient(db, source, run.now, problem.seconds, str(problem))
            run.count(put_off=1)
        elif problem:
            sources.failed(db, source, str(problem))
            run.item_failed("SYNC_SOURCE", code, problem)
        elif rules.too_many(refused, sent, params["bad_percent"]) and code not in params["accept"]:
            reason = f"{refused} of {sent} rows were refused"
            sources.stopped(db, source, run.now, reason)
            run.item_failed("SYNC_SOURCE", code, reason)
        else:
            sources.done(db, source, run.now)


def _send(source: Source, page: list[Outgoing], timeout: float) -> Mapping[str, str]:
    """Which rows the other side refused, and why. Raises RemoteError, and SourceError when it tells too little."""
    content = {"rows": [row.json() for row in page]}
    key = hashlib.sha256(json.dumps([(row.row_key, row.row_hash) for row in page]).encode()).hexdigest()
    answer = remote.post(source.endpoint, source.credential_ref, content, timeout=timeout, key=key)
    try:
        refusals = {str(row["key"]): str(row["error"]) for row in answer.get("rejected", [])}
        told = {str(key) for key in answer["accepted"]} | set(refusals)
    except (AttributeError, KeyError, TypeError) as error:
        raise SourceError("its answer is an object with accepted and rejected") from error
    if unheard := [row.row_key for row in page if row.row_key not in told]:
        raise SourceError(f"it says nothing of {unheard[0]}")
    return refusals


def _remember(run: Run, db: Connection, source: Source, page: list[Outgoing], refusals: Mapping[str, str]) -> None:
    outgoing.accepted(db, source, [row for row in page if row.row_key not in refusals], run.now)
    run.count(sent=len(page) - len([row for row in page if row.row_key in refusals]))
    if not refusals:
        return
    ladder = run.params["retry_minutes"]
    before = outgoing.attempts(db, source, list(refusals))
    aside: list[tuple[str, Any, str]] = [
        (row.row_key, row.data, refusals[row.row_key]) for row in page if row.row_key in refusals
    ]
    writing.quarantine(db, source, aside, run.now, ladder[0], run.id)
    again = [
        (key, refusals[key], tried + 1, rules.next_try(run.now, tried + 1, ladder)) for key, tried in before.items()
    ]
    writing.failed_again(db, source, again)
