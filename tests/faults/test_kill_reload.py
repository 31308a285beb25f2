"""kill -9 of a reload at any statement and any call of Cloud Scheduler: the same reload again ends it, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from shared import config, scheduler_api
from shared.operator import reload
from shared.scheduler_api import Ring, SchedulerApi
from tests.conftest import ROOT
from tests.faults.conftest import MakeWorld
from tests.faults.order import Order, chosen
from tests.faults.world import WAIT_AT_GATE, tick
from tests.scheduling import file, running, written

BEFORE = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
HOURLY, DAILY = 'schedule: "0 * * * *"', 'schedule: "0 9 * * *"'
OLD = {"stays": HOURLY, "moves": HOURLY, "rests": HOURLY, "goes": HOURLY, "is_paused": HOURLY}
NEW = {"stays": HOURLY, "moves": DAILY, "rests": HOURLY + "\nenabled: false", "comes": DAILY, "is_paused": DAILY,
       "comes_paused": DAILY + "\nenabled: false"}  # fmt: skip


@pytest.fixture
def api(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SchedulerApi]:
    with running() as scheduler:
        monkeypatch.setenv("SCHEDULER_ADDRESS", scheduler.address)
        config.config.cache_clear()
        with scheduler_api.connect() as connected:
            yield connected


def as_before(db: Connection, api: SchedulerApi, folder: Path) -> None:
    """The state from which every reload of the sweep begins: the old file, one pause and one override of an operator."""
    for ring in api.all().values():
        api.remove(ring)
    for table in ("job_revisions", "job_dependencies", "audit_log", "jobs"):
        db.execute(text(f"truncate belfry.{table} cascade"))
    reload.apply(db, file(folder, **OLD), api, now=BEFORE)
    db.execute(text("""update belfry.jobs set paused = true, paused_by = 'li', override_schedule = '30 9 * * *'
                       where job_id = 'is_paused'"""))  # fmt: skip
    reload_of_overrides = reload.apply(db, file(folder, **OLD), api, now=BEFORE)
    assert [one.job_id for one in reload_of_overrides.updated] == ["is_paused"]


def rows(db: Connection, statement: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.execute(text(statement))]


def rung(api: SchedulerApi) -> dict[str, tuple[str, bool]]:
    return {job: (ring.schedule, ring.paused) for job, ring in api.all().items()}


def test_a_reload_killed_at_any_point_and_repeated_converges(
    db: Connection, database_url: str, api: SchedulerApi, tmp_path: Path
) -> None:
    order, new = Order(tmp_path), written(tmp_path / "new.yaml", **NEW)
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": database_url, "BELFRY_CRASH_GRPC": "1",
                   "SCHEDULER_ADDRESS": os.environ["SCHEDULER_ADDRESS"], **order.environment}  # fmt: skip

    def process() -> int:
        command = [sys.executable, ROOT / "tests" / "faults" / "reloading.py", new]
        return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode

    as_before(db, api, tmp_path)
    points = order.count(process)
    writes = [name for name in points if name.startswith("after call") and not name.endswith("ListJobs")]
    assert [name.rpartition(" ")[2] for name in writes] == [
        "UpdateJob", "PauseJob", "CreateJob", "CreateJob", "PauseJob", "PauseJob", "DeleteJob",
    ]  # fmt: skip
    expected = rung(api)
    assert expected == {
        "stays": ("0 * * * *", False), "moves": ("0 9 * * *", False), "rests": ("0 * * * *", True),
        "comes": ("0 9 * * *", False), "is_paused": ("30 9 * * *", True), "comes_paused": ("0 9 * * *", True),
    }  # fmt: skip
    died = 0
    for number, name in chosen(points, 4):
        as_before(db, api, tmp_path)
        order.die_at(number)
        died += process() == -signal.SIGKILL
        assert order.obeyed(), f"point {number} ({name}) was not reached"
        # Half-way: every job that both files ring still has its bell, and there is no second one.
        assert set(rung(api)) >= {"stays", "moves", "is_paused"}, name
        assert rung(api)["is_paused"][1], name
        assert process() == 0, name
        assert rung(api) == expected, name
        revised = rows(db, "select job_id, count(*)::int from belfry.job_revisions group by 1 order by 1")
        assert dict(revised) == {"comes": 1, "comes_paused": 1, "goes": 2, "is_paused": 3, "moves": 2, "rests": 2,
                                 "stays": 1}, name  # fmt: skip
        assert rows(db, "select override_schedule, paused from belfry.jobs where job_id = 'is_paused'") == [
            ("30 9 * * *", True)
        ], name
        old = "select count(*)::int from belfry.jobs where job_id like 'comes%' and swept_through < now() - interval '1 h'"
        assert rows(db, old) == [(0,)], f"{name}: a new job owes no tick of the past"
    assert died == len(chosen(points, 4))


def test_a_run_under_way_ends_as_it_began_and_rings_by_the_new_schedule_after_it(
    world: MakeWorld, api: SchedulerApi, tmp_path: Path
) -> None:
    w = world()
    w.serve(BELFRY_LEASE="30")
    w.behave(sql=[WAIT_AT_GATE])
    with w.engine.connect() as db:
        said = file(tmp_path, effect='schedule: "30 9 * * *"')
        api.create(Ring("effect", "0 * * * *", "Asia/Shanghai", w.instances[0].url, 90, api.account, paused=False))
        answers: list[dict[str, object]] = []
        with w.gate():
            caller = threading.Thread(target=lambda: answers.append(w.post(0)))
            caller.start()
            w.at_gate()
            made = reload.apply(db, said, api, now=tick(0) + timedelta(minutes=1))
            assert "schedule" in made.updated[0].table
            assert w.value("select state from belfry.job_executions") == "running"
        caller.join(30)
    assert answers[0]["status"] == "succeeded"
    assert api.all()["effect"].schedule == "30 9 * * *"
    new = tick(0) + timedelta(days=1, minutes=30)
    assert w.post(new)["status"] == "succeeded"
    assert w.post(tick(25))["status"] == "succeeded"  # 10:00 is no tick any more: a run by hand
    kinds = w.rows("select run_at, kind from belfry.job_executions order by run_at")
    assert [tuple(row) for row in kinds] == [(tick(0), "scheduled"), (new, "scheduled"), (tick(25), "manual")]
    assert len(w.effects()) == 3
