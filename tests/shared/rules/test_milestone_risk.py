"""The level of a milestone at risk; the job's own test runs the same cases in SQL."""

from decimal import Decimal

import pytest

from shared.rules.milestone_risk import done_share, milestone_risk_level
from tests.shared.rules.milestone_risk_cases import CASES, Tasks


@pytest.mark.parametrize(("days", "is_key", "tasks", "hindered", "level"), CASES)
def test_a_milestone_is_at_risk_by_its_work_and_its_days(
    days: int, is_key: bool, tasks: Tasks, hindered: bool, level: str | None
) -> None:
    share = done_share((status, Decimal(weight)) for status, weight in tasks)
    found = milestone_risk_level(
        days, share, is_key=is_key, hindered=hindered, window_days=7, min_done_percent=80, critical_days=3
    )
    assert found == level


def test_a_task_whose_weight_nobody_wrote_weighs_one() -> None:
    assert done_share([("DONE", None), ("TODO", Decimal(3))]) == 25
