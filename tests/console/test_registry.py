"""Reload and drift over the API: who may, what they answer, and that the same request again is harmless."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from functions.console.api import registry
from shared import config, scheduler_api
from shared.scheduler_api import SchedulerApi
from tests.console.conftest import Program, Readers
from tests.scheduling import running, written

DAILY = 'schedule: "0 9 * * *"'
RELOAD, DRIFT = "/api/v1/jobs/reload", "/api/v1/jobs/drift"


@pytest.fixture
def cron_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The console's own cron.yaml: two jobs."""
    path = written(tmp_path / "cron.yaml", bell=DAILY, gong=DAILY)
    monkeypatch.setattr(registry, "CRON_FILE", path)
    return path


@pytest.fixture
def api(cron_file: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SchedulerApi]:
    with running() as scheduler:
        monkeypatch.setenv("SCHEDULER_ADDRESS", scheduler.address)
        monkeypatch.setenv("BELFRY_URL", "http://127.0.0.1:8080")
        config.config.cache_clear()
        with scheduler_api.connect() as connected:
            yield connected


def test_a_reload_says_its_plan_then_does_it_and_then_there_is_nothing_to_do(
    db: Connection, api: SchedulerApi, managing: Program
) -> None:
    planned = managing.post(RELOAD, {"dry_run": True})
    assert (planned.status_code, planned.json["added"], planned.json["dry_run"]) == (200, ["bell", "gong"], True)
    assert api.all() == {}
    assert managing.get(DRIFT).json["counts"] == {"new": 2}
    done = managing.post(RELOAD, {"reason": "新任务"})
    assert (done.status_code, done.json["reloaded_count"], done.json["dry_run"]) == (200, 2, False)
    assert set(api.all()) == {"bell", "gong"}
    again = managing.post(RELOAD)
    assert (again.json["added"], again.json["updated"], again.json["unchanged"]) == ([], [], ["bell", "gong"])
    assert db.execute(text("select actor, reason from belfry.audit_log")).all() == [("token:manage", "新任务")]
    drifted = managing.get(DRIFT).json
    assert (drifted["counts"], [item["id"] for item in drifted["items"]]) == ({"in_step": 2}, ["bell", "gong"])


def test_an_invalid_entry_is_422_and_nothing_is_changed(
    db: Connection, api: SchedulerApi, managing: Program, cron_file: Path
) -> None:
    managing.post(RELOAD)
    written(cron_file, bell='schedule: "0 8 * * *"', gong='schedule: "0 25 * * *"')
    refused = managing.post(RELOAD)
    assert (refused.status_code, refused.json["error"]["code"]) == (422, "invalid_cron_file")
    assert "gong.schedule" in refused.json["error"]["message"]
    db.execute(text("update belfry.jobs set override_schedule = '55 9 * * *' where job_id = 'gong'"))
    written(cron_file, bell='schedule: "0 8 * * *"', gong=DAILY + "\nwindow: 30m")
    refused = managing.post(RELOAD)
    assert (refused.status_code, refused.json["error"]["code"], refused.json["error"]["field"]) == (
        422, "invalid_reload", "gong",
    )  # fmt: skip
    assert api.all()["bell"].schedule == "0 9 * * *"
    assert db.execute(text("select schedule from belfry.jobs where job_id = 'bell'")).scalar_one() == "0 9 * * *"
    assert managing.post(RELOAD, {"dry_run": True}).json["invalid"][0]["job_id"] == "gong"


def test_a_file_that_the_caller_does_not_mean_is_not_loaded(
    api: SchedulerApi, managing: Program, cron_file: Path
) -> None:
    refused = managing.post(RELOAD, {"cron_sha256": "0" * 64})
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "other_cron_file")
    assert api.all() == {}
    assert managing.post(RELOAD, {"cron_sha256": sha256(cron_file.read_bytes()).hexdigest()}).status_code == 200


def test_targets_and_a_reset_are_an_administrators(api: SchedulerApi, managing: Program, reader: Readers) -> None:
    targets = {"bell": "http://127.0.0.1:7001/", "gong": "http://127.0.0.1:7002/"}
    for body in ({"targets": targets}, {"reset_overrides": True}):
        assert managing.post(RELOAD, body).status_code == 403
    admin = reader("admin")
    headers = {"X-CSRF-Token": admin.csrf}
    for wrong in (
        "https://evil.example/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "https://run.app.evil.example/",
        7,
    ):
        answer = admin.client.post(RELOAD, json={"targets": {**targets, "bell": wrong}}, headers=headers)
        assert (answer.status_code, answer.json["error"]["field"]) == (400, "targets"), wrong
    done = admin.client.post(RELOAD, json={"targets": targets, "reset_overrides": True}, headers=headers)
    assert done.status_code == 200
    assert {ring.uri for ring in api.all().values()} == set(targets.values())


def test_without_cloud_scheduler_the_answer_is_503_and_says_so(
    cron_file: Path, managing: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        for address in ("", f"127.0.0.1:{nobody.getsockname()[1]}"):
            monkeypatch.setenv("SCHEDULER_ADDRESS", address)
            config.config.cache_clear()
            for answer in (managing.post(RELOAD), managing.get(DRIFT)):
                assert (answer.status_code, answer.json["error"]["code"]) == (503, "scheduler_unavailable")
                assert "Retry-After" in answer.headers
