"""Is the day before a new home played as it would have rung, once, and to its end?"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import Connection, text

from infra.local.history import KEY, History, ticks_before
from infra.local.oidc import Signer
from infra.local.slumber import forgive
from infra.local.ticks import Poster, Tick
from shared.cronfile.specs import JobSpec
from shared.db import new_engine

NOON = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
YESTERDAY = NOON - timedelta(hours=24)


def job(job_id: str, schedule: str | None, **fields: Any) -> JobSpec:
    return JobSpec(id=job_id, category="issues", schedule=schedule, time_zone="UTC", **fields)


@dataclass
class Functions:
    """An HTTP server in the functions' place. `statuses` are given out first, then 200."""

    statuses: list[int] = field(default_factory=list)
    rung: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    enough: int = 1_000_000

    async def answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        assert json.loads(await request.read()) == {"job": name}
        if len(self.rung) >= self.enough:
            return web.json_response({}, status=404)
        self.rung.append((name, request.headers["X-CloudScheduler-ScheduleTime"]))
        self.headers.append(dict(request.headers))
        return web.json_response({}, status=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def posting(functions: Functions, folder: Path) -> AsyncIterator[Poster]:
    app = web.Application()
    app.router.add_post("/functions/{name}", functions.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    try:
        async with aiohttp.ClientSession() as session:
            yield Poster(session, f"http://{host}:{port}", Signer(folder / "oidc"))
    finally:
        await runner.cleanup()


def test_history_holds_each_tick_of_a_day_and_the_last_one_of_what_rings_more_seldom() -> None:
    ticks = ticks_before(
        [
            job("hourly", "5 * * * *"),
            job("daily", "0 7 * * *"),
            job("weekly", "0 3 * * 3"),
            job("monthly", "0 4 1 * *"),
            job("off", "0 * * * *", enabled=False),
            job("downstream", None),
        ],
        NOON,
    )
    assert ticks == sorted(ticks)
    by_job = {name: [tick.at for tick in ticks if tick.job == name] for name in {tick.job for tick in ticks}}
    assert len(by_job["hourly"]) == 24
    assert by_job["hourly"][0] > YESTERDAY
    assert by_job["hourly"][-1] == datetime(2026, 3, 2, 11, 5, tzinfo=UTC)
    assert by_job["daily"] == [datetime(2026, 3, 2, 7, tzinfo=UTC)]
    assert by_job["weekly"] == [datetime(2026, 2, 25, 3, tzinfo=UTC)]
    assert by_job["monthly"] == [datetime(2026, 3, 1, 4, tzinfo=UTC)]
    assert by_job.keys().isdisjoint({"off", "downstream"})


def test_sweepers_sweep_once_a_played_hour_at_its_end() -> None:
    ticks = ticks_before([job("sweep_runs", "* * * * *")], NOON)
    assert len(ticks) == 25
    assert {tick.at.minute for tick in ticks[:-1]} == {59}
    assert ticks[-1].at == datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def test_ticks_are_posted_in_time_order_as_cloud_scheduler_posts_them(tmp_path: Path, database_url: str) -> None:
    functions = Functions()

    async def scene() -> None:
        async with posting(functions, tmp_path) as poster:
            engine = new_engine(database_url)
            await History(engine, [job("hourly", "0 * * * *"), job("quarterly", "*/15 * * * *")], poster).play(NOON)
            engine.dispose()

    asyncio.run(scene())
    assert len(functions.rung) == 24 + 96
    assert [at for _, at in functions.rung] == sorted(at for _, at in functions.rung)
    first = functions.headers[0]
    assert first["X-CloudScheduler"] == "true"
    assert first["X-CloudScheduler-JobName"] == functions.rung[0][0]
    assert first["User-Agent"] == "Google-Cloud-Scheduler"
    assert first["X-Belfry-Now"] == functions.rung[0][1]
    assert first["Authorization"].startswith("Bearer ")


def progress(db: Connection) -> dict[str, Any]:
    kept: dict[str, Any] = db.execute(
        text("select value from belfry.biz_config where key = :key"), {"key": KEY}
    ).scalar_one()
    return kept


def test_history_is_played_once_and_says_how_far_it_is(tmp_path: Path, database_url: str, db: Connection) -> None:
    functions = Functions(statuses=[200, 400])

    async def scene() -> None:
        async with posting(functions, tmp_path) as poster:
            engine = new_engine(database_url)
            for now in (NOON, NOON + timedelta(hours=3)):
                await History(engine, [job("hourly", "0 * * * *")], poster).play(now)
            engine.dispose()

    asyncio.run(scene())
    assert len(functions.rung) == 24
    expected = {"total": 24, "done": 24, "failed": 1, "current": None, "finished": True, "until": NOON.isoformat()}
    assert progress(db) == expected


def test_an_interrupted_history_goes_on_to_its_own_end(tmp_path: Path, database_url: str, db: Connection) -> None:
    functions = Functions()

    async def scene() -> None:
        async with posting(functions, tmp_path) as poster:
            engine = new_engine(database_url)
            playing = asyncio.create_task(History(engine, [job("hourly", "0 * * * *")], poster).play(NOON))
            while not functions.rung:
                await asyncio.sleep(0)
            playing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await playing
            assert progress(db)["finished"] is False
            functions.rung.clear()
            await History(engine, [job("hourly", "0 * * * *")], poster).play(NOON + timedelta(hours=3))
            engine.dispose()

    asyncio.run(scene())
    assert [at for _, at in functions.rung][-1] == "2026-03-02T12:00:00+00:00"
    assert progress(db)["finished"] is True


def test_a_function_that_says_later_is_asked_again(tmp_path: Path) -> None:
    functions = Functions(statuses=[503])

    async def scene() -> int:
        async with posting(functions, tmp_path) as poster:
            return (await poster.post(Tick(NOON, "hourly"))).status

    assert asyncio.run(scene()) == 200
    assert len(functions.rung) == 2


def test_a_night_in_the_bag_is_forgiven_once(database_url: str, db: Connection) -> None:
    insert = """insert into belfry.jobs (job_id, func, name, category, swept_through)
                values (:id, :id, '{}', 'issues', clock_timestamp() - cast(:ago as interval))"""
    for job_id, ago in (("asleep", "9 hours"), ("awake", "1 minute")):
        db.execute(text(insert), {"id": job_id, "ago": ago})
    engine = new_engine(database_url)
    forgive(engine)
    forgive(engine)
    engine.dispose()
    late = "select job_id from belfry.jobs where swept_through < clock_timestamp() - interval '30 seconds'"
    assert db.execute(text(late)).scalars().all() == ["awake"]
    audited = db.execute(text("select action, after->>'jobs' from belfry.audit_log")).all()
    assert [tuple(row) for row in audited] == [("sweep_mark_moved", "1")]
