"""What rang before this laptop was there? The last 24 hours, played once a home, so that no page is empty."""

import asyncio
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Engine, text

from infra.local.ticks import SWEEPERS, Poster, Tick, due
from shared import logs
from shared.cronfile.specs import JobSpec

KEY = "local.history"
SPAN = timedelta(hours=24)
SHOWN_EVERY = 0.5  # seconds between two notes of the progress

_READ = text("select value from belfry.biz_config where key = :key")
_WRITE = text("""
  insert into belfry.biz_config (key, value) values (:key, cast(:value as jsonb))
  on conflict (key) do update set value = excluded.value, updated_at = clock_timestamp()""")


def ticks_before(jobs: Iterable[JobSpec], until: datetime) -> list[Tick]:
    """24 hours of every job, the sweepers' last tick of each hour, the last one of a job that rings more seldom."""
    known = {job.id: job for job in jobs}
    ticks = due(known.values(), until - SPAN, until)
    sweeps = {(tick.job, _hour(tick.at)): tick for tick in ticks if tick.job in SWEEPERS}
    played = [tick for tick in ticks if tick.job not in SWEEPERS] + list(sweeps.values())
    for job in known.values():
        if job.enabled and job.timetable is not None and all(tick.job != job.id for tick in played):
            last = job.timetable.previous_tick(until)
            if last is not None:
                played.append(Tick(last, job.id))
    return sorted(played)


class History:
    """Plays the ticks before `until`; what is done stands in `biz_config`, key `local.history`, for the jobs page.

    An interrupted play goes on at the next start with its own `until`: ticks that were played answer "duplicate".
    """

    def __init__(self, engine: Engine, jobs: Iterable[JobSpec], poster: Poster) -> None:
        self._engine = engine
        self._jobs = list(jobs)
        self._poster = poster
        self._noted = 0.0

    async def play(self, now: datetime) -> None:
        kept = self._read()
        if kept.get("finished"):
            return
        until = datetime.fromisoformat(kept["until"]) if "until" in kept else now
        ticks = ticks_before(self._jobs, until)
        done = failed = 0
        # Instant by instant: what rings together runs together, and nothing sees the alerts of its own future.
        for at, together in groupby(ticks, key=lambda tick: tick.at):
            self._note(until, len(ticks), done, failed, at)
            answers = await asyncio.gather(*(self._poster.post(tick) for tick in together))
            for answer in answers:
                if not answer.good:
                    logs.event("history_tick_failed", level=40, job_id=answer.tick.job, run_at=at.isoformat(),
                               status=answer.status, answer=json.dumps(answer.content)[:500])  # fmt: skip
            done += len(answers)
            failed += sum(not answer.good for answer in answers)
        self._note(until, len(ticks), done, failed, None)

    def _read(self) -> dict[str, Any]:
        with self._engine.connect() as connection:
            kept: dict[str, Any] = connection.execute(_READ, {"key": KEY}).scalar_one_or_none() or {}
            return kept

    def _note(self, until: datetime, total: int, done: int, failed: int, current: datetime | None) -> None:
        """`current` is the time being played; None: it is over."""
        now = asyncio.get_running_loop().time()
        if current is not None and now - self._noted < SHOWN_EVERY:
            return
        self._noted = now
        value = {
            "total": total,
            "done": done,
            "failed": failed,
            "current": current and current.isoformat(),
            "finished": current is None,
            "until": until.isoformat(),
        }
        with self._engine.connect() as connection:
            connection.execute(_WRITE, {"key": KEY, "value": json.dumps(value)})


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
