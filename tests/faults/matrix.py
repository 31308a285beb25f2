"""Which test proves which row of the fault matrix? The rows of the execution side, and what other files prove."""

from __future__ import annotations

from typing import NamedTuple

ROWS = (1, 3, *range(5, 29), *range(47, 53), *range(56, 61))


class Elsewhere(NamedTuple):
    """A row, or a part of it, that a test outside these files proves."""

    row: int
    test: str
    injected: str
    expected: str


SWEEP = "functions/platform/test_sweep_runs.py::"
ELSEWHERE = (
    Elsewhere(
        7,
        "shared/test_jobs.py::test_a_repeated_trigger_some_seconds_later_is_the_same_tick",
        "the tick again with ScheduleTime +37 s",
        "duplicate",
    ),
    Elsewhere(
        8, "shared/test_jobs.py::test_a_time_off_the_grid_is_a_manual_run", "a forced run off the grid", "kind manual"
    ),
    Elsewhere(
        47,
        SWEEP + "test_a_tick_that_never_came_is_missed_or_promised_as_the_policy_says",
        "ticks that never came",
        "missed or caught up as the policy says",
    ),
    Elsewhere(
        47, SWEEP + "test_a_tick_within_its_grace_is_not_missed_yet", "a tick that is late", "missed at due + grace"
    ),
    Elsewhere(
        49,
        SWEEP + "test_a_changed_schedule_is_not_retroactive",
        "a schedule edited between ticks",
        "old ticks by the old cron",
    ),
    Elsewhere(
        49,
        "shared/operator/test_reload.py::test_a_changed_schedule_begins_now_and_is_not_retroactive",
        "cron.yaml edited and reloaded",
        "a new revision from now on",
    ),
    Elsewhere(
        50,
        "shared/test_schedule.py::test_the_grid_when_new_york_changes_its_clocks",
        "02:30 and 01:30 where clocks change",
        "the contract's table",
    ),
    Elsewhere(
        50,
        "shared/test_schedule.py::test_the_grid_in_shanghai",
        "Shanghai, 1986-1991 and today",
        "the contract's table",
    ),
    Elsewhere(
        52,
        "shared/test_alerts.py::test_quiet_hours_delay_in_the_user_s_own_zone",
        "quiet hours over midnight, equal ends, other zones",
        "deferred, never dropped",
    ),
    Elsewhere(
        52,
        "functions/notify/test_notify_email.py::test_urgent_news_pass_through_quiet_hours_and_critical_only_for_who_asked",
        "quiet hours changed while deferred",
        "read again at the claim",
    ),
)
