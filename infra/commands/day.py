"""`day --date D`: that whole day of every job on a clock of its own; prints what fired and who was told.

`--days N` plays as many in a row; `--cron FILE` other schedules than the repository's; `--firings` lists every tick.
"""

import asyncio
import json
import signal
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from infra.commands.outcome import BadInputError, OutOfReachError, parser
from infra.local import day_report
from infra.local.cloud import CRON, Cloud
from infra.local.day import ZONE, Day, DayClock, bounds
from infra.local.home import Home
from shared.cronfile.specs import CronFileError
from shared.errors import BelfryError


def main(argv: Sequence[str]) -> int:
    asked = parser("day", __doc__)
    asked.add_argument("--date", required=True, metavar="D", help="the day, such as 2026-03-02")
    asked.add_argument("--keep", type=Path, metavar="DIR", help="keep the day's home there: database, letters, logs")
    asked.add_argument("--days", type=int, default=1, metavar="N", help="so many days in a row, 1 to 31")
    asked.add_argument("--cron", type=Path, default=CRON, metavar="FILE", help="the jobs to play (default: cron.yaml)")
    asked.add_argument("--firings", action="store_true", help="list every tick by the clocks of its job's zone")
    options = asked.parse_args(argv)
    try:
        day = date.fromisoformat(options.date)
    except ValueError:
        raise BadInputError(f"--date {options.date!r}: a day is allowed, such as 2026-03-02") from None
    if not 1 <= options.days <= 31:
        raise BadInputError(f"--days {options.days}: 1 to 31 are allowed")
    keep: Path | None = options.keep
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise BadInputError(f"--keep {keep}: a folder that is empty or not there yet is allowed")
    if keep is not None:
        return asyncio.run(_play(Home(keep), day, options))
    with tempfile.TemporaryDirectory(prefix="belfry-day-") as folder:
        return asyncio.run(_play(Home(Path(folder)), day, options))


async def _play(home: Home, day: date, options: Namespace) -> int:
    playing = asyncio.current_task()
    assert playing is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
    start, _ = bounds(day)
    clock = DayClock(start)
    # Not durable: a day that breaks off is played again.
    try:
        cloud = Cloud(home, day=day, clock=clock, fast=True, cron=options.cron)
    except CronFileError as wrong:
        raise BadInputError(f"--cron {options.cron}: {wrong}") from wrong
    try:
        await cloud.start()
        played = Day(cloud, clock, day, options.days)
        await played.play(_nothing if options.json else _progress)
        with cloud.engine.connect() as connection:
            jobs = day_report.fired(connection, played.answers)
            firings = day_report.firings(connection, start) if options.firings else []
            letters = day_report.told(connection, start)
            silent = day_report.not_told(connection, start)
            broken = day_report.broken_invariants(connection)
    except asyncio.CancelledError:
        return 130
    except BelfryError as error:
        raise OutOfReachError(f"{type(error).__name__}: {error}") from error
    finally:
        await cloud.stop()
    for answer in played.answers:
        if not answer.good:
            told = json.dumps(answer.content, ensure_ascii=False)
            print(f"refused: {answer.tick.job} at {answer.tick.at:%FT%T%z}: {answer.status} {told}", file=sys.stderr)
    if not options.json:
        for firing in firings:
            print(f"{firing.at}  {firing.job:<28} {firing.ended}")
        print("\n".join(day_report.table(jobs, letters, silent)))
    result = {
        "date": day.isoformat(),
        "ticks": sum(job.ticks for job in jobs),
        "refused": sum(job.refused for job in jobs),
        "broken_invariants": broken,
        "jobs": day_report.as_json(jobs),
        **({"firings": day_report.as_json(firings)} if options.firings else {}),
        "told": day_report.as_json(letters),
        "not_told": silent,
    }
    print(json.dumps(result, ensure_ascii=False))
    return 0


def _progress(at: datetime, rung: int) -> None:
    if rung:
        print(f"{at.astimezone(ZONE):%H:%M} {rung} rang", file=sys.stderr, flush=True)


def _nothing(at: datetime, rung: int) -> None:
    """Nobody watches."""
