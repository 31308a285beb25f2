"""Servers that the tests watch: a Postgres of their own (roles belong to a whole server) and a real MariaDB."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import DBAPIError

from infra.local.postgres import Postgres
from infra.local.postgres import connection as superuser

INSTALL, SERVER = "mariadb-install-db", "/usr/sbin/mariadbd"
STARTS = 30.0  # seconds


@contextmanager
def postgres() -> Iterator[str]:
    """A Postgres server of its own with a database `shop`; its URL."""
    folder = Path(tempfile.mkdtemp(prefix="belfry-watched-"))
    server = Postgres(folder, max_connections=30, fast=True)
    try:
        server.start()
        yield server.create_database("shop")
    finally:
        server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def run_sql(url: str, *statements: str) -> None:
    """Statements on a watched Postgres, each by itself."""
    with superuser(url) as admin:
        for statement in statements:
            admin.run(statement)


@contextmanager
def mariadb() -> Iterator[str]:
    """A MariaDB server of its own; the URL of its root, who has the password `s3cret:word`."""
    if not Path(SERVER).exists() or shutil.which(INSTALL) is None:
        missing = "MariaDB is missing: apt-get install mariadb-server-core (make test does it where it may)"
        if os.environ.get("BELFRY_CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    folder = Path(tempfile.mkdtemp(prefix="belfry-mariadb-"))
    data, log = folder / "data", folder / "log"
    owner = ["--user=root"] if os.geteuid() == 0 else []
    try:
        with log.open("ab") as said:
            subprocess.run(
                [INSTALL, "--no-defaults", *owner, f"--datadir={data}", "--auth-root-authentication-method=normal",
                 "--skip-test-db", "--innodb-log-file-size=8M"],
                stdout=said, stderr=said, check=True,
            )  # fmt: skip
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            server = subprocess.Popen(
                [SERVER, "--no-defaults", *owner, f"--datadir={data}", f"--socket={folder / 's'}", f"--port={port}",
                 "--bind-address=127.0.0.1", f"--pid-file={folder / 'pid'}", "--innodb-buffer-pool-size=16M",
                 "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"],
                stdout=said, stderr=said,
            )  # fmt: skip
        try:
            url = f"mysql://root@127.0.0.1:{port}/"
            _wait_for(url, server, log)
            password = "s3cret%3Aword"
            with speaking_to(url) as root:
                root.exec_driver_sql("alter user root@localhost identified by 's3cret:word'")
                root.exec_driver_sql("create user if not exists root@'127.0.0.1' identified by 's3cret:word'")
                root.exec_driver_sql("grant all on *.* to root@'127.0.0.1' with grant option")
                root.exec_driver_sql("alter user root@'127.0.0.1' identified by 's3cret:word'")
            yield f"mysql://root:{password}@127.0.0.1:{port}/"
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def speaking_to(url: str) -> Iterator[Connection]:
    """A connection to a watched MariaDB, each statement by itself."""
    engine = create_engine(make_url(url).set(drivername="mysql+pymysql"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTS
    while True:
        try:
            with speaking_to(url):
                return
        except DBAPIError as error:
            if server.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"MariaDB did not start: {error} {log.read_text(errors='replace')[-2000:]}") from None
        time.sleep(0.1)
