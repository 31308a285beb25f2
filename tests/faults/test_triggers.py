"""Does a tick have one effect, however often, late, doubled or overlapping its trigger arrives? (P1, P3)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.faults.conftest import MakeWorld
from tests.faults.world import WAIT_AT_GATE, tick


@pytest.mark.fault(
    row=5, injected="one trigger 32 times at once, two instances", expected="1 run, 31 x (200 duplicate or 202)"
)
def test_row_05_one_tick_triggered_32_times_at_once_has_one_effect(
    world: MakeWorld, seen: Callable[[str], None]
) -> None:
    w = world()
    w.serve(count=2)
    w.behave(sql=["select pg_sleep(0.05)"])
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda n: w.post(instance=n % 2), range(32)))
    statuses = Counter((a["http_status"], a["status"]) for a in answers)
    assert statuses.pop((200, "succeeded")) == 1
    assert set(statuses) <= {(200, "duplicate"), (202, "in_progress")}
    assert len({a["execution_id"] for a in answers}) == 1
    w.judge(effects=1)
    seen(", ".join(f"{n} {status}" for (_, status), n in sorted(statuses.items())))


@pytest.mark.fault(
    row=6, injected="the trigger again after success, failed, lost", expected="duplicate with the first result"
)
def test_row_06_a_tick_that_is_over_is_only_told_again(world: MakeWorld) -> None:
    w = world(max_attempts=1)
    w.serve()
    first = w.post(0)
    w.behave(**{"raise": "no luck"})
    assert w.post(1)["status"] == "failed"
    w.behave()
    w.run(
        """insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, attempt, fence, lease_until)
           values ('effect', :t, '2026-03-02', 'scheduled', 'running', 'skip', 1, 1, clock_timestamp() - interval '1 s')""",
        t=tick(2),
    )
    w.run("select belfry.reap()")
    before = w.rows("select xmin::text, * from belfry.job_executions order by run_at")
    for number, state in enumerate(("succeeded", "failed", "lost")):
        again = w.post(number)
        assert (again["http_status"], again["status"], again["state"]) == (200, "duplicate", state)
    assert w.post(0)["execution_id"] == first["execution_id"]
    assert w.rows("select xmin::text, * from belfry.job_executions order by run_at") == before
    w.judge(effects=1)


@pytest.mark.fault(
    row=6, injected="the trigger again while a retry waits, and when it is due", expected="no attempt before its time"
)
def test_row_06_a_retry_is_not_hurried_by_a_repeated_trigger(world: MakeWorld) -> None:
    w = world(backoff_s=[3600])
    w.serve()
    w.behave(**{"raise": "no luck"})
    assert w.post()["status"] == "retry_wait"
    w.behave()
    assert (w.post()["status"], w.effects()) == ("pending", [])
    w.run("update belfry.job_executions set retry_at = clock_timestamp()")
    assert w.post()["status"] == "succeeded"
    assert w.effects() == [(tick(0), 2)]
    w.judge(effects=1)


@pytest.mark.fault(
    row=9, injected="tick n+1 and n+2 while n runs", expected="skip: recorded; buffer_one: one waits; allow: all run"
)
@pytest.mark.parametrize(
    ("overlap", "answers", "waiting"),
    [
        ("skip", ["skipped", "skipped"], 0),
        ("buffer_one", ["pending", "skipped"], 1),
        ("allow", ["succeeded", "succeeded"], 0),
    ],
)
def test_row_09_the_next_tick_meets_a_running_one(
    world: MakeWorld, overlap: str, answers: list[str], waiting: int
) -> None:
    w = world(overlap=overlap)
    w.serve(count=2)
    w.behave(sql=[WAIT_AT_GATE])
    with ThreadPoolExecutor() as pool:
        with w.gate():
            first = pool.submit(w.post, 0)
            w.at_gate()
            w.behave()
            assert [w.post(n, instance=1)["status"] for n in (1, 2)] == answers
            buffered = "select count(*) from belfry.job_executions where state = 'pending' and reason = 'overlap'"
            assert w.value(buffered) == waiting
        assert first.result()["status"] == "succeeded"
    if waiting:
        assert w.post(1)["status"] == "succeeded"
    skipped = "select count(*) from belfry.job_executions where state = 'skipped' and reason = 'overlap'"
    assert w.value(skipped) == answers.count("skipped")
    w.judge(effects=1 + waiting + answers.count("succeeded"))


@pytest.mark.fault(
    row=11, injected="the caller gives up, the function goes on", expected="one effect; retry 202, then 200"
)
def test_row_11_a_caller_that_gave_up_finds_the_run_in_progress_then_done(world: MakeWorld) -> None:
    w = world()
    w.serve()
    w.behave(sql=[WAIT_AT_GATE])
    with w.gate():
        with pytest.raises(requests.ReadTimeout):
            w.post(timeout=0.3)
        w.at_gate()
        retry = w.post()
        assert (retry["http_status"], retry["status"]) == (202, "in_progress")
    assert w.until_over() == "succeeded"
    again = w.post()
    assert (again["http_status"], again["status"]) == (200, "duplicate")
    assert w.effects() == [(tick(0), 1)]
    w.judge(effects=1)
