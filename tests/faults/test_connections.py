"""Does a function keep its connections honest: text that cannot be stored, broken queries, full pools? (P13, P14)"""

from __future__ import annotations

import ctypes
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import quantiles

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from infra.local.postgres import Postgres, migrate
from shared import db as shared_db
from tests.faults.conftest import MakeWorld, new_database
from tests.faults.order import FULL
from tests.faults.world import WAIT_AT_GATE, World, tick
from tests.lending import TEMPLATE
from tests.processes import eventually
from tests.shared.test_jobs import add_job


@pytest.mark.fault(
    row=23, injected="lone surrogate, NUL in a trigger's body", expected="400, the next request is right"
)
@pytest.mark.parametrize("bad", [r"\ud800", r"\u0000"])
def test_row_23_text_that_cannot_be_stored_is_refused_at_the_entrance(world: MakeWorld, bad: str) -> None:
    w = world()
    w.serve()
    for field in ("reason", "requested_by", "job", "kind"):
        refused = w.post(0, body=b'{"%s": "x%s"}' % (field.encode(), bad.encode()))
        assert (refused["http_status"], refused["error"]["code"]) == (400, "invalid_text")
    refused = w.post(0, body=b'{"job": "effect", "params": {"deep": [{"%s": 1}]}}' % bad.encode())
    assert (refused["http_status"], refused["error"]["code"]) == (400, "invalid_text")
    assert w.post(0)["status"] == "succeeded"
    assert w.post(0)["status"] == "duplicate"
    w.judge(effects=1)


@pytest.mark.fault(
    row=23, injected="lone surrogate, NUL in a job's own text", expected="recorded, the next request is right"
)
@pytest.mark.parametrize("bad", [r"\ud800", r"\x00"])
@pytest.mark.parametrize(("where", "state"), [("bind", "failed"), ("raise", "retry_wait"), ("item", "partial")])
def test_row_23_a_job_s_own_bad_text_hurts_nobody_else(world: MakeWorld, where: str, state: str, bad: str) -> None:
    w = world(backoff_s=[3600])
    w.serve()
    w.behave(**{where: f"before{bad}after"})
    answer = w.post(0)
    assert (answer["http_status"], answer["status"]) == (200, state)
    told = "select coalesce(error, '') from belfry.job_executions where job_id = 'effect'"
    if where == "item":
        told = "select error from belfry.execution_items"
    assert w.value(told) == {"bind": w.value(told), "raise": "before?after", "item": "before?after"}[where]
    w.behave()
    for number in range(1, 6):
        assert w.post(number)["status"] == "succeeded"
    w.judge(effects=5 + (where == "item"))


class Injected(Exception):
    """Thrown into a thread from outside."""


@pytest.mark.fault(
    row=24, injected="an exception in mid-query, 30 times", expected="connection dropped, next query right"
)
def test_row_24_a_query_broken_by_an_exception_does_not_spoil_the_next(database_url: str) -> None:
    watcher = shared_db.new_engine(database_url)
    engine = shared_db.new_engine(database_url)
    active = text("select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'")
    caught: list[type[BaseException]] = []

    def suffer() -> None:
        try:
            with engine.connect() as db:
                db.execute(text("select pg_sleep(0.03), cast(:n as int)"), {"n": -1})
        except (Injected, DBAPIError) as error:
            caught.append(type(error))

    with watcher.connect() as look:
        for number in range(30):
            thread = threading.Thread(target=suffer)
            thread.start()
            eventually(lambda: look.execute(active).scalar_one(), "the query runs")
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Injected))
            thread.join()
            with engine.connect() as db:
                answer = db.execute(text("select cast(:n as int), cast(:s as text)"), {"n": number, "s": f"{number}"})
                assert tuple(answer.one()) == (number, f"{number}")
    assert len(caught) == 30
    engine.dispose()
    watcher.dispose()


TRANSIENT: dict[str, tuple[list[str], str]] = {
    "statement_timeout": (["set local statement_timeout = 30", "select pg_sleep(10)"], "57014"),
    "lock_timeout": (["set local lock_timeout = 30", WAIT_AT_GATE], "55P03"),
    "deadlock": (
        ["set local deadlock_timeout = 20", "select pg_advisory_xact_lock(8)", WAIT_AT_GATE],
        "40P01",
    ),
    "serialization": (["do $$ begin raise exception 'could not serialize' using errcode = '40001'; end $$"], "40001"),
}


