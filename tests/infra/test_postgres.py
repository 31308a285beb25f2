"""Does the embedded Postgres start, keep its data and end, whoever runs it?"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import postgres
from infra.local.postgres import Postgres, PostgresError, connection

ROOT = Path(__file__).parents[2]
OWNER = """
import sys
from pathlib import Path
from infra.local.postgres import Postgres, connection
server = Postgres(Path(sys.argv[1]))
server.start()
with connection(server.url("postgres")) as opened:
    opened.run("CREATE TABLE IF NOT EXISTS bells (name text)")
    opened.run("INSERT INTO bells VALUES ('Great Tom')")
    print(server.url("postgres"), opened.run("SELECT count(*) FROM bells")[0][0], flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    running = Postgres(tmp_path / "pg", fast=True)
    running.start()
    yield running
    running.stop("immediate")


def ask(url: str, sql: str) -> object:
    with connection(url) as opened:
        rows = opened.run(sql)
    return rows[0][0] if rows else None


def own_a_server(folder: Path, *before: str) -> subprocess.Popen[str]:
    """Another process that owns a server on `folder`, and ends it when its standard input closes."""
    return subprocess.Popen(
        [*before, sys.executable, "-c", OWNER, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_the_server_speaks_utf8_and_utc_on_the_loopback_only(server: Postgres) -> None:
    url = server.url("postgres")
    assert ask(url, "SHOW server_encoding") == "UTF8"
    assert ask(url, "SHOW timezone") == "UTC"
    assert ask(url, "SHOW listen_addresses") == "127.0.0.1"
    assert ask(url, "SHOW max_connections") == "200"
    assert ask(url, "SELECT datcollate FROM pg_database WHERE datname = 'postgres'") == "C"
    assert ask(url, "SELECT '齐套'") == "齐套"


def test_a_database_is_copied_from_its_template_and_dropped_under_its_users(server: Postgres) -> None:
    template = server.create_database("mould")
    ask(template, "CREATE TABLE bells AS SELECT 'Great Tom' AS name")
    copy = server.create_database("copy", template="mould")
    assert ask(copy, "SELECT name FROM bells") == "Great Tom"
    with connection(copy):
        server.drop_database("copy")
    assert "copy" not in server.databases()
    server.drop_database("copy")


def test_a_restart_keeps_the_data(server: Postgres) -> None:
    ask(server.create_database("belfry"), "CREATE TABLE bells AS SELECT 'Great Tom' AS name")
    server.stop()
    server.start()
    assert ask(server.url("belfry"), "SELECT name FROM bells") == "Great Tom"


def test_a_folder_has_one_server(server: Postgres) -> None:
    with pytest.raises(PostgresError, match="belongs to a server that is running"):
        Postgres(server.folder, fast=True).start()
    assert ask(server.url("postgres"), "SELECT 1") == 1


def test_a_pid_file_that_now_names_another_program_stops_nothing(server: Postgres) -> None:
    server.stop("immediate")
    bystander = os.getppid()
    (server.folder / "data" / "postmaster.pid").write_text(f"{bystander}\n{server.folder / 'data'}\n0\n1\n\n\n  1 1\n")
    server.start()
    assert ask(server.url("postgres"), "SELECT 1") == 1


def test_a_server_dies_with_its_owner_and_the_next_one_finds_the_data(tmp_path: Path) -> None:
    owner = own_a_server(tmp_path / "pg")
    assert owner.stdout is not None
    assert owner.stdout.readline().endswith("/postgres 1\n")
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    heir = Postgres(tmp_path / "pg")
    heir.start()
    try:
        assert ask(heir.url("postgres"), "SELECT count(*) FROM bells") == 1
    finally:
        heir.stop("immediate")


def test_a_server_that_was_killed_itself_starts_again(server: Postgres) -> None:
    pid = int((server.folder / "data" / "postmaster.pid").read_text().split("\n")[0])
    os.kill(pid, signal.SIGKILL)
    server.stop()
    server.start()
    assert ask(server.url("postgres"), "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_runs_it_too(tmp_path: Path) -> None:
    folder = tmp_path / "pg"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    # The interpreter and tmp_path may lie in root's own 0700 folders.
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    owner = own_a_server(folder, *user, "--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--")
    answer, _ = owner.communicate(timeout=60)
    assert answer.endswith("/postgres 1\n")
    assert owner.returncode == 0
    assert (folder / "data").stat().st_uid == 65534


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become somebody else")
def test_root_without_user_namespaces_runs_it_as_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_namespaces_work", lambda: False)
    running = Postgres(tmp_path / "pg", fast=True)
    try:
        assert ask(running.start(), "SELECT 1") == 1
        assert (running.folder / "data").stat().st_uid == 65534
    finally:
        running.stop("immediate")
