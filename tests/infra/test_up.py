"""Does the whole local cloud come up with one command, ring, end without a trace, and remember?"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local.home import Home
from infra.local.postgres import connection
from tests.infra.processes import Process, alive

ROOT = Path(__file__).parents[2]
START, STOP = 120.0, 10.0
ENVIRONMENT = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}


@dataclass
class Up:
    """`python -m infra up`, as another process sees it."""

    process: subprocess.Popen[str]
    home: Path
    url: str

    @property
    def environment(self) -> dict[str, str]:
        return Home(self.home).environment()

    def ask(self, sql: str) -> list[Any]:
        with connection(self.environment["DATABASE_URL"]) as database:
            return list(database.run(sql))

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def until(self, sql: str, within: float = 90.0) -> None:
        """Wait for the query to say true."""
        deadline = time.monotonic() + within
        while self.ask(sql) != [[True]]:
            assert time.monotonic() < deadline, f"not within {within:.0f} s: {sql}"
            time.sleep(0.2)

    def family(self) -> list[Process]:
        """The process and all that came from it, by way of parents and process groups."""
        everyone = alive()
        family = {process.pid: process for process in everyone if process.pid == self.process.pid}
        while True:
            groups = {process.group for process in family.values() if process.pid == process.group}
            born = {p.pid: p for p in everyone if p.parent in family or p.group in groups} | family
            if born.keys() == family.keys():
                return list(family.values())
            family = born

    def end(self, number: int = signal.SIGTERM) -> float:
        """Seconds until the process was gone."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.communicate(timeout=STOP)
        return time.monotonic() - began


@contextmanager
def up(home: Path, *arguments: str, **environment: str) -> Iterator[Up]:
    command = [sys.executable, "-m", "infra", "up", "--home", str(home), "--port", "0", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT | environment
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line)
            if ready := re.fullmatch(r"ready (http://127\.0\.0\.1:\d+)\n", line):
                yield Up(process, home, ready[1])
                break
        else:
            pytest.fail("up ended before it was ready:\n" + "".join(said))
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()
        process.stdout.close()
        process.wait()


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=ENVIRONMENT | environment,
        check=False,
    )


def gone(family: list[Process]) -> bool:
    pids = {process.pid for process in family}
    groups = {process.group for process in family if process.pid == process.group}
    return not any(process.pid in pids or process.group in groups for process in alive())


def test_one_command_rings_real_bells_ends_without_a_trace_and_remembers(tmp_path: Path) -> None:
    home = tmp_path / "home"
    # Before what history plays, after what is pruned.
    at = (datetime.now(UTC) - timedelta(days=3)).strftime("%Y-%m-%dT09:00+08:00")
    tick = ("tick", "check_overdue_issues", "--home", str(home), "--at", at)
    with up(home) as cloud:
        assert cloud.get("/healthz")[0] == 200
        assert cloud.environment["BELFRY_URL"] == cloud.url

        rehearsed = command(*tick, "--dry-run", "--json")
        assert (rehearsed.returncode, rehearsed.stderr) == (0, "")
        assert cloud.ask(f"select count(*) from belfry.job_executions where run_at = '{at}'") == [[0]]

        first = command(*tick)
        assert first.returncode == 0, first.stderr
        answer = json.loads(first.stdout.splitlines()[-1])
        assert (answer["job"], answer["status"]) == ("check_overdue_issues", "succeeded")

        healthy = command("doctor", "--home", str(home), "--json")
        assert (healthy.returncode, json.loads(healthy.stdout)["ok"]) == (0, True), healthy.stdout + healthy.stderr

        token = cloud.environment["BELFRY_VIEW_TOKEN"]
        for where in (("--live", "--home", str(home)), ("--console", cloud.url)):
            planned = command("check", "--json", *where, GOOGLE_ID_TOKEN=token)
            assert list(json.loads(planned.stdout)["live"]["counts"]) == ["unchanged"], planned.stdout + planned.stderr

        rows = f"select md5(string_agg(e::text, '' order by id)) from belfry.job_executions e where run_at = '{at}'"
        before = cloud.ask(rows)
        again = json.loads(command(*tick, "--json").stdout)
        assert (again["status"], again["execution_id"]) == ("duplicate", answer["execution_id"])
        assert cloud.ask(rows) == before

        wrong = command("tick", "check_overdue_issues", "--home", str(home), "--at", "2999-01-01T00:00Z")
        assert (wrong.returncode, "run_at" in wrong.stderr or "ScheduleTime" in wrong.stderr) == (2, True)
        unknown = command("tick", "no_such_job", "--home", str(home), "--at", "2026-03-02T09:00+08:00")
        assert (unknown.returncode, "no_such_job" in unknown.stderr) == (2, True)

        second = command("up", "--home", str(home), "--port", "0")
        assert (second.returncode, f"process {cloud.process.pid}" in second.stderr) == (2, True)

        cloud.until(
            "select (value->>'finished')::boolean from belfry.biz_config where key = 'local.history'", within=400
        )
        assert cloud.ask("select value->>'failed' from belfry.biz_config where key = 'local.history'") == [["0"]]
        assert cloud.ask("select count(distinct job_id) from belfry.jobs where status = 'active'") == cloud.ask(
            "select count(distinct job_id) from belfry.job_executions"
        )
        cloud.until(
            "select count(*) > 0 from belfry.notification_deliveries where channel = 'email' and state = 'sent'"
        )
        assert json.loads(cloud.get("/sinks/email")[1])["count"] > 0
        # The wall clock rings by itself: the sweepers are due every minute.
        cloud.until(
            "select count(*) > 0 from belfry.job_executions e join belfry.jobs j using (job_id)"
            " where e.job_id = 'sweep_runs' and e.run_at > j.created_at and e.state = 'succeeded'"
        )

        kept = cloud.ask("select count(*) from belfry.alert_records")
        family = cloud.family()
        assert len(family) > 8
        assert cloud.end() < STOP
        assert cloud.process.returncode == 0
        assert gone(family)

    lost = command(*tick)
    assert (lost.returncode, "make run" in lost.stderr) == (4, True)

    with up(home) as cloud:
        assert cloud.ask("select count(*) from belfry.alert_records") == kept
        repeated = json.loads(command(*tick, "--json").stdout)
        assert (repeated["status"], repeated["execution_id"]) == ("duplicate", answer["execution_id"])
        family = cloud.family()
        assert cloud.end(signal.SIGINT) < STOP
        assert gone(family)


def test_a_kill_leaves_nothing_behind_either(tmp_path: Path) -> None:
    with up(tmp_path / "home", "--no-history") as cloud:
        family = cloud.family()
        cloud.process.kill()
        cloud.process.wait()
        deadline = time.monotonic() + STOP
        while not gone(family):
            assert time.monotonic() < deadline, [process for process in alive() if process in family]
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "--port", "70000"], "--port"),
        (["up", "--processes", "0"], "--processes"),
        (["tick", "check_overdue_issues", "--at", "yesterday"], "--at"),
        (["tick", "check_overdue_issues", "--at", "2026-03-02T09:00"], "--at"),
        (["tick", "../console", "--at", "2026-03-02T09:00Z"], "JOB"),
        (["day", "--date", "2026-02-30"], "--date"),
        (["ring"], "ring"),
    ],
)
def test_bad_input_is_named_and_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    home = ["--home", str(tmp_path)] if arguments[0] != "ring" else []
    ended = command(*arguments, *home)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
