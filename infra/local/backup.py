"""How does a server come back to an earlier time? A copy of its files, the log it wrote since, and when to stop."""

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from infra.local.postgres import SUPERUSER, Postgres, PostgresError, connection, tool

PATIENCE = 60.0


def archiving(archive: Path) -> Sequence[str]:
    """The settings of a server that puts its log away as it is written."""
    archive.mkdir(parents=True, exist_ok=True)
    return ("wal_level=replica", "archive_mode=on", f'archive_command=test ! -f "{archive}/%f" && cp %p "{archive}/%f"')


def take(server: Postgres, folder: Path) -> None:
    """Copies a server that is running into an empty folder; it goes on working meanwhile."""
    place = ["-h", "127.0.0.1", "-p", str(server.port), "-U", SUPERUSER]
    command = [tool("pg_basebackup"), "-D", str(folder / "data"), *place, "-X", "stream", "-c", "fast", "--no-sync"]
    folder.mkdir(parents=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PostgresError(f"the backup failed: {done.stderr.strip()[-500:]}")


def put_away(server: Postgres) -> None:
    """Waits until everything that was committed so far is in the archive."""
    with connection(server.url("postgres")) as db:
        ((wanted,),) = db.run("select pg_walfile_name(pg_switch_wal())")
        there = "select 1 from pg_stat_archiver where last_archived_wal >= :w"
        _until(lambda: db.run(there, w=wanted), "the log was not put away in time")


def restored(backup: Path, archive: Path, folder: Path, to: datetime) -> Postgres:
    """A server on `folder`, started where the other one stood at `to`: nothing committed later is there."""
    folder.mkdir(mode=0o700, parents=True)
    shutil.copytree(backup / "data", folder / "data")
    (folder / "data").chmod(0o700)
    with (folder / "data" / "postgresql.auto.conf").open("a") as out:
        out.write(
            f"restore_command = 'cp \"{archive}/%f\" %p'\n"
            f"recovery_target_time = '{to.isoformat()}'\nrecovery_target_action = 'promote'\n"
        )
    (folder / "data" / "recovery.signal").touch()
    server = Postgres(folder)
    server.start()
    with connection(server.url("postgres")) as db:
        _until(lambda: not db.run("select pg_is_in_recovery()")[0][0], "the server did not end its recovery in time")
    return server


def _until(there: Callable[[], object], complaint: str) -> None:
    until = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > until:
            raise PostgresError(complaint)
        time.sleep(0.05)
