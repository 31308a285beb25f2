"""Data synchronisation: rows of other systems come in, ours go out, page by page; what is bad is set aside."""

from sqlalchemy.exc import DBAPIError

from shared.alerts import raise_alerts
from shared.db import is_retryable
from shared.jobs import Run, job
from shared.sync import sources
from shared.sync.outgoing import PUSHES
from shared.sync.pages import SourceError
from shared.sync.pull import pull
from shared.sync.push import push


@job
def data_sync(run: Run) -> None:
    """Each source by itself, masters first; then the sources that fail, stand still or fall behind are alerted."""
    with run.step(f"sources {run.attempt}") as db:
        listed = sources.listed(db)
    for source in listed:
        if source.stopped_at and source.source_code not in run.params["accept"]:
            run.count(stopped=1)
        elif source.next_try_at and source.next_try_at > run.now:
            run.count(put_off=1)
        else:
            _bring(run, source)
    with run.step(f"report {run.attempt}"):
        limits = {name: run.params[name] for name in ("failed_runs", "lag_hours")}
        raise_alerts(run, "SYNC_FAILED", sources.in_trouble(run.now, **limits), scanned=sources.every())


def _bring(run: Run, source: sources.Source) -> None:
    run.count(checked=1)
    try:
        sources.check(source, PUSHES)
        (pull if source.direction == "PULL" else push)(run, source)
    except (SourceError, DBAPIError) as error:
        # What the tables refuse is this source's trouble; a database that is away is everybody's.
        if isinstance(error, DBAPIError) and is_retryable(error):
            raise
        said = str(error.orig if isinstance(error, DBAPIError) else error)
        with run.step(f"{source.source_code} {run.attempt} refused") as db:
            sources.failed(db, source, said)
        run.item_failed("SYNC_SOURCE", source.source_code, said)
