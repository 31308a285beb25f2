"""Is a run that was killed, stopped, hung or cut off from its lease taken over, and its tick run once? (P2, P8)"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Connection, text

from tests.conftest import ROOT, Perform, register
from tests.faults.conftest import MakeWorld
from tests.faults.invariants import assert_invariants
from tests.faults.order import Order, chosen
from tests.faults.world import WAIT_AT_GATE, World, tick
from tests.functions.platform.test_sweep_runs import scheduled
from tests.processes import Served, eventually, served

NOON = "2026-03-02T12:00:00+08:00"


def _give_up(w: World, number: int = 0) -> None:
    """Post a tick whose process will not answer."""
    with pytest.raises((requests.ConnectionError, requests.ReadTimeout)):
        w.post(number, timeout=5)


@pytest.mark.fault(row=12, injected="SIGTERM, then SIGKILL before the run ended", expected="taken over, one effect")
def test_row_12_a_run_whose_instance_is_shut_down_is_taken_over(world: MakeWorld) -> None:
    w = world()
    w.serve(count=2)
    w.behave(sql=[WAIT_AT_GATE])
    doomed = w.instances[0]
    with ThreadPoolExecutor() as pool:
        with w.gate():
            pool.submit(_give_up, w)
            w.at_gate()
            os.kill(doomed.arbiter, signal.SIGTERM)
            asked = w.value("select clock_timestamp() + interval '0.6 s'")
            renewed = "select count(*) from belfry.job_executions where state = 'running' and lease_until > :t"
            eventually(lambda: w.value(renewed, t=asked), "it goes on as if nobody had asked: only the lease tells")
            os.killpg(doomed.arbiter, signal.SIGKILL)
            w.behave()
        w.lease_over()
        assert w.until_over(instance=1) == "succeeded"
    assert w.outcomes() == ["lost", "succeeded"]
    assert w.effects() == [(tick(0), 2)]
    w.judge(effects=1)


@pytest.mark.fault(
    row=13, injected="the heartbeat cannot reach the database", expected="the run stops at check(), no effect of it"
)
@pytest.mark.parametrize("how", ["refuse_new", "reset_peer"])
def test_row_13_a_run_that_cannot_renew_its_lease_stops_at_its_next_check(
    proxied: Callable[..., Any], tmp_path: Path, how: str
) -> None:
    w, proxy = proxied(timeout_s=30)
    w.serve()
    w.behave(until=str(tmp_path / "never"))
    with ThreadPoolExecutor() as pool:
        cut_off = pool.submit(w.post)
        in_body = (
            "select count(*) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()"
        )
        eventually(lambda: w.value(in_body) == 1, "its effect is written, not committed")
        if how == "reset_peer":
            proxy.reset_peer()
        proxy.refuse_new()
        answer = cut_off.result()
    assert (answer["http_status"], answer["status"]) == (202, "lease_lost")
    w.behave()
    w.lease_over()
    assert w.until_over(instance=1) == "succeeded"
    assert w.effects() == [(tick(0), 2)]
    w.judge(effects=1)


@pytest.mark.fault(
    row=13, injected="a database so slow that renewals come late", expected="taken over; the late run commits nothing"
)
def test_row_13_a_run_whose_renewals_come_too_late_commits_nothing(proxied: Callable[..., Any]) -> None:
    w, proxy = proxied(timeout_s=30, serve={"BELFRY_LEASE": "0.3"})
    w.serve()
    w.behave(sql=[WAIT_AT_GATE])
    with ThreadPoolExecutor() as pool:
        with w.gate():
            slow = pool.submit(w.post)
            w.at_gate()
            proxy.latency(0.35)
            w.lease_over()
            w.behave()
            assert w.until_over(instance=1) == "succeeded"
        assert slow.result()["status"] == "lease_lost"
    assert w.outcomes() == ["lost", "succeeded"]
    assert w.effects() == [(tick(0), 2)]
    w.judge(effects=1)


@pytest.mark.fault(row=14, injected="a body that hangs for ever", expected="heartbeat ends at timeout_s, swept as lost")
def test_row_14_a_body_that_hangs_is_given_up_at_its_timeout(
    world: MakeWorld, db: Connection, perform: Perform, seen: Callable[[str], None]
) -> None:
    w = world(timeout_s=1, max_attempts=1)
    w.serve()
    w.behave(hang=True)
    with ThreadPoolExecutor() as pool:
        pool.submit(_give_up, w)
        eventually(lambda: w.value("select count(*) from belfry.job_executions where state = 'running'"), "it runs")
        w.lease_over()
    perform("sweep_runs", NOON)
    (row,) = w.rows("""select state, reason, extract(epoch from finished_at - started_at) as after
                       from belfry.job_executions where job_id = 'effect'""")
    assert (row.state, row.reason) == ("lost", "lease")
    assert w.effects() == []
    assert w.post()["status"] == "duplicate"
    w.judge(effects=0)


# ---------------------------------------------------------------- row 3


def _prepare(db: Connection, round_: int) -> None:
    """What a sweep finds: a dead run with and one without attempts left, and a tick that never came."""
    db.execute(text("update belfry.jobs set fence = 1 where job_id in ('retried', 'lost')"))
    for name, attempts in (("retried", 2), ("lost", 1)):
        db.execute(
            text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, attempt,
                      max_attempts, fence, lease_until, started_at)
                    values (:j, :t, '2026-03-02', 'scheduled', 'running', 'skip', 1, :m, 1,
                            clock_timestamp() - interval '1 s', :t)"""),
            {"j": name, "t": tick(round_), "m": attempts},
        )
    db.execute(
        text(
            "update belfry.jobs set swept_through = cast(:t as timestamptz) - interval '30 min' where job_id = 'quiet'"
        ),
        {"t": tick(round_)},
    )


