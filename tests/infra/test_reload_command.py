"""`python -m infra reload`: on a local cloud, and through a console that IAP guards; each refusal has its exit code."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from werkzeug.serving import make_server

from functions.console import iap
from functions.console.api import registry
from functions.console.app import make_app
from infra.__main__ import main
from infra.commands import reload as command
from infra.local.home import Home
from shared import config, scheduler_api
from shared.scheduler_api import Ring, SchedulerApi
from tests.console.test_iap import AUDIENCE, Proxy
from tests.processes import free_port
from tests.scheduling import Scheduler, running, written

DAILY = 'schedule: "0 9 * * *"'
OPERATOR = "deployer@belfry-local.iam.gserviceaccount.com"


@pytest.fixture
def scheduler(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    with running() as made:
        monkeypatch.setenv("SCHEDULER_ADDRESS", made.address)
        yield made


@pytest.fixture
def api(scheduler: Scheduler) -> Iterator[SchedulerApi]:
    config.config.cache_clear()
    with scheduler_api.connect() as connected:
        yield connected


@pytest.fixture
def cron_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = written(tmp_path / "cron.yaml", bell=DAILY, gong=DAILY)
    monkeypatch.setattr(registry, "CRON_FILE", path)
    monkeypatch.setattr(command, "CRON_FILE", path)
    return path


@pytest.fixture
def home(tmp_path: Path, database_url: str, scheduler: Scheduler) -> str:
    folder = tmp_path / "home"
    folder.mkdir()
    Home(folder).write_environment(
        {"DATABASE_URL": database_url, "SCHEDULER_ADDRESS": scheduler.address, "BELFRY_URL": "http://127.0.0.1:8080"}
    )
    return str(folder)


class Guard:
    """Stands before the console as IAP does: knows tokens, lets their owners in by a signed assertion, nobody else."""

    def __init__(self, application: Callable[..., Iterable[bytes]], proxy: Proxy, tokens: dict[str, str]) -> None:
        self.application, self.proxy, self.tokens = application, proxy, tokens
        self.seen: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        token = environ.pop("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        self.seen.append(token)
        if token not in self.tokens:
            start("401 Unauthorized", [("Content-Type", "text/html")])
            return [b"Invalid IAP credentials"]
        environ["HTTP_X_GOOG_IAP_JWT_ASSERTION"] = self.proxy.sign(email=self.tokens[token])
        return self.application(environ, start)


@pytest.fixture
def console(
    cron_file: Path, db: Connection, api: SchedulerApi, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Guard]]:
    """A console as it is in the cloud: behind IAP, with Cloud Scheduler jobs that Terraform made, paused."""
    for job in ("bell", "gong"):
        api.create(Ring(job, "0 0 1 1 *", "UTC", f"https://{job}-x.a.run.app", 555, "own@example.com", paused=True))
    proxy = Proxy()
    monkeypatch.setattr(iap, "keys", lambda: proxy.keys)
    settings = {"K_SERVICE": "console", "BELFRY_CALLERS": "a@b", "BELFRY_AUDIENCE": AUDIENCE,
                "BELFRY_OPERATORS": OPERATOR}  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("BELFRY_LOCAL_CLOCK")
    monkeypatch.delenv("BELFRY_URL", raising=False)
    config.config.cache_clear()
    monkeypatch.setattr(SchedulerApi, "__init__", _as_in_the_cloud(SchedulerApi.__init__))
    guard = Guard(make_app(), proxy, {"good": OPERATOR, "stranger": "stranger@example.com"})
    server = make_server("127.0.0.1", 0, guard, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", guard
    server.shutdown()
    thread.join()
    server.server_close()


def _as_in_the_cloud(make: Any) -> Any:
    """The local Cloud Scheduler, whose targets Terraform owns."""
    return lambda self, *args, owns_targets, **kwargs: make(self, *args, owns_targets=False, **kwargs)


@pytest.fixture
def targets(tmp_path: Path) -> str:
    file = tmp_path / "targets.json"
    file.write_text(json.dumps({job: f"https://{job}-x.a.run.app" for job in ("bell", "gong", "console")}))
    return str(file)


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON line or {}, stderr."""
    code = main(["reload", *arguments])
    said = capsys.readouterr()
    lines = said.out.splitlines()
    return code, json.loads(lines[-1]) if lines else {}, said.err


