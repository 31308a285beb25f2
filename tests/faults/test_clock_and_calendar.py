"""Do ticks stay right when jobs rest, when clocks change and when an instance's clock is wrong? (P9)"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from shared.operator import operations
from tests.conftest import ROOT, Perform
from tests.faults.conftest import MakeWorld
from tests.faults.invariants import assert_invariants
from tests.functions.platform.test_sweep_runs import rows, scheduled


@pytest.mark.fault(
    row=48, injected="a job paused over 3 ticks, then resumed", expected="3 skipped/paused, nothing caught up"
)
@pytest.mark.parametrize("resumed", ["09:02", "09:30"])
def test_row_48_the_ticks_of_a_pause_are_skipped_and_not_caught_up(
    db: Connection, perform: Perform, resumed: str
) -> None:
    """The last of them may still be within its grace when somebody resumes."""
    scheduled(db, "resting", since="2026-03-02T06:30:00+08:00", catchup="all", catchup_window_s=86400)
    db.execute(text("select set_config('belfry.now', '2026-03-02T06:40:00+08:00', false)"))
    operations.pause(db, "resting", actor="li", reason="盘点")
    perform("sweep_runs", "2026-03-02T08:30:00+08:00")
    db.execute(text("select set_config('belfry.now', :t, false)"), {"t": f"2026-03-02T{resumed}:00+08:00"})
    assert operations.resume(db, "resting", actor="li", missed="skip") == 0
    perform("sweep_runs", "2026-03-02T09:40:00+08:00")
    assert [(r[0], *r[2:]) for r in rows(db)] == [(f"0{hour}:00", "skipped", "paused") for hour in (7, 8, 9)]
    assert db.execute(text("select count(*) from belfry.alert_records")).scalar_one() == 0
    assert_invariants(db)


NEW_YORK = ZoneInfo("America/New_York")
CHANGES = [
    (
        "30 2 * * *",
        "2026-03-07T20:00-05:00",
        "2026-03-09T12:00-04:00",
        ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"],
    ),
    (
        "30 1 * * *",
        "2026-10-31T20:00-04:00",
        "2026-11-02T12:00-05:00",
        ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"],
    ),
    ("0 1 * * *", "2026-10-31T20:00-04:00", "2026-11-01T12:00-05:00", ["2026-11-01T01:00-04:00"]),
    (
        "0 * * * *",
        "2026-11-01T00:30-04:00",
        "2026-11-01T02:30-05:00",
        ["2026-11-01T01:00-04:00", "2026-11-01T01:00-05:00", "2026-11-01T02:00-05:00"],
    ),
]


@pytest.mark.fault(
    row=50, injected="New York's clocks change, no trigger comes", expected="the ledger equals the contract's table"
)
@pytest.mark.parametrize(("schedule", "since", "until", "expected"), CHANGES)
def test_row_50_the_ledger_expects_the_ticks_of_a_day_with_a_clock_change(
    db: Connection, perform: Perform, schedule: str, since: str, until: str, expected: list[str]
) -> None:
    scheduled(db, "abroad", since=since, schedule=schedule, time_zone="America/New_York", catchup="none")
    perform("sweep_runs", until)
    found = db.execute(
        text("select run_at, biz_date from belfry.job_executions where job_id = 'abroad' order by 1")
    ).all()
    instants = [datetime.fromisoformat(moment) for moment in expected]
    assert [row.run_at for row in found] == instants
    assert [row.biz_date for row in found] == [moment.astimezone(NEW_YORK).date() for moment in instants]
    assert_invariants(db)


@pytest.mark.fault(
    row=50, injected="both readings of 01:30 in autumn are triggered", expected="one tick; the second is a duplicate"
)
def test_row_50_a_repeated_hour_s_second_trigger_is_a_duplicate(world: MakeWorld) -> None:
    w = world(schedule="30 1 * * *", time_zone="America/New_York")
    w.serve(BELFRY_LOCAL_CLOCK="1")
    first, second = (datetime(2026, 11, 1, 1, 30, fold=fold, tzinfo=NEW_YORK).astimezone(UTC) for fold in (0, 1))
    clock = {"X-Belfry-Now": (second + timedelta(minutes=1)).isoformat()}
    assert w.post(first, **clock)["status"] == "succeeded"
    assert w.post(second, **clock)["status"] == "duplicate"
    w.judge(effects=1)


SKEW = ROOT / "tests" / "faults" / "skew"


@pytest.mark.fault(
    row=51, injected="an instance's clock 10 min or a day off", expected="no change: the database's clock decides"
)
@pytest.mark.parametrize("seconds", [-86400, -600, 600, 86400])
def test_row_51_an_instance_with_a_wrong_clock_does_the_same(
    world: MakeWorld, tmp_path: Path, seconds: int, seen: Callable[[str], None]
) -> None:
    w = world(schedule="* * * * *", max_attempts=2)
    w.serve(PYTHONPATH=f"{SKEW}:{ROOT}", BELFRY_SKEW=str(seconds))
    now = w.value("select date_trunc('minute', clock_timestamp())")
    answer = w.post(now)
    assert (answer["http_status"], answer["status"], answer["kind"]) == (200, "succeeded", "scheduled")
    assert datetime.fromisoformat(answer["run_at"]) == now
    early = w.post(now + timedelta(minutes=5))
    assert (early["http_status"], early["error"]["code"]) == (400, "invalid_schedule_time")
    by_hand = w.post(body={"job": "effect", "kind": "manual"}, **{"X-CloudScheduler-ScheduleTime": ""})
    assert by_hand["http_status"] == 400  # an empty header is a broken one
    times = w.rows("select received_at, started_at, finished_at from belfry.job_executions")
    assert all(abs(moment - now) < timedelta(minutes=5) for row in times for moment in row)
    w.judge(effects=1)
