"""A whole deployment, rehearsed: real Terraform on the stand-in, our own commands, a real migration, a real console."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.serving import make_server

from functions.console import iap
from functions.console.app import make_app
from infra import archive
from infra.local.postgres import connection
from shared import config, db
from shared.cronfile.loading import load
from shared.operator import migrating
from shared.scheduler_api import Ring, SchedulerApi, connect
from tests.console.test_iap import AUDIENCE, Proxy
from tests.infra.google_apis import GoogleApis, running
from tests.infra.terraform.configuration import copied
from tests.infra.terraform.workspace import Workspace, missing
from tests.infra.test_reload_command import Guard
from tests.infra.test_reload_command import _as_in_the_cloud as as_in_the_cloud
from tests.processes import served
from tests.scheduling import running as scheduling

ROOT = Path(__file__).resolve().parents[2]
PROJECT, NUMBER, REGION = "own-belfry", "123456789012", "asia-east2"
OPERATOR = f"belfry-operator@{PROJECT}.iam.gserviceaccount.com"
NEWEST = sorted(path.stem for path in (migrating.MIGRATIONS / "versions").glob("[0-9]*.py"))[-1]
JOBS = load(ROOT / "cron.yaml").jobs


def address(function: str) -> str:
    return f"https://{function.replace('_', '-')}-{NUMBER}.{REGION}.run.app"


CONSOLE = address("console")


@pytest.fixture
def work() -> Iterator[Workspace]:
    """A copy of the tree with an environment of its own."""
    with copied() as made:
        example = (made.folder / "envs/staging.tfvars").read_text("utf-8")
        own = example.replace("example-belfry-staging", PROJECT).replace("100000000001", NUMBER)
        (made.folder / "envs/own.tfvars").write_text(own, "utf-8")
        yield made


def operator(work: Workspace, *arguments: str, **environment: str) -> tuple[int, dict[str, Any], str]:
    """`python -m infra` in the copy, without anybody's credentials: exit code, the JSON line or {}, stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "infra", *arguments],
        cwd=work.folder.parent,
        env={
            "PATH": os.environ["PATH"], "HOME": str(work.folder), "NO_GCE_CHECK": "true",
            "TF_CLI_CONFIG_FILE": str(work.config), **environment,
        },
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return done.returncode, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("plan", "staging"), 2, "project example-belfry-staging is the example"),
        (("deploy", "nowhere"), 2, "there is no infra/envs/nowhere.tfvars; allowed are own, prod, staging"),
        (("deploy", "own"), 2, "nobody is there to ask; --yes deploys without asking"),
        (("plan", "own"), 4, "no application default credentials; `gcloud auth application-default login` signs in"),
    ],
)
def test_a_command_that_cannot_begin_says_whose_turn_it_is(
    work: Workspace, arguments: tuple[str, ...], code: int, told: str
) -> None:
    ended, _, said = operator(work, *arguments)
    assert (ended, told in said) == (code, True), said


@pytest.fixture
def apis() -> Iterator[GoogleApis]:
    with running(PROJECT, NUMBER) as made:
        yield made


def test_without_terraform_a_plan_says_so(work: Workspace, apis: GoogleApis, tmp_path: Path) -> None:
    ended, _, said = operator(work, "plan", "own", PATH=str(tmp_path), BELFRY_GOOGLE_APIS=apis.url)
    assert (ended, "terraform is not on PATH" in said) == (4, True), said


@pytest.fixture
def terraform() -> None:
    why = missing()
    if why:
        pytest.fail(why) if os.environ.get("BELFRY_CI") else pytest.skip(why)


@pytest.mark.usefixtures("terraform")
def test_a_plan_that_breaks_a_policy_is_not_deployed(work: Workspace, apis: GoogleApis) -> None:
    module = work.folder / "modules/function/main.tf"
    module.write_text(module.read_text("utf-8").replace('"ALLOW_INTERNAL_ONLY"', '"ALLOW_ALL"'), "utf-8")
    ended, _, said = operator(work, "deploy", "own", "--yes", BELFRY_GOOGLE_APIS=apis.url)
    assert ended == 2
    assert 'functions_are_internal: module.function["sweep_runs"]' in said
    assert not apis.secrets


