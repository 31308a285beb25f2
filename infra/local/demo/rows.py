"""How do rows get in? A table at a time, as one JSON parameter, with dates counted from the factory's day."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Factory:
    """An empty database and the day that everything is relative to."""

    connection: Connection
    day: date

    def date(self, offset: int | None) -> date | None:
        """The day so many days after the factory's (before: negative); none for none."""
        return None if offset is None else self.day + timedelta(offset)

    def instant(self, offset: int, clock: str = "09:00") -> datetime:
        """A wall-clock time in Shanghai on such a day; offsets are negative: the day has not begun."""
        return datetime.combine(self.day + timedelta(offset), time.fromisoformat(clock), SHANGHAI)

    def insert(self, table: str, columns: str, rows: Iterable[Sequence[object]]) -> None:
        """All rows in one statement; `table` with its schema, `columns` as words. Given ids move the sequence along."""
        names = columns.split()
        records = [dict(zip(names, row, strict=True)) for row in rows]
        listed = ", ".join(names)
        overriding = "overriding system value" if "id" in names else ""
        self.connection.execute(
            text(
                f"insert into {table} ({listed}) {overriding} "  # noqa: S608 - names from this package, values as one parameter
                f"select {listed} from jsonb_populate_recordset(null::{table}, cast(:records as jsonb))"
            ),
            {"records": json.dumps(records, ensure_ascii=False, default=str)},
        )
        if "id" in names:
            self.connection.execute(
                text(f"select setval(pg_get_serial_sequence(:table, 'id'), (select max(id) from {table}))"),  # noqa: S608
                {"table": table},
            )


def numbered(keys: Iterable[str]) -> dict[str, int]:
    """Ids by key, in the order of the keys, from 1."""
    return {key: number for number, key in enumerate(keys, 1)}
