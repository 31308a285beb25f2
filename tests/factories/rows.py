"""How does a test get one row? Defaults filled; whatever the row must point to is made with it."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from sqlalchemy import Connection, Table, insert

TODAY = date(2026, 3, 2)  # a Monday; `perform` runs at 09:00 of it unless told otherwise
LONG_AGO = datetime(2026, 2, 1, 1, 0, tzinfo=UTC)

_numbers = count(1)


class Rows:
    """Rows of the company's own system, through one connection."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self._warehouse: int | None = None

    def _row(self, table: Table, given: Mapping[str, Any], **defaults: Any) -> int:
        """One INSERT. A default that is a function makes the row to point to, and only when none is given."""
        row = {name: _made(value) for name, value in defaults.items() if name not in given} | dict(given)
        return int(self.conn.execute(insert(table).values(row).returning(table.c.id)).scalar_one())


def number(prefix: str) -> str:
    """A document number that nobody has had before."""
    return f"{prefix}-{next(_numbers):05d}"


def _made(value: Any | Callable[[], int]) -> Any:
    return value() if callable(value) else value
