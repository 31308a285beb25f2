"""The ladder of job 31, as the pure rule decides it: the same cases as its SQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from shared.rules.escalation import Ladder, Situation, WorkingHours, next_level
from tests.shared.escalation_cases import CASES, ZONE, Case, is_workday, moment

HOURS = WorkingHours(time(8), time(20), ZONE, is_workday)


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_an_alert_climbs_when_its_time_is_over(case: Case) -> None:
    alert = Situation(
        level=case.level,
        status=case.status,
        level_changed_at=moment(case.since),
        acknowledged_at=case.columns()["acknowledged_at"],
        handle_start_at=case.columns()["handle_start_at"],
        escalated_at=case.columns()["escalated_at"],
        repeats_today=case.repeats_today,
    )
    assert next_level(alert, moment(case.now), replace(Ladder(), **case.params), HOURS) == case.steps_to
