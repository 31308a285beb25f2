"""How long does a function that scales to zero take to its first committed tick, and how much CPU?

From the start of the process to the first 200, beside a function that does nothing: both real functions-framework
processes with warm bytecode. Again with a sixth of a CPU, which is what Cloud Run gives to a 256 MB function.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench import load
from tests.bench.instances import Instance, launched
from tests.bench.report import Result, middle, spread
from tests.bench.world import FUNCTIONS, ROOT, World
from tests.processes import PATIENCE

TARGET = 1.9
SHARE = 0.167  # of a CPU
OURS, BARE = "recorded_tick", "bare_tick"


@dataclass(frozen=True)
class Start:
    """Milliseconds from exec to the answer, and on-CPU milliseconds of the process group until then."""

    took: float
    cpu: float


def measure(world: World, *, quick: bool) -> Iterator[Result]:
    rounds, slow_rounds = (5, 3) if quick else (15, 5)
    job = world.add_jobs(1)[0]
    before = world.count("select count(*) from public.bench_effects")
    for name in (OURS, BARE):
        _start(world, name, job, None)  # the page cache, and bytecode that a package was installed without
    full: dict[str, list[Start]] = defaultdict(list)
    slow: dict[str, list[Start]] = defaultdict(list)
    for number in range(rounds):
        for name in (OURS, BARE) if number % 2 else (BARE, OURS):
            full[name].append(_start(world, name, job, None))
            if number < slow_rounds:
                slow[name].append(_start(world, name, job, SHARE))
    committed = world.count("select count(*) from public.bench_effects") - before
    assert committed == rounds + slow_rounds + 1, "a start's tick was not committed"
    ratios = [ours.took / bare.took for ours, bare in zip(full[OURS], full[BARE], strict=True)]
    cpu = [ours.cpu / bare.cpu for ours, bare in zip(full[OURS], full[BARE], strict=True)]
    slowly = [ours.took / bare.took for ours, bare in zip(slow[OURS], slow[BARE], strict=True)]

    def side(name: str) -> dict[str, float]:
        return {
            "ms": middle([s.took for s in full[name]], 0),
            "cpu_ms": middle([s.cpu for s in full[name]], 0),
            "ms_at_.167_cpu": middle([s.took for s in slow[name]], 0),
        }

    yield Result(
        name="cold_start",
        ratio=middle(ratios),
        target=f"<= {TARGET:g}x the start of a bare function",
        met=middle(ratios) <= TARGET,
        ours={
            **side(OURS),
            "ratio_spread": spread(ratios),
            "cpu_ratio": middle(cpu),
            "ratio_at_.167_cpu": middle(slowly),
            "ratio_at_.167_cpu_spread": spread(slowly),
        },
        other=side(BARE),
        runs=[round(ratio, 2) for ratio in ratios],
    )


def _start(world: World, name: str, job: str, share: float | None) -> Start:
    request = load.tick_request(job, world.next_tick(job))
    source = FUNCTIONS / f"{name}.py"
    with launched(name, source, ROOT, world.environment(threads=1), share=share) as instance:
        answered = _first_answer(instance, request)
        return Start((answered - instance.launched) * 1000, instance.cpu_ms())


def _first_answer(instance: Instance, request: bytes) -> float:
    caller = load.Caller(instance.url)
    while True:
        try:
            answer = caller.post(request)
        except ConnectionRefusedError:
            if time.monotonic() > instance.launched + PATIENCE or instance.process.poll() is not None:
                raise
            time.sleep(0.001)
            continue
        caller.close()
        if answer.status != 200:
            raise AssertionError(f"{answer.status}: {answer.body[:300]!r}")
        return answer.answered
