"""What does one recorded tick cost, beside a naive record and beside nothing at all?

Three functions in the same kind of process, one process each, eight threads; 1 and 8 callers at a time. Every caller
rings a job of its own, as eight jobs that are due in the same minute do: the runs of one job wait for each other, which
would measure the lock that P2 wants. The naive record and ours write the same one row of effect.

The target is judged on this machine's loopback. Beside it stands the same over a link of 2.7 ms to the database, as
between a function and Cloud SQL: there the round trips decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product

from sqlalchemy import make_url

from tests.bench import load
from tests.bench.instances import Instance
from tests.bench.report import Result, middle, spread
from tests.bench.tap import Tap
from tests.bench.world import World

TARGET = 3.0
VARIANTS = ("recorded_tick", "naive_tick", "bare_tick")
CALLERS = (1, 8)
LINK = 0.0027  # seconds that every answer takes longer


def measure(world: World, *, quick: bool) -> Iterator[Result]:
    rounds, ticks = (3, 400) if quick else (7, 1200)
    jobs = world.add_jobs(max(CALLERS))
    speed: dict[tuple[str, int], list[float]] = {pair: [] for pair in product(VARIANTS, CALLERS)}
    cpu: dict[tuple[str, int], list[float]] = {pair: [] for pair in product(VARIANTS, CALLERS)}
    with ExitStack() as stack:
        instances = {name: stack.enter_context(world.function(name)) for name in VARIANTS}
        for name in VARIANTS:
            _round(world, instances[name], jobs, max(CALLERS), 80)  # warm: connections, caches, Postgres' plans
        before = world.count("select count(*) from public.bench_effects")
        for number in range(rounds):
            order = VARIANTS[number % 3 :] + VARIANTS[: number % 3]
            for callers, name in product(CALLERS, order):
                per_second, cpu_ms = _round(world, instances[name], jobs, callers, ticks // (1 if callers > 1 else 2))
                speed[name, callers].append(per_second)
                cpu[name, callers].append(cpu_ms)
    rung = rounds * (ticks + ticks // 2)
    far = _over_a_link(world, jobs, rounds=3, ticks=160)
    rung += 3 * 160 + 80
    assert world.count("select count(*) from public.bench_effects") - before == rung, "a tick was not recorded"
    ratios = {
        n: [o / x for o, x in zip(speed["recorded_tick", n], speed["naive_tick", n], strict=True)] for n in CALLERS
    }
    shares = {
        n: [o / x for o, x in zip(speed["recorded_tick", n], speed["bare_tick", n], strict=True)] for n in CALLERS
    }

    def side(name: str) -> dict[str, float]:
        return {
            "requests_per_s_8": middle(speed[name, 8], 0),
            "requests_per_s_1": middle(speed[name, 1], 0),
            "cpu_ms_8": middle(cpu[name, 8]),
            "cpu_ms_1": middle(cpu[name, 1]),
        }

    yield Result(
        name="invoke",
        ratio=middle(ratios[8]),
        target=f">= {TARGET:g}x the requests/s of naive, 8 at a time",
        met=middle(ratios[8]) >= TARGET,
        ours={
            **side("recorded_tick"),
            "ratio_1": middle(ratios[1]),
            "ratio_8_spread": spread(ratios[8]),
            "ratio_8_over_2.7_ms": middle(far),
            "share_of_bare_8": middle(shares[8]),
            "share_of_bare_1": middle(shares[1]),
        },
        other={**side("naive_tick"), "bare": side("bare_tick")},
        runs=[{"ratio_8": round(a, 2), "ratio_1": round(b, 2)} for a, b in zip(ratios[8], ratios[1], strict=True)],
    )


def _over_a_link(world: World, jobs: list[str], *, rounds: int, ticks: int) -> list[float]:
    """Ours over naive, 8 at a time, with the database 2.7 ms away."""
    ratios = []
    with Tap(make_url(world.url).port or 5432, delay=LINK) as tap, ExitStack() as stack:
        url = tap.url(world.url)
        ours, naive = (stack.enter_context(world.function(name, url=url)) for name in VARIANTS[:2])
        for instance in (ours, naive):
            _round(world, instance, jobs, max(CALLERS), 80)
        for _ in range(rounds):
            speeds = [_round(world, instance, jobs, max(CALLERS), ticks)[0] for instance in (ours, naive)]
            ratios.append(speeds[0] / speeds[1])
    return ratios


def _round(world: World, instance: Instance, jobs: list[str], callers: int, ticks: int) -> tuple[float, float]:
    """Requests a second, and milliseconds of CPU a request in the function's processes."""
    lanes = [[load.tick_request(job, world.next_tick(job)) for _ in range(ticks // callers)] for job in jobs[:callers]]
    cpu = instance.cpu_ms()
    answers = load.post_all([instance.url], lanes)
    cpu = instance.cpu_ms() - cpu
    took = max(a.answered for a in answers) - min(a.sent for a in answers)
    return len(answers) / took, cpu / len(answers)
