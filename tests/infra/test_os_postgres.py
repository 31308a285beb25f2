"""Does Belfry run on a Postgres that somebody else runs? The OS's own server, where one is installed (15 or newer)."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import mkdtemp

import pytest
import yaml
from sqlalchemy import text

from infra.local.demo import populate
from infra.local.postgres import connection, migrate
from shared.db import new_engine
from tests.conftest import Perform, _forget_process_state
from tests.faults.invariants import assert_invariants
from tests.infra.test_up import command, up
from tests.processes import eventually, free_port

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
JOBS = yaml.safe_load((ROOT / "cron.yaml").read_text("utf-8"))["jobs"]
pytestmark = pytest.mark.skipif(not PROGRAMS, reason="the OS has no Postgres server installed")


def _someone() -> list[str]:
    """Postgres refuses root: its own account does it, as the OS's package would."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []


@pytest.fixture(scope="module")
def foreign() -> Iterator[str]:
    """The URL of a fresh database on the OS's server."""
    programs, folder, port = PROGRAMS[-1].parent, Path(mkdtemp(prefix="os-postgres-")), free_port()
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
    data = str(folder / "data")
    initdb = [
        *_someone(),
        programs / "initdb",
        "-D",
        data,
        "-U",
        "belfry",
        "--auth=trust",
        "--encoding=UTF8",
        "--no-locale",
    ]
    subprocess.run(initdb, check=True, capture_output=True)
    options = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
    server = subprocess.Popen([*_someone(), programs / "postgres", "-D", data, *options], stderr=subprocess.DEVNULL)
    try:
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        eventually(lambda: subprocess.run(ready, check=False).returncode == 0, "the OS's server is ready")
        yield f"postgresql://belfry@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(20)
        shutil.rmtree(folder)


def _database(foreign: str, name: str) -> str:
    with connection(foreign) as admin:
        admin.run(f"create database {name}")
    return foreign.rsplit("/", 1)[0] + "/" + name


def test_every_job_runs_on_it(foreign: str, perform: Perform, monkeypatch: pytest.MonkeyPatch) -> None:
    url = _database(foreign, "jobs")
    migrate(url)
    engine = new_engine(url, socket_timeout=60)
    with engine.connect() as db:
        assert int(db.execute(text("show server_version_num")).scalar_one()) // 10000 >= 15
        populate(db, date(2026, 3, 2))
        monkeypatch.setenv("DATABASE_URL", url)
        _forget_process_state()
        for job in JOBS:
            answer = perform(job, "2026-03-02T09:00+08:00", connection=db)
            assert answer.get("status") in ("succeeded", "partial"), (job, answer)
            if answer["kind"] == "scheduled":  # nine o'clock is a tick of its grid
                assert perform(job, "2026-03-02T09:00+08:00", connection=db)["status"] == "duplicate", job
        assert db.execute(text("select count(*) from belfry.alert_records")).scalar_one() > 20
        assert_invariants(db)
    engine.dispose()


def test_the_local_cloud_takes_it_in_place_of_its_own(foreign: str, tmp_path: Path) -> None:
    url = _database(foreign, "home")
    home = tmp_path / "home"
    with up(home, "--no-history", DATABASE_URL=url) as cloud:
        assert cloud.environment["DATABASE_URL"] == url
        assert cloud.get("/healthz")[0] == 200
        ticked = command("tick", "check_milestone_alerts", "--at", "2026-11-19T08:00+08:00", "--home", str(home))
        assert ticked.returncode == 0, ticked.stderr
        assert cloud.ask("select state from belfry.job_executions where job_id = 'check_milestone_alerts'") == [
            ["succeeded"]
        ]
    assert not (home / "postgres").exists()