def test_the_local_cloud_is_reloaded_with_its_plan_first(
    home: str, cron_file: Path, api: SchedulerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    code, plan, _ = ran(capsys, "--home", home, "--dry-run")
    assert (code, plan["added"], api.all()) == (0, ["bell", "gong"], {})
    assert main(["reload", "--home", home, "--reason", "first"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0].split() == ["added", "2", "bell,", "gong"]
    assert "Cloud Scheduler 2/2" in said.err
    assert set(api.all()) == {"bell", "gong"}


def test_one_invalid_entry_and_nothing_changes_and_the_exit_code_is_2(
    home: str, cron_file: Path, db: Connection, api: SchedulerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(capsys, "--home", home)[0] == 0
    db.execute(text("update belfry.jobs set override_schedule = '55 9 * * *' where job_id = 'gong'"))
    before = api.all(), db.execute(text("select job_id, version, schedule from belfry.jobs order by 1")).all()
    written(cron_file, bell='schedule: "0 8 * * *"', gong=DAILY + "\nwindow: 30m", chime=DAILY)
    code, plan, err = ran(capsys, "--home", home)
    assert (code, [one["job_id"] for one in plan["invalid"]]) == (2, ["gong"])
    assert "gong: the schedule in force does not fit" in err
    written(cron_file, bell='schedule: "0 8 * * *"', gong='schedule: "99 9 * * *"')
    code, _, err = ran(capsys, "--home", home)
    assert code == 2
    assert "gong.schedule" in err
    assert (api.all(), db.execute(text("select job_id, version, schedule from belfry.jobs order by 1")).all()) == before


def test_cloud_scheduler_out_of_reach_is_exit_4(
    home: str, cron_file: Path, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    Home(Path(home)).write_environment(
        {
            "DATABASE_URL": database_url,
            "SCHEDULER_ADDRESS": f"127.0.0.1:{free_port()}",
            "BELFRY_URL": "http://127.0.0.1",
        }
    )
    code, _, err = ran(capsys, "--home", home)
    assert code == 4
    assert "Cloud Scheduler does not answer" in err


def test_a_deployed_console_is_asked_with_the_callers_identity_and_terraforms_targets(
    console: tuple[str, Guard],
    api: SchedulerApi,
    db: Connection,
    targets: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, guard = console
    monkeypatch.setenv("GOOGLE_ID_TOKEN", "good")
    code, plan, err = ran(capsys, "--console", url)
    assert (code, {one["job_id"] for one in plan["invalid"]}) == (2, {"bell", "gong"})  # nobody said where they listen
    assert "nobody said where its function listens" in err
    code, plan, _ = ran(capsys, "--console", url, "--targets", targets, "--reason", "first deploy")
    assert (code, plan["added"]) == (0, ["bell", "gong"])
    assert set(guard.seen) == {"good"}
    live = api.all()
    assert {
        job: (ring.schedule, ring.paused, ring.deadline, ring.account) for job, ring in live.items()
    } == dict.fromkeys(("bell", "gong"), ("0 9 * * *", False, 555, "own@example.com"))
    assert db.execute(text("select actor, reason from belfry.audit_log")).all() == [(OPERATOR, "first deploy")]
    code, plan, _ = ran(capsys, "--console", url)
    assert (code, plan["unchanged"]) == (0, ["bell", "gong"])


@pytest.mark.parametrize(("token", "words"), [("stranger", "403"), ("nobody", "401")])
def test_whoever_may_not_is_told_so_and_nothing_changes(
    console: tuple[str, Guard],
    db: Connection,
    targets: str,
    token: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GOOGLE_ID_TOKEN", token)
    code, _, err = ran(capsys, "--console", console[0], "--targets", targets)
    assert (code, db.execute(text("select count(*) from belfry.jobs")).scalar_one()) == (2, 0)
    assert words in err
    assert token not in err


def test_a_page_of_another_site_cannot_pass_for_the_command(console: tuple[str, Guard]) -> None:
    import requests

    headers = {"Authorization": "Bearer good", "X-Belfry-Client": "x"}
    for more in ({"Origin": "https://evil.example"}, {"Cookie": "a=b"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = requests.post(console[0] + "/api/v1/jobs/reload", json={}, headers={**headers, **more}, timeout=10)
        assert answer.status_code == 403, more
    without = requests.post(
        console[0] + "/api/v1/jobs/reload", json={}, headers={"Authorization": "Bearer good"}, timeout=10
    )
    assert without.status_code == 403


def test_a_console_with_another_cron_file_refuses(
    console: tuple[str, Guard],
    targets: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GOOGLE_ID_TOKEN", "good")
    monkeypatch.setattr(command, "CRON_FILE", written(tmp_path / "mine.yaml", bell=DAILY, gong=DAILY, chime=DAILY))
    code, _, err = ran(capsys, "--console", console[0], "--targets", targets)
    assert code == 2
    assert "another cron.yaml" in err


def test_bad_arguments_are_exit_2_and_silence_is_exit_4(
    cron_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOOGLE_ID_TOKEN", "good")
    (tmp_path / "list.json").write_text("[]")
    url = f"http://127.0.0.1:{free_port()}"
    for arguments in (
        ("--console", "console.example.com"),
        ("--console", "http://console.example.com"),  # a token does not travel in the clear
        ("--console", url, "--targets", str(tmp_path / "missing.json")),
        ("--console", url, "--targets", str(tmp_path / "list.json")),
        ("--targets", str(tmp_path / "list.json")),
    ):
        assert ran(capsys, *arguments)[0] == 2, arguments
    assert ran(capsys, "--console", url)[0] == 4
    monkeypatch.delenv("GOOGLE_ID_TOKEN")
    monkeypatch.setenv("PATH", "/nowhere")
    code, _, err = ran(capsys, "--console", url)
    assert (code, "GOOGLE_ID_TOKEN" in err) == (2, True)
