"""The time of a task; the jobs' own tests run the same cases in SQL."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.rules.tasks import ProgressLimits, progress_level, reminder_tier, time_percent
from tests.shared.rules.task_cases import PROGRESS, REMINDERS, TIME

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # nine in Shanghai
SHANGHAI = ZoneInfo("Asia/Shanghai")
LIMITS = ProgressLimits(info=80, warning=90, critical=95)


@pytest.mark.parametrize(("gone", "progress", "level"), PROGRESS)
def test_only_the_worst_level_that_a_task_lags_behind_is_said(gone: int, progress: int, level: str | None) -> None:
    assert progress_level(gone, progress, LIMITS) == level


@pytest.mark.parametrize(("start", "end", "percent"), TIME)
def test_whole_percent_of_the_time_count_from_start_to_end(start: int, end: int, percent: int | None) -> None:
    assert time_percent(NOW + timedelta(minutes=start), NOW + timedelta(minutes=end), NOW) == percent


@pytest.mark.parametrize(("minutes", "hours", "tier"), REMINDERS)
def test_a_deadline_is_said_before_it_again_shortly_before_it_and_every_day_after(
    minutes: int, hours: int, tier: str | None
) -> None:
    said = reminder_tier(NOW + timedelta(minutes=minutes), hours, NOW, SHANGHAI, 8)
    assert said == (tier and tier.format(day="2026-03-02"))


@pytest.mark.parametrize(("deadline", "now", "tier"), [
    ("2026-03-02T18:00+08:00", "2026-03-02T23:00+08:00", "OVER-2026-03-02"),
    ("2026-03-02T18:00+08:00", "2026-03-03T00:00+08:00", None),
    ("2026-03-02T18:00+08:00", "2026-03-03T07:59+08:00", None),
    ("2026-03-02T18:00+08:00", "2026-03-03T08:00+08:00", "OVER-2026-03-03"),
    ("2026-03-03T00:00+08:00", "2026-03-03T00:00+08:00", "OVER-2026-03-03"),
    ("2026-03-02T23:59+08:00", "2026-03-03T00:00+08:00", None),
])  # fmt: skip
def test_an_overdue_task_is_told_at_once_on_its_day_and_in_the_morning_of_the_others(
    deadline: str, now: str, tier: str | None
) -> None:
    said = reminder_tier(datetime.fromisoformat(deadline), 24, datetime.fromisoformat(now), SHANGHAI, 8)
    assert said == tier