def _found(db: Connection, round_: int) -> list[tuple[Any, ...]]:
    rows = db.execute(
        text("""select job_id, state, reason, jsonb_array_length(attempts) as attempts, count(*) as n
                from belfry.job_executions where run_at = :t and job_id in ('retried', 'lost', 'quiet')
                group by 1, 2, 3, 4 order by 1"""),
        {"t": tick(round_)},
    )
    return [tuple(row) for row in rows]


@pytest.mark.fault(
    row=3, injected="kill -9 of the sweep at each of its points", expected="the next sweep finishes, nothing twice"
)
def test_row_03_a_sweep_killed_at_any_point_is_finished_by_the_next(
    db: Connection, database_url: str, tmp_path: Path, seen: Callable[[str], None]
) -> None:
    register(db, "sweep_runs")
    for name in ("retried", "lost"):
        scheduled(db, name, since="2100-01-01")
    scheduled(db, "quiet", since="2100-01-01", catchup="none", catchup_window_s=0)
    order = Order(tmp_path)
    environment = {
        "DATABASE_URL": database_url,
        "BELFRY_LOCAL_CLOCK": "1",
        "BELFRY_LEASE": "0.6",
        "PUBSUB_EMULATOR_HOST": os.environ["PUBSUB_EMULATOR_HOST"],
        **order.environment,
    }
    expected = [
        ("lost", "lost", "lease", 1, 1),
        ("quiet", "missed", "misfire", 0, 1),
        ("retried", "retry_wait", "lease", 1, 1),
    ]
    source = ROOT / "functions" / "platform" / "sweep_runs.py"
    with served("sweep_runs", ROOT, environment, source=source) as function:
        _prepare(db, 0)
        points = order.count(lambda: _sweep(function, 0, 0))
        assert _found(db, 0) == expected
        for round_, (number, name) in enumerate(chosen(points, 6), 1):
            _prepare(db, round_)
            order.die_at(number)
            assert _sweep(function, round_, 0) is None, f"point {number} was not reached: {name}"
            later = _later_sweeps(function, round_)
            eventually(lambda sweeps=later: next(sweeps) == "succeeded", f"a sweep after a death {name!r}")
            assert _found(db, round_) == expected, name
            counts = db.execute(
                text(
                    "select job_id, failure_count, missed_count from belfry.job_summaries where job_id in ('lost', 'quiet') order by 1"
                )
            )
            assert [tuple(row) for row in counts] == [("lost", round_ + 1, 0), ("quiet", 0, round_ + 1)], name
    incidents = db.execute(
        text(
            "select target_no, count(*) as n from belfry.alert_records where target_no <> 'sweep_runs' group by 1 order by 1"
        )
    ).all()
    assert [tuple(row) for row in incidents] == [("lost", 1), ("quiet", 1)]
    assert_invariants(db)
    seen(f"{len(chosen(points, 6))} of {len(points)} points")


def _later_sweeps(function: Served, round_: int) -> Iterator[str | None]:
    """The sweeps of the minutes after the one that died; the first may find it running still."""
    return (_sweep(function, round_, minute) for minute in count(1))


def _sweep(function: Served, round_: int, minute: int) -> str | None:
    """A sweep ten minutes after the round's tick; None when the function died on it."""
    at = (tick(round_) + timedelta(minutes=10 + minute)).isoformat()
    try:
        answer = requests.post(
            function.url, json={"job": "sweep_runs", "run_at": at}, headers={"X-Belfry-Now": at}, timeout=30
        )
    except requests.ConnectionError:
        return None
    return str(answer.json()["status"])
