"""The plan against what is live: a real database and Cloud Scheduler, at home and behind a console."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from werkzeug.serving import make_server

from functions.console.api import registry
from functions.console.app import make_app
from infra.__main__ import main
from infra.local.home import Home
from shared import config, scheduler_api
from shared.cronfile.loading import load
from shared.operator import reload
from tests.infra.check.world import FILE, edited, without
from tests.processes import free_port
from tests.scheduling import Scheduler, running

TOKEN = "a-token-to-look-with-and-nothing-else"


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    with running() as made:
        monkeypatch.setenv("SCHEDULER_ADDRESS", made.address)
        monkeypatch.setenv("BELFRY_URL", "http://127.0.0.1:8080")
        yield made


@pytest.fixture
def home(tmp_path: Path, database_url: str, scheduler: Scheduler) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    settings = {
        "DATABASE_URL": database_url,
        "SCHEDULER_ADDRESS": scheduler.address,
        "BELFRY_URL": "http://127.0.0.1:8080",
    }
    Home(folder).write_environment(settings)
    return folder


@pytest.fixture
def deployed(db: Connection, scheduler: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cron.yaml that is live: registered, one schedule overridden, one job paused, one made by hand."""
    path = tmp_path / "deployed.yaml"
    path.write_text(FILE, "utf-8")
    config.config.cache_clear()
    with scheduler_api.connect() as live:
        reload.apply(db, load(path), live)
        db.execute(
            text("""update belfry.jobs set override_schedule = '30 9 * * *', override_by = 'li', override_reason = 'stocktaking'
                    where job_id = 'check_cost'""")
        )
        db.execute(text("update belfry.jobs set paused = true, paused_by = 'wang' where job_id = 'sync'"))
        db.execute(text("insert into belfry.jobs (job_id, func, name, description, category, owner, schedule, origin) "
                        "values ('by_hand', 'sync', '{}', '{}', 'integration', 'li', '0 5 * * *', 'custom')"))  # fmt: skip
        reload.apply(db, load(path), live)
    monkeypatch.setattr(registry, "CRON_FILE", path)
    return path


@pytest.fixture
def console(deployed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("BELFRY_VIEW_TOKEN", TOKEN)
    monkeypatch.setenv("GOOGLE_ID_TOKEN", TOKEN)
    config.config.cache_clear()
    server = make_server("127.0.0.1", 0, make_app(), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def told(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[str, list[str], dict[str, Any]]:
    """Title, lines and facts of what is live, of a cron.yaml with this content."""
    path = tmp_path / "cron.yaml"
    path.write_text(content, "utf-8")
    assert main(["check", str(path), "--without-sources", *arguments]) == 0
    *report, last = capsys.readouterr().out.splitlines()
    start = next(number for number, line in enumerate(report) if line.startswith("a reload of "))
    return report[start], [line[2:] for line in report[start + 1 :] if line], json.loads(last)["live"]


def test_at_home_every_difference_is_told_and_what_hands_changed(
    home: Path, deployed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = edited(('"0 10 * * *"', '"0 11 * * *"'), ("timeout: 120", "timeout: 60"), ('"0 6 * * *"', '"0 5 * * *"'))
    title, lines, facts = told(tmp_path, content, capsys, "--live", "--home", str(home))
    assert title == f"a reload of the local cloud of {home}: 2 updated, 4 unchanged"
    assert lines == [
        "~ check_cost",
        "  schedule: 0 10 * * * -> 0 11 * * *",
        "  timeout_s: 120 -> 60",
        "  Cloud Scheduler's deadline: 180 -> 120",
        'check_cost stays overridden: schedule 30 9 * * *, by li (stocktaking)',
        "~ check_kit",
        "  schedule: 0 6 * * * -> 0 5 * * *",
        "  Cloud Scheduler's schedule: 0 6 * * * -> 0 5 * * *",
        "sync stays paused, by wang",
    ]  # fmt: skip
    assert facts["counts"] == {"updated": 2, "unchanged": 4}


def test_at_home_new_and_removed_and_invalid_jobs_are_told(
    home: Path, deployed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = without("sync").replace("  check_shortage:", "  check_lack:")
    title, lines, _ = told(tmp_path, content, capsys, "--live", "--home", str(home))
    assert title.endswith(": 4 unchanged, 1 added, 2 removed")
    assert [line for line in lines if "stays" not in line] == ["+ check_lack", "- check_shortage", "- sync"]
    clash = FILE.replace("  sum_up:", "  by_hand:")
    lines = told(tmp_path, clash, capsys, "--live", "--home", str(home))[1]
    assert "invalid by_hand: a custom job has this id; rename one of them; nothing would be changed" in lines


def test_a_console_is_asked_for_what_its_table_holds(
    console: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = without("sync").replace('"0 10 * * *"', '"0 11 * * *"').replace("warning: 80", "warning: 85")
    content = content.replace("  check_shortage:", "  check_lack:")
    title, lines, _ = told(tmp_path, content, capsys, "--console", console)
    assert title == f"a reload of {console}: 1 updated, 2 unchanged, 1 added, 2 removed"
    assert lines == [
        "~ check_cost",
        "  schedule: 0 10 * * * -> 0 11 * * *",
        "  params.levels.warning: 80 -> 85",
        "check_cost stays overridden: schedule 30 9 * * *, by li (stocktaking)",
        "+ check_lack",
        "- check_shortage",
        "- sync",
        "sync stays paused, by wang",
    ]  # fmt: skip
    assert told(tmp_path, FILE, capsys, "--console", console)[0].endswith(": 5 unchanged")


def test_what_does_not_answer_is_exit_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cron.yaml"
    path.write_text(FILE, "utf-8")
    monkeypatch.setenv("GOOGLE_ID_TOKEN", TOKEN)
    for arguments in (("--live", "--home", str(tmp_path)), ("--console", f"http://127.0.0.1:{free_port()}")):
        assert main(["check", str(path), "--without-sources", *arguments]) == 4
    assert "no local cloud was ever started there" in capsys.readouterr().err
