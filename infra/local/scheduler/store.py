"""How the jobs of the local Cloud Scheduler survive a restart: one row a job in SQLite."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from google.cloud import scheduler_v1


class Store:
    """Without a folder the jobs live in memory and are forgotten."""

    def __init__(self, folder: Path | None) -> None:
        if folder:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._database = sqlite3.connect(folder / "scheduler.sqlite3" if folder else ":memory:", isolation_level=None)
        # Survives the death of the process, which is what a laptop's cloud is asked to survive.
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS jobs (name TEXT PRIMARY KEY, job BLOB NOT NULL) WITHOUT ROWID"
        )

    def load(self) -> Iterator[scheduler_v1.Job]:
        for (job,) in self._database.execute("SELECT job FROM jobs ORDER BY name"):
            yield scheduler_v1.Job.deserialize(job)

    def save(self, *jobs: scheduler_v1.Job) -> None:
        self._database.execute("BEGIN")
        rows = [(job.name, scheduler_v1.Job.serialize(job)) for job in jobs]
        self._database.executemany("INSERT OR REPLACE INTO jobs VALUES (?, ?)", rows)
        self._database.execute("COMMIT")

    def delete(self, name: str) -> None:
        self._database.execute("DELETE FROM jobs WHERE name = ?", (name,))

    def close(self) -> None:
        self._database.close()
