"""What does a function answer, and what has it done, when the database goes away, stays silent or loses a COMMIT? (P13)"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from infra.local.postgres import Postgres
from tests.faults.conftest import MakeWorld
from tests.faults.order import FULL
from tests.faults.proxy import Proxy
from tests.faults.world import WAIT_AT_GATE, World, tick

MakeProxied = Callable[..., tuple[World, Proxy]]
# The product waits 5 s on a silent socket; here less, so that no test does.
PATIENCE = 5.0 if FULL else 1.0
IMPATIENT = {"DB_SOCKET_TIMEOUT": str(PATIENCE)}


@contextmanager
def stopped(cluster: Postgres) -> Iterator[None]:
    cluster.stop("immediate")
    try:
        yield
    finally:
        cluster.start()


@pytest.mark.fault(row=15, injected="database down at the claim", expected="503 within 6 s, then the retry succeeds")
@pytest.mark.parametrize("how", ["down", "timeout"])
def test_row_15_a_tick_that_cannot_be_claimed_is_refused_soon_and_succeeds_later(
    proxied: MakeProxied, how: str, seen: Callable[[str], None]
) -> None:
    w, proxy = proxied(serve=IMPATIENT)
    for warm in (False, True):  # without a connection, and with one in the pool
        getattr(proxy, how)()
        refused = w.post(warm)
        assert (refused["http_status"], refused["error"]["code"]) == (503, "unavailable")
        assert refused["took"] < PATIENCE + 1
        assert w.value("select count(*) from belfry.job_executions") == warm
        proxy.heal()
        assert w.post(warm)["status"] == "succeeded"
        seen(f"503 after {refused['took']:.1f} s")
    w.judge(effects=2)


@pytest.mark.fault(
    row=16, injected="Postgres stopped while the body works", expected="rolled back, run again, one effect"
)
def test_row_16_a_server_that_dies_under_a_body_takes_its_effect_with_it(fragile: MakeWorld, cluster: Postgres) -> None:
    w = fragile()
    w.serve(**IMPATIENT)
    w.behave(sql=[WAIT_AT_GATE])
    with ThreadPoolExecutor() as pool, w.gate():
        cut_off = pool.submit(w.post)
        w.at_gate()
        with stopped(cluster):
            answer = cut_off.result()
        w.engine.dispose()
    assert (answer["http_status"], answer["error"]["code"]) == (503, "unavailable")
    w.behave()
    assert w.effects() == []
    w.lease_over()
    assert w.until_over() == "succeeded"
    assert w.effects() == [(tick(0), 2)]
    w.judge(effects=1)


@pytest.mark.fault(
    row=17, injected="the database goes away at the finish", expected="rolled back, run again, one effect"
)
@pytest.mark.parametrize("stays_away", [False, True])
def test_row_17_a_database_that_goes_away_at_the_finish_leaves_no_effect(
    proxied: MakeProxied, stays_away: bool
) -> None:
    w, proxy = proxied(serve=IMPATIENT)
    proxy.cut_before(b"belfry.finish", stay_down=stays_away)
    answer = w.post()
    assert (answer["http_status"], answer.get("status")) == ((503, None) if stays_away else (200, "retry_wait"))
    assert w.effects() == []
    proxy.heal()
    if stays_away:
        w.lease_over()
    assert w.until_over() == "succeeded"
    assert w.effects() == [(tick(0), 2)]
    w.judge(effects=1)


@pytest.mark.fault(row=18, injected="the answer to COMMIT is lost", expected="read back: 200 succeeded, message kept")
def test_row_18_a_commit_whose_answer_is_lost_is_found_out(proxied: MakeProxied) -> None:
    w, proxy = proxied()
    proxy.drop_reply(b"commit\0")
    answer = w.post()
    assert (answer["http_status"], answer["status"]) == (200, "succeeded")
    assert proxy.fired == 1
    assert w.effects() == [(tick(0), 1)]
    assert w.value("select count(*) from belfry.outbox where published_at is null") == 1
    assert w.post()["status"] == "duplicate"
    w.judge(effects=1)


@pytest.mark.fault(row=18, injected="the answer to the claim is lost", expected="the run goes on under the same fence")
def test_row_18_a_claim_whose_answer_is_lost_runs_all_the_same(proxied: MakeProxied) -> None:
    w, proxy = proxied()
    proxy.drop_reply(b"E\0\0\0\x09\0", after=b"belfry.claim(")
    answer = w.post()
    assert proxy.fired == 1
    assert (answer["http_status"], answer["status"], answer["attempt"]) == (200, "succeeded", 1)
    w.judge(effects=1)


@pytest.mark.fault(row=19, injected="COMMIT never arrives", expected="read back: not committed, retried")
def test_row_19_a_commit_that_never_arrived_is_tried_again(proxied: MakeProxied) -> None:
    w, proxy = proxied()
    proxy.cut_before(b"commit\0")
    answer = w.post()
    assert (answer["http_status"], answer["status"]) == (200, "retry_wait")
    assert (proxy.fired, w.effects()) == (1, [])
    assert w.until_over() == "succeeded"
    assert w.effects() == [(tick(0), 2)]
    w.judge(effects=1)


@pytest.mark.fault(
    row=21, injected="the server's process is frozen (SIGSTOP)", expected="503 in time, then a new connection"
)
def test_row_21_a_frozen_server_process_costs_one_answer(fragile: MakeWorld, seen: Callable[[str], None]) -> None:
    w = fragile()
    w.serve(**IMPATIENT)
    assert w.post(0)["status"] == "succeeded"
    frozen = w.functions_backends()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        refused = w.post(1)
        assert refused["http_status"] == 503
        assert refused["took"] < PATIENCE + 1
        assert w.post(1)["status"] == "succeeded"
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    w.judge(effects=2)
    seen(f"503 after {refused['took']:.1f} s")


@pytest.mark.fault(row=22, injected="pg_terminate_backend of the idle connection", expected="the next request succeeds")
@pytest.mark.parametrize("how", ["terminated", "reset"])
def test_row_22_an_idle_connection_that_died_costs_nothing(proxied: MakeProxied, how: str) -> None:
    w, proxy = proxied()
    assert w.post(0)["status"] == "succeeded"
    if how == "reset":
        proxy.reset_peer()
    else:
        assert [w.value("select pg_terminate_backend(:p, 5000)", p=pid) for pid in w.functions_backends()]
    answer = w.post(1)
    assert (answer["http_status"], answer["status"]) == (200, "succeeded")
    w.judge(effects=2)


@pytest.mark.fault(row=28, injected="a read-only database", expected="503, nothing written, then the retry succeeds")
def test_row_28_a_read_only_database_acknowledges_nothing(fragile: MakeWorld) -> None:
    w = fragile()
    w.serve()
    name = w.url.rpartition("/")[2]
    w.run(f"alter database {name} set default_transaction_read_only = on")
    refused = w.post()
    assert (refused["http_status"], refused["error"]["code"]) == (503, "unavailable")
    with w.engine.connect() as db:
        db.exec_driver_sql("set default_transaction_read_only = off")
        db.exec_driver_sql(f"alter database {name} reset default_transaction_read_only")
    for pid in w.functions_backends():
        w.value("select pg_terminate_backend(:p, 5000)", p=pid)
    assert w.post()["status"] == "succeeded"
    w.judge(effects=1)


@pytest.mark.fault(row=28, injected="no room for a row (53100): claim, then effect", expected="503; retry_wait")
def test_row_28_a_full_disk_acknowledges_nothing(fragile: MakeWorld) -> None:
    w = fragile()
    w.serve()
    w.run(
        """create function public.full_disk() returns trigger language plpgsql as
           $$ begin raise exception 'could not extend file' using errcode = '53100'; end $$"""
    )
    w.run(
        "create trigger full_disk before insert on belfry.job_executions for each row execute function public.full_disk()"
    )
    refused = w.post()
    assert (refused["http_status"], refused["error"]["code"]) == (503, "unavailable")
    w.run("drop trigger full_disk on belfry.job_executions")
    w.run("create trigger full_disk before insert on public.effects for each row execute function public.full_disk()")
    assert w.post()["status"] == "retry_wait"
    w.run("drop trigger full_disk on public.effects")
    assert w.until_over() == "succeeded"
    w.judge(effects=1)
