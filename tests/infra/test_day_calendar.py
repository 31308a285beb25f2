"""Does a played day ring as New York's clocks and the Chinese calendar say? The tables are written by hand."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
NIGHT, SMALL_HOURS, HOURLY, OFFICE = (
    "check_overdue_issues",
    "check_delivery_delay",
    "check_blocking_issues",
    "check_milestone_alerts",
)
NEW_YORK = {
    NIGHT: {"schedule": "30 2 * * *", "time_zone": "America/New_York"},
    SMALL_HOURS: {"schedule": "30 1 * * *", "time_zone": "America/New_York"},
    HOURLY: {"schedule": "0 * * * *", "time_zone": "America/New_York"},
    OFFICE: {"schedule": "0 9 * * *", "time_zone": "Asia/Shanghai", "calendar": "cn_workdays"},
}


@pytest.fixture
def play(tmp_path: Path) -> Any:
    """Play days of a few of the repository's jobs on other schedules; (job, local time, end) of each tick."""

    def run(schedules: dict[str, dict[str, str]], date: str, days: int = 1) -> tuple[list[tuple[str, str, str]], str]:
        file = yaml.safe_load((ROOT / "cron.yaml").read_text("utf-8"))
        kept = {"sweep_runs", "sweep_deliveries", *schedules}
        file["jobs"] = {
            name: {**job, "sla": {}, **schedules.get(name, {})} for name, job in file["jobs"].items() if name in kept
        }
        cron = tmp_path / "cron.yaml"
        cron.write_text(json.dumps(file), "utf-8")  # JSON is YAML whose strings are quoted
        played = subprocess.run(
            [sys.executable, "-m", "infra", "day", "--date", date, "--days", str(days), "--cron", str(cron), "--firings"],
            cwd=ROOT, capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        )  # fmt: skip
        assert played.returncode == 0, played.stderr[-3000:]
        report = json.loads(played.stdout.splitlines()[-1])
        assert (report["refused"], report["broken_invariants"]) == (0, {})
        return [(f["job"], f["at"], f["ended"]) for f in report["firings"]], played.stdout

    return run


def test_in_spring_half_past_two_rings_at_three_and_the_hour_that_is_not_there_stays_silent(play: Any) -> None:
    fired, printed = play(NEW_YORK, "2026-03-08")
    assert [row for row in fired if row[0] != HOURLY] == [
        (OFFICE, "2026-03-08 09:00+08:00", "skipped/calendar"),  # a Sunday
        (SMALL_HOURS, "2026-03-08 01:30-05:00", "succeeded"),
        (NIGHT, "2026-03-08 03:00-04:00", "succeeded"),
    ]
    hours = [at for job, at, _ in fired if job == HOURLY]
    assert hours == [
        *(f"2026-03-07 {hour:02}:00-05:00" for hour in range(11, 24)),
        "2026-03-08 00:00-05:00", "2026-03-08 01:00-05:00",
        *(f"2026-03-08 {hour:02}:00-04:00" for hour in range(3, 12)),
    ]  # fmt: skip
    assert len(hours) == 24
    assert f"2026-03-08 03:00-04:00  {NIGHT:<28} succeeded" in printed.splitlines()


def test_in_autumn_half_past_one_rings_the_first_time_only_and_the_hour_that_comes_twice_rings_twice(play: Any) -> None:
    fired, _ = play(NEW_YORK, "2026-11-01")
    assert [row for row in fired if row[0] != HOURLY] == [
        (OFFICE, "2026-11-01 09:00+08:00", "skipped/calendar"),
        (SMALL_HOURS, "2026-11-01 01:30-04:00", "succeeded"),
        (NIGHT, "2026-11-01 02:30-05:00", "succeeded"),
    ]
    hours = [at for job, at, _ in fired if job == HOURLY]
    assert hours == [
        *(f"2026-10-31 {hour:02}:00-04:00" for hour in range(12, 24)),
        "2026-11-01 00:00-04:00", "2026-11-01 01:00-04:00", "2026-11-01 01:00-05:00",
        *(f"2026-11-01 {hour:02}:00-05:00" for hour in range(2, 11)),
    ]  # fmt: skip
    assert len(hours) == 24


def test_over_spring_festival_only_the_published_workdays_are_worked(play: Any) -> None:
    fired, _ = play({OFFICE: NEW_YORK[OFFICE]}, "2026-02-13", 12)
    worked = {13, 14, 24}  # 14 is a make-up Saturday
    assert fired == [
        (OFFICE, f"2026-02-{day} 09:00+08:00", "succeeded" if day in worked else "skipped/calendar")
        for day in range(13, 25)
    ]