@pytest.mark.fault(
    row=25, injected="statement and lock timeout, deadlock, 40001", expected="retried by SQLSTATE, one effect"
)
@pytest.mark.parametrize("what", TRANSIENT)
def test_row_25_a_transient_error_of_the_body_is_tried_again(world: MakeWorld, what: str) -> None:
    w = world()
    w.serve()
    statements, state = TRANSIENT[what]
    w.behave(sql=statements)
    with ThreadPoolExecutor() as pool, w.gate() as holder:
        answer = pool.submit(w.post)
        if what == "deadlock":
            # Whoever holds the gate wants what the body holds; the body looks for deadlocks first.
            holder.execute(text("set deadlock_timeout = '100s'"))
            eventually(
                lambda: w.value("select count(*) from pg_locks where locktype = 'advisory' and objid = 8"), "held"
            )
            holder.execute(text("select pg_advisory_lock(8)"))
        assert (answer.result()["http_status"], answer.result()["status"]) == (200, "retry_wait")
    assert w.effects() == []
    w.behave()
    assert w.until_over() == "succeeded"
    w.judge(effects=1)
    failed = shared_db.new_engine(w.url)
    with failed.connect() as db, pytest.raises(DBAPIError) as raised:
        db.execute(text(f"do $$ begin raise exception 'x' using errcode = '{state}'; end $$"))
    failed.dispose()
    assert shared_db.is_retryable(raised.value)


# ---------------------------------------------------------------- rows 26, 27


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory, stack: ExitStack) -> Callable[[int], Postgres]:
    """A server that takes so many connections and no more."""

    def start(connections: int) -> Postgres:
        server = Postgres(tmp_path_factory.mktemp("small"), max_connections=connections, fast=True)
        server.start()
        stack.callback(server.stop, "immediate")
        migrate(server.create_database(TEMPLATE))
        return server

    return start


@pytest.mark.fault(
    row=26, injected="far more functions than connections at :00", expected="all succeed, no 500, refused = 503"
)
@pytest.mark.parametrize(("connections", "functions", "calls"), [(12, 45, 2), (20, 60, 1)])
def test_row_26_more_functions_than_connections_all_succeed_in_the_end(
    connections: int,
    functions: int,
    calls: int,
    small: Callable[[int], Postgres],
    stack: ExitStack,
    seen: Callable[[str], None],
) -> None:
    w = World(new_database(small(connections)), stack, priority="high")
    jobs = ["effect", *(f"effect_{number}" for number in range(1, functions))]
    with w.engine.connect() as db:
        for job in jobs[1:]:
            add_job(db, job, priority="high", backoff_s=[0], max_attempts=8, swept_through="2100-01-01")
        db.execute(text("update belfry.jobs set func = 'effect', params = '{\"sql\": [\"select pg_sleep(0.3)\"]}'"))
    instances = functions if FULL else connections - 5
    w.serve(count=instances, BELFRY_LEASE="5")
    w.engine.dispose()
    answers: Counter[int] = Counter()
    late: list[float] = []
    due = time.monotonic()

    def until_accepted(number: int) -> None:
        """Cloud Scheduler asks again while the answer is no success."""
        job = jobs[number % functions]

        def accepted() -> bool:
            answer = w.post(0, job=job, instance=number % instances)
            answers[answer["http_status"]] += 1
            return answer["http_status"] == 200 and answer["state"] == "succeeded"

        eventually(accepted, f"{job} succeeds", 300)
        late.append(time.monotonic() - due)

    with ThreadPoolExecutor(functions * calls) as pool:
        list(pool.map(until_accepted, range(functions * calls)))
    assert set(answers) <= {200, 202, 503}
    assert answers[503] > 0, "nothing was ever short"
    w.judge(effects=functions)
    shares = quantiles(late, n=100)
    seen(
        ", ".join(f"{n} x {status}" for status, n in sorted(answers.items()))
        + f"; done after p50 {shares[49]:.1f} s, p90 {shares[89]:.1f} s, last {max(late):.1f} s"
    )


@pytest.mark.fault(
    row=27, injected="every connection of the instance is taken", expected="503 within 6 s, then it succeeds"
)
def test_row_27_an_instance_without_a_free_connection_says_so_soon(
    world: MakeWorld, seen: Callable[[str], None]
) -> None:
    w = world(overlap="allow", timeout_s=50)
    w.serve(BELFRY_LEASE="60")  # longer than the run may take: no heartbeat wants a connection
    w.behave(sql=[WAIT_AT_GATE])
    with ThreadPoolExecutor() as pool:
        with w.gate():
            held = [pool.submit(w.post, number) for number in (0, 1)]
            w.at_gate(2)
            refused = w.post(2)
        assert (refused["http_status"], refused["error"]["code"]) == (503, "unavailable")
        assert refused["took"] < 6
        assert [h.result()["status"] for h in held] == ["succeeded", "succeeded"]
    assert w.value("select count(*) from belfry.job_executions where run_at = :t", t=tick(2)) == 0
    w.behave()
    assert w.post(2)["status"] == "succeeded"
    w.judge(effects=3)
    seen(f"503 after {refused['took']:.1f} s")
