"""`backfill JOB --from T --to T`: run a range of past ticks, in order, each once; shows its progress."""

import getpass
import json
import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from infra.commands.outcome import BadInputError, NothingToDoError, instant, parser
from infra.commands.running import database
from shared import kicks, schedule
from shared.db import transaction
from shared.errors import InvalidRequest
from shared.operator import operations

OVER = {"succeeded", "partial", "failed", "lost", "cancelled", "skipped"}
LOOK = 0.5  # seconds between two looks at the progress


def main(argv: Sequence[str]) -> int:
    asked = parser("backfill", __doc__)
    asked.add_argument("job", metavar="JOB", help="id of a job of cron.yaml")
    asked.add_argument("--from", dest="first", required=True, metavar="T", help="the first tick, with its offset")
    asked.add_argument("--to", dest="last", required=True, metavar="T", help="the last tick, with its offset")
    asked.add_argument("--reason", default="", help="why; goes to the audit log")
    asked.add_argument("--apply", action="store_true", help="do it; without it only the number of ticks is told")
    options = asked.parse_args(argv)
    first, last = instant("--from", options.first), instant("--to", options.last)
    if options.apply and not options.reason.strip():
        raise BadInputError("--reason: say why these ticks run again")
    with database(options.home) as connection:
        try:
            ticks = operations.ticks_of_range(connection, options.job, first, last, schedule.now())
        except InvalidRequest as error:
            raise BadInputError(f"{error.field}: {error}; allowed: {error.allowed}") from None
        if not ticks:
            raise NothingToDoError(f"{options.job} has no tick from {first} to {last}")
        new = 0
        if options.apply:
            with transaction(connection):
                new = operations.backfill(
                    connection, options.job, ticks, actor=getpass.getuser(), reason=options.reason
                )
            _follow(connection, options.job, ticks[0], ticks[-1], quiet=options.json)
        states = operations.progress(connection, options.job, ticks[0], ticks[-1])
    print(json.dumps({"job": options.job, "ticks": len(ticks), "new": new, "applied": options.apply, "states": states}))
    return 0


def _follow(connection: Connection, job: str, first: datetime, last: datetime, *, quiet: bool) -> None:
    """Start each tick when its turn comes, as the sweep would within a minute, until all are over."""
    shown = ""
    while True:
        states = operations.progress(connection, job, first, last)
        line = "  ".join(f"{state} {number}" for state, number in sorted(states.items()))
        if line != shown and not quiet:
            print(line, flush=True)
        shown = line
        if not states.keys() - OVER:
            return
        kicked = kicks.kick_all(kicks.take_due(connection, 1, job=job), now=None)
        kicks.record(connection, kicked)
        if not kicked.reached:
            time.sleep(LOOK)