@pytest.fixture
def empty_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with nothing in it, as Cloud SQL hands it over."""
    server = os.environ["BELFRY_TEST_POSTGRES"]
    name = f"t_{uuid4().hex[:16]}"
    with connection(server) as admin:
        admin.run(f"create database {name}")
    url = server.rsplit("/", 1)[0] + "/" + name
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    config.config.cache_clear()
    db.forget_engine()
    yield url
    db.forget_engine()
    config.config.cache_clear()
    with connection(server) as admin:
        admin.run(f"drop database {name} with (force)")


class Signed(dict[str, str]):
    """What the proxy makes of a token: the operator's own signature for this console is the operator."""

    def __contains__(self, token: object) -> bool:
        return self._claims(token).get("aud") == f"{CONSOLE}/*"

    def __getitem__(self, token: str) -> str:
        email: str = self._claims(token)["sub"]
        return email

    @staticmethod
    def _claims(token: object) -> dict[str, Any]:
        parts = str(token).split(".", 2)
        if len(parts) != 3 or parts[2] != f"signature-of-{OPERATOR}":
            return {}
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return claims


@pytest.fixture
def cloud(
    apis: GoogleApis, empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[GoogleApis, SchedulerApi]]:
    """Google's APIs; at the address of `migrate` the function's own archive, at the console's one behind the proxy; and
    Cloud Scheduler with every job as Terraform leaves it."""
    alone = tmp_path / "migrate"
    with zipfile.ZipFile(archive.build("migrate", tmp_path)) as packed:
        packed.extractall(alone)
    settings = {"DATABASE_URL": empty_database, "K_SERVICE": "migrate", "GOOGLE_CLOUD_PROJECT": PROJECT,
                "BELFRY_CALLERS": OPERATOR, "BELFRY_AUDIENCE": address("migrate"),
                "DATABASE_APP_PASSWORD": "what functions log in with"}  # fmt: skip
    with ExitStack() as stack:
        scheduler = stack.enter_context(scheduling())
        migrate = stack.enter_context(served("migrate", alone, {**settings, "PYTHONDONTWRITEBYTECODE": "1"}))
        monkeypatch.setenv("SCHEDULER_ADDRESS", scheduler.address)
        config.config.cache_clear()
        api = stack.enter_context(connect())
        for job in JOBS.values():
            api.create(Ring(job.id, job.schedule or "", job.time_zone, address(job.id), 360, api.account, paused=True))
        proxy = Proxy()
        monkeypatch.setattr(iap, "keys", lambda: proxy.keys)
        for name, value in {"K_SERVICE": "console", "BELFRY_CALLERS": "proxy@example.com",
                            "BELFRY_AUDIENCE": AUDIENCE, "BELFRY_OPERATORS": OPERATOR}.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        config.config.cache_clear()
        monkeypatch.setattr(SchedulerApi, "__init__", as_in_the_cloud(SchedulerApi.__init__))
        server = make_server("127.0.0.1", 0, Guard(make_app(), proxy, Signed()), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        apis.forward[address("migrate").removeprefix("https://")] = migrate.url.rstrip("/")
        apis.forward[CONSOLE.removeprefix("https://")] = f"http://127.0.0.1:{server.server_port}"
        yield apis, api


@pytest.mark.usefixtures("terraform")
def test_from_an_empty_project_to_ringing_bells_and_the_second_time_nothing(
    work: Workspace, cloud: tuple[GoogleApis, SchedulerApi], empty_database: str
) -> None:
    apis, scheduler = cloud
    ended, first, said = operator(work, "deploy", "own", "--yes", BELFRY_GOOGLE_APIS=apis.url)
    assert ended == 0, said
    assert (first["destroy"], first["change"]) == (0, 0)
    assert first["secrets_filled"] == ["database-app-password", "database-migrator-password"]
    assert first["console_image_built"] is True
    assert (first["migrated"]["from"], first["migrated"]["applied"][-1]) == (None, NEWEST)
    assert first["reloaded"] == {"added": len(JOBS), "updated": 0, "removed": 0, "unchanged": 0}
    bells = scheduler.all()
    assert {one for one, bell in bells.items() if bell.paused} == {job.id for job in JOBS.values() if not job.enabled}
    with connection(empty_database) as opened:
        targets = dict(opened.run("select job_id, target_uri from belfry.jobs") or [])
    assert targets == {job: address(job) for job in JOBS}
    work.terraform("init")
    left_behind = work.terraform("state", "pull").stdout + "".join(
        path.read_text("utf-8", "replace") for path in work.folder.rglob("*") if path.is_file() and path.suffix != ".zip"
    )
    for password in (apis.secrets["database-app-password"][0], apis.secrets["database-migrator-password"][0]):
        assert password not in left_behind + said

    ended, second, said = operator(work, "deploy", "own", "--yes", BELFRY_GOOGLE_APIS=apis.url)
    assert ended == 0, said
    assert (second["add"], second["change"], second["destroy"]) == (0, 0, 0)
    assert (second["secrets_filled"], second["console_image_built"], second["migrated"]["applied"]) == ([], False, [])
    assert second["reloaded"] == {"added": 0, "updated": 0, "removed": 0, "unchanged": len(JOBS)}
