"""How often does a recorded tick wait for the database, beside its own body? Counted on the wire, so it never varies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import make_url

from tests.bench import load
from tests.bench.report import Result
from tests.bench.tap import Tap
from tests.bench.world import World

MOST_STATEMENTS, MOST_ROUND_TRIPS, MOST_OF_A_DUPLICATE = 6, 4, 2
BODY = {"recorded_tick": (1, 1), "naive_tick": (1, 3)}  # its one INSERT: statements, round trips of its driver


@dataclass(frozen=True)
class Waits:
    """Of one request: calls of the driver, and round trips on the wire."""

    statements: int
    round_trips: int


def waits(world: World, function: str) -> tuple[Waits, Waits]:
    """A tick beside its own body, and the same tick again."""
    job = world.add_jobs(1, func=function)[0]
    with Tap(make_url(world.url).port or 5432) as tap, world.function(function, url=tap.url(world.url)) as instance:
        load.post_all([instance.url], [[load.tick_request(job, world.next_tick(job))]])  # connects
        request = load.tick_request(job, world.next_tick(job))
        seen = []
        for _ in range(2):
            tap.reset()
            load.post_all([instance.url], [[request]])
            seen.append(Waits(tap.statements, tap.round_trips))
    tick, again = seen
    statements, round_trips = BODY[function]
    return Waits(tick.statements - statements, tick.round_trips - round_trips), again


def measure(world: World, *, quick: bool) -> Iterator[Result]:
    (tick, duplicate), (naive, _) = waits(world, "recorded_tick"), waits(world, "naive_tick")
    yield Result(
        name="round_trips",
        ratio=round(tick.round_trips / naive.round_trips, 2),
        target=f"<= {MOST_STATEMENTS} statements a tick, <= {MOST_ROUND_TRIPS} on the wire; duplicate <= {MOST_OF_A_DUPLICATE}",
        met=tick.statements <= MOST_STATEMENTS
        and tick.round_trips <= MOST_ROUND_TRIPS
        and max(duplicate.statements, duplicate.round_trips) <= MOST_OF_A_DUPLICATE,
        ours={
            "statements": tick.statements,
            "round_trips": tick.round_trips,
            "duplicate_statements": duplicate.statements,
            "duplicate_round_trips": duplicate.round_trips,
        },
        other={"statements": naive.statements, "round_trips": naive.round_trips},
        runs=[{"round_trips": tick.round_trips}],
    )
