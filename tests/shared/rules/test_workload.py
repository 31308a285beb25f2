"""The load of somebody; the job's own test runs the same cases in SQL."""

from decimal import Decimal

import pytest

from shared.rules import workload
from tests.shared.rules.workload_cases import CASES, SHARED, Allocation, Task

LADDER = workload.overload_ladder(110, 150, 200)


@pytest.mark.parametrize(("tasks", "allocations", "level"), CASES)
def test_a_load_is_told_by_its_share_of_the_standard_hours(
    tasks: list[Task], allocations: list[Allocation], level: str | None
) -> None:
    hours = sum((workload.task_hours(22, progress) for progress in tasks), Decimal(0)) + sum(
        (workload.allocation_hours(22, 22, (planned and Decimal(planned)) or (Decimal(0) if planned else None), Decimal(percent))
         for planned, percent in allocations), Decimal(0))  # fmt: skip
    assert LADDER.answer(workload.load_percent(hours, Decimal(176))) == level


def test_an_allocation_counts_by_the_workdays_that_it_shares() -> None:
    for _, _, shared, whole, planned, percent, hours in SHARED:
        given = None if planned is None else Decimal(planned)
        assert workload.allocation_hours(shared, whole, given, Decimal(percent)) == Decimal(hours)


def test_nobody_without_working_hours_is_judged() -> None:
    assert workload.load_percent(Decimal(80), Decimal(0)) is None
    assert workload.load_percent(Decimal(80), Decimal(-8)) is None
