"""How does a source come in? Read pages over the network first, judge them as a whole, then write a page a step.

What is half read is half written at worst by whole pages, each with its watermark; a guard that trips writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from shared import remote
from shared.rules import sync as rules
from shared.run import Run
from shared.sync import sources, writing
from shared.sync.entities import ENTITIES, Entity
from shared.sync.pages import Row, SourceError, read, row, without_twins
from shared.sync.sources import Source

SECONDS_LEFT = 30.0  # before the run's deadline: nothing more is read then


@dataclass
class Harvest:
    """What a source said in this run. `problem`: why it is not everything."""

    pages: list[list[Row]] = field(default_factory=list)
    complete: bool = False
    problem: Exception | None = None

    @property
    def rows(self) -> list[Row]:
        return [row for page in self.pages for row in page]


def pull(run: Run, source: Source) -> None:
    """Bring one source in. What goes wrong with it is recorded with it, and the other sources go on."""
    entity, params, code = ENTITIES[source.entity], run.params, source.source_code
    last = source.last_full_at.astimezone(run.time_zone).date() if source.last_full_at else None
    full = code in params["full"] or rules.full_is_due(run.biz_date, last, params["full_weekday"])
    harvest = _read(run, source, entity, None if full else source.seen)
    full = full and harvest.complete
    with run.step(f"{code} {run.attempt}.0") as db:
        _retry(run, db, source, entity)
        harvest.pages = _judged(db, source, entity, harvest.pages)
        reason = None if code in params["accept"] else _guard(db, source, harvest.rows, params, full)
        if reason:
            sources.stopped(db, source, run.now, reason)
    if reason:
        run.item_failed("SYNC_SOURCE", code, reason)
        return
    watermark = source.seen
    for number, page in enumerate(harvest.pages, 1):
        with run.step(f"{code} {run.attempt}.{number}") as db:
            watermark = _write(run, db, source, page, watermark)
    with run.step(f"{code} {run.attempt} end") as db:
        if full:
            run.count(retired=writing.retire_vanished(db, source, [r.key for r in harvest.rows], run.now))
        _conclude(run, db, source, harvest, full)


def _read(run: Run, source: Source, entity: Entity, since: datetime | None) -> Harvest:
    harvest, cursor, params = Harvest(), None, run.params
    query = {"limit": str(source.batch_size)}
    if since:
        query["since"] = (since - timedelta(minutes=params["overlap_minutes"])).astimezone(source.zone).isoformat()
    latest: datetime | None = None
    try:
        while not harvest.complete:
            run.check()
            if run.lease.remaining < SECONDS_LEFT or sum(map(len, harvest.pages)) >= params["max_rows"]:
                raise SourceError("it has more than one run can bring; the next run goes on from here")
            more: dict[str, str] = {"cursor": cursor} if cursor else {}
            content = remote.get(source.endpoint, source.credential_ref, query | more, timeout=params["answer_seconds"])
            page, following = read(content, entity, source.zone)
            latest = _in_order(page, latest)
            if following is not None and following == cursor:
                raise SourceError("it names the same page as the next one")
            harvest.pages.append(page)
            run.count(pages=1, read=len(page))
            cursor, harvest.complete = following, following is None
    except (remote.RemoteError, SourceError) as problem:
        harvest.problem = problem
    return harvest


def _in_order(page: list[Row], latest: datetime | None) -> datetime | None:
    """The latest change so far. A source that goes back in time would lose rows behind the watermark."""
    for item in page:
        if item.changed_at and latest and item.changed_at < latest:
            raise SourceError(f"{item.key} is out of order: rows come by changed_at")
        latest = item.changed_at or latest
    return latest


def _judged(db: Connection, source: Source, entity: Entity, pages: list[list[Row]]) -> list[list[Row]]:
    """The pages, with the reasons that only the stored rows give."""
    rows = iter(without_twins((r for page in pages for r in page), entity))
    judged = []
    for page in [[next(rows) for _ in page] for page in pages]:
        wrong = writing.misfits(db, source, [r for r in page if r.error is None])
        judged.append([replace(r, error=wrong[r.key]) if r.key in wrong else r for r in page])
    return judged


def _guard(db: Connection, source: Source, rows: list[Row], params: dict[str, Any], full: bool) -> str | None:
    """Why nothing of this may be written, if so."""
    bad = sum(r.error is not None for r in rows)
    if rules.too_many(bad, len(rows), params["bad_percent"]):
        first = next(r for r in rows if r.error)
        return f"{bad} of {len(rows)} rows are bad, the first one {first.key}: {first.error}"
    deleted = [r.key for r in rows if r.deleted]
    if not (deleted or full):
        return None
    alive, vanished, gone = writing.known(db, source, [r.key for r in rows], deleted)
    lost = gone + (vanished if full else 0)
    if rules.too_many(lost, alive, params["delete_percent"]):
        return f"{lost} of {alive} rows would be deleted"
    return None


def _write(run: Run, db: Connection, source: Source, page: list[Row], watermark: datetime | None) -> datetime | None:
    """One page, its bad rows and its watermark, in one transaction."""
    good, bad = [r for r in page if r.error is None], [r for r in page if r.error is not None]
    run.count(**writing.apply(db, source, good, run.now), bad=len(bad))
    if bad:
        aside = [(r.key, r.payload, r.error or "") for r in bad]
        writing.quarantine(db, source, aside, run.now, run.params["retry_minutes"][0], run.id)
    for item in page:
        if item.changed_at:
            watermark = rules.read_up_to(watermark, item.changed_at, run.now)
    if watermark:
        sources.read_up_to(db, source, watermark)
    return watermark


def _conclude(run: Run, db: Connection, source: Source, harvest: Harvest, full: bool) -> None:
    if isinstance(harvest.problem, remote.AskedForPatience):
        sources.patient(db, source, run.now, harvest.problem.seconds, str(harvest.problem))
        run.count(put_off=1)
    elif harvest.problem:
        sources.failed(db, source, str(harvest.problem))
        run.item_failed("SYNC_SOURCE", source.source_code, harvest.problem)
    else:
        sources.done(db, source, run.now, full=full)


def _retry(run: Run, db: Connection, source: Source, entity: Entity) -> None:
    """Rows set aside that may be good by now, because what they point to has come."""
    due = writing.due(db, source, run.now)
    if not due:
        return
    rows = [row(payload, entity, source.zone) for _, payload, _ in due]
    wrong = {r.key: r.error for r in rows if r.error} | writing.misfits(db, source, [r for r in rows if not r.error])
    run.count(**writing.apply(db, source, [r for r in rows if r.key not in wrong], run.now), retried=len(due))
    again = [
        (key, wrong[key] or "", attempts + 1, rules.next_try(run.now, attempts + 1, run.params["retry_minutes"]))
        for key, _, attempts in due
        if key in wrong
    ]
    writing.failed_again(db, source, again)
