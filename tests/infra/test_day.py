"""Does a past day ring as a whole, on its own clock, and leave nothing but its report?"""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.infra.processes import alive

ROOT = Path(__file__).parents[2]


def test_a_past_day_is_played_by_every_job_and_tells_people_at_its_own_time(tmp_path: Path) -> None:
    played = subprocess.run(
        [sys.executable, "-m", "infra", "day", "--date", "2026-03-02"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert played.returncode == 0, played.stderr[-3000:]
    *table, last = played.stdout.splitlines()
    report = json.loads(last)
    assert (report["date"], report["refused"], report["broken_invariants"]) == ("2026-03-02", 0, {}), played.stderr

    jobs = {job["job"]: job for job in report["jobs"]}
    declared = yaml.safe_load((ROOT / "cron.yaml").read_text("utf-8"))["jobs"]
    assert jobs.keys() == {name for name, entry in declared.items() if entry.get("enabled", True)}
    assert all(any(line.startswith(name) for line in table) for name in jobs)
    states = {state for job in jobs.values() for state in job["states"]}
    assert states <= {"succeeded", "partial"}
    assert jobs["check_overdue_issues"]["ticks"] == 24
    assert jobs["daily_kit_check"]["ticks"] == 1
    assert jobs["check_overdue_issues"]["counters"]["created"] > 0

    assert {told["channel"] for told in report["told"]} == {"system", "email"}
    assert any(told["subject"] in line and told["user"] in line for told in report["told"][:1] for line in table)
    # Nothing expires or waits: the channels lived on the day's clock, not on today's.
    assert not {state.split("/")[0] for state in report["not_told"]} - {"suppressed", "deferred"}

    assert list(tmp_path.iterdir()) == []
    assert [process for process in alive() if str(tmp_path) in process.command] == []
