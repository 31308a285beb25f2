"""What has arrived at a sink? Letters in one SQLite file, so that they outlive a restart."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

CHANNELS = ("email", "wechat", "sms")
_SCHEMA = """
create table if not exists letters (
  id integer primary key, channel text not null, at text not null, recipient text not null,
  subject text not null, body text not null, delivery_id text);
create index if not exists letters_by_channel on letters (channel, at);
"""


@dataclass(frozen=True)
class Letter:
    """One message to one recipient, as the outside world saw it."""

    at: datetime
    to: str
    subject: str
    body: str
    delivery_id: str | None

    def json(self) -> dict[str, str | int | None]:
        delivery = self.delivery_id
        return {
            "at": self.at.isoformat(),
            "to": self.to,
            "subject": self.subject,
            "body": self.body,
            "delivery_id": int(delivery) if delivery is not None and delivery.isdecimal() else delivery,
        }


class Letters:
    """The letters of every channel. `file` None keeps them in memory."""

    def __init__(self, file: Path | None) -> None:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file or ":memory:", isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)

    def add(self, channel: str, letters: Sequence[Letter]) -> None:
        rows = [(channel, _utc(each.at), each.to, each.subject, each.body, each.delivery_id) for each in letters]
        statement = "insert into letters (channel, at, recipient, subject, body, delivery_id) values (?, ?, ?, ?, ?, ?)"
        self._db.executemany(statement, rows)

    def count(self, channel: str, since: datetime | None = None) -> int:
        since_text = _utc(since) if since else ""
        found = self._db.execute("select count(*) from letters where channel = ? and at >= ?", (channel, since_text))
        count: int = found.fetchone()[0]
        return count

    def latest(self, channel: str, limit: int, since: datetime | None = None) -> list[Letter]:
        """The newest `limit` letters, oldest of them first."""
        found = self._db.execute(
            "select at, recipient, subject, body, delivery_id from letters where channel = ? and at >= ?"
            " order by id desc limit ?",
            (channel, _utc(since) if since else "", limit),
        )
        return [Letter(datetime.fromisoformat(at), *rest) for at, *rest in reversed(found.fetchall())]

    def close(self) -> None:
        self._db.close()


def _utc(moment: datetime) -> str:
    """One spelling of a time, so that text sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
