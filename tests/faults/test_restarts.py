"""What remains when Postgres dies and comes back again and again under a stream of ticks? (P1-P4, P13)"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from infra.local.postgres import Postgres
from tests.faults.conftest import MakeWorld
from tests.faults.order import FULL
from tests.faults.world import OVER
from tests.processes import eventually

TICKS, RESTARTS = (2000, 60) if FULL else (300, 8)


@pytest.mark.fault(
    row=20,
    injected="Postgres killed again and again under a stream of ticks",
    expected="one effect a tick, nothing acknowledged is lost",
)
def test_row_20_every_tick_has_one_effect_however_often_the_server_dies(
    fragile: MakeWorld, cluster: Postgres, seen: Callable[[str], None]
) -> None:
    w = fragile(overlap="allow", max_attempts=10)
    w.serve(count=2, DB_SOCKET_TIMEOUT="1", DB_POOL_SIZE="4")
    w.engine.dispose()
    chance = random.Random(20)
    answers: Counter[int] = Counter()
    acknowledged: set[int] = set()
    done = threading.Semaphore(0)

    def until_over(number: int) -> None:
        def over() -> bool:
            try:
                answer = w.post(number, instance=number % 2, timeout=20)
            except requests.RequestException:
                answers[0] += 1
                return False
            answers[answer["http_status"]] += 1
            return answer["http_status"] == 200 and answer["state"] in OVER

        eventually(over, f"tick {number} is over", 300)
        acknowledged.add(number)
        done.release()

    with ThreadPoolExecutor(4) as pool:
        ticks = [pool.submit(until_over, number) for number in range(TICKS)]
        for _ in range(RESTARTS):
            for _ in range(chance.randint(1, 2 * TICKS // RESTARTS - 1)):  # let some ticks through, then strike
                if not done.acquire(timeout=60):
                    break
                if len(acknowledged) == TICKS:
                    break
            cluster.stop("immediate")
            cluster.start()
        for each in ticks:
            each.result()
    assert len(acknowledged) == TICKS
    assert set(answers) <= {200, 202, 503}
    states = {r.state: r.n for r in w.rows("select state, count(*) as n from belfry.job_executions group by 1")}
    assert states == {"succeeded": TICKS}
    w.judge(effects=TICKS)
    retried = w.value("select count(*) from belfry.job_executions where attempt > 1")
    seen(f"{RESTARTS} restarts, {TICKS} ticks, {answers[503]} x 503, {retried} taken up again")
