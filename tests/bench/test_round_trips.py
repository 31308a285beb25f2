"""The gate of continuous integration: a tick may not wait for the database more often than it does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench import round_trips
from tests.bench.world import World


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    found = World(database_url)
    yield found
    found.engine.dispose()


def test_a_tick_beside_its_own_body_is_six_statements_at_most_and_four_round_trips(world: World) -> None:
    tick, _ = round_trips.waits(world, "recorded_tick")
    assert tick.statements <= round_trips.MOST_STATEMENTS
    assert tick.round_trips <= round_trips.MOST_ROUND_TRIPS


def test_a_duplicate_is_two_statements_and_two_round_trips_at_most(world: World) -> None:
    _, duplicate = round_trips.waits(world, "recorded_tick")
    assert duplicate.statements <= round_trips.MOST_OF_A_DUPLICATE
    assert duplicate.round_trips <= round_trips.MOST_OF_A_DUPLICATE
    assert world.count("select count(*) from public.bench_effects") == 2


def test_the_counter_counts_the_naive_record_as_was_measured_once(world: World) -> None:
    """Fourteen round trips (facts 10): were it less, the counter would not see all."""
    naive, _ = round_trips.waits(world, "naive_tick")
    assert naive.round_trips == 14
