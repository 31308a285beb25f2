"""Which months must have a partition, which may go, and what is wrong with a table's partitions? (rulebook W1, W6)"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

_NAMED = re.compile(r"(?P<parent>[a-z][a-z0-9_]*)_(?P<year>[0-9]{4})_(?P<month>0[1-9]|1[0-2])")
RANKS = ("WARNING", "CRITICAL", "URGENT")


def month_of(day: date) -> date:
    """The first of its month."""
    return day.replace(day=1)


def add_months(month: date, number: int) -> date:
    """The first of the month so many calendar months later (before: negative)."""
    year, index = divmod(month.year * 12 + month.month - 1 + number, 12)
    return date(year, index + 1, 1)


def wanted(day: date, ahead: int) -> list[date]:
    """The current month and so many after it."""
    return [add_months(month_of(day), number) for number in range(ahead + 1)]


def kept_from(day: date, months: int) -> date:
    """The oldest month of so many that stay, the current one counted."""
    return add_months(month_of(day), 1 - months)


def named_month(parent: str, name: str) -> date | None:
    """The month that `parent_YYYY_MM` names, None for any other name. `_` is no wildcard here (D-60)."""
    found = _NAMED.fullmatch(name)
    return date(int(found["year"]), int(found["month"]), 1) if found and found["parent"] == parent else None


@dataclass(frozen=True)
class Partition:
    """One partition as the catalog shows it, [start, end); sizes in bytes."""

    name: str
    start: date
    end: date
    size: int = 0


@dataclass(frozen=True)
class Problem:
    """What is wrong with a table, how bad it is, and where: a month or a partition."""

    code: str
    level: str
    month: date | None = None
    partition: str | None = None
    gigabytes: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Table:
    """A table of monthly partitions: those attached, whether rows wait in the default one, and what stands beside it.

    `strays` are tables that bear a partition's name and are attached to nothing; `vanished` partitions that the
    registry calls active and the catalog does not know.
    """

    name: str
    partitions: Sequence[Partition]
    default_has_rows: bool = False
    strays: Sequence[str] = ()
    vanished: Sequence[str] = ()

    def covers(self, month: date) -> bool:
        return any(p.start <= month and p.end >= add_months(month, 1) for p in self.partitions)


def missing(table: Table, day: date, ahead: int) -> list[date]:
    """The months that should have a partition and have none."""
    return [month for month in wanted(day, ahead) if not table.covers(month)]


def problems(
    table: Table, day: date, ahead: int, largest_gb: int, why: dict[date, str] | None = None
) -> list[Problem]:
    """Everything that is wrong, after what was missing has been made; `why` says of a month why it could not be.

    The current month missing is URGENT, the next one CRITICAL; all else is a WARNING.
    """
    months, found = wanted(day, ahead), list[Problem]()
    for month in missing(table, day, ahead):
        level = {0: "URGENT", 1: "CRITICAL"}.get(months.index(month), "WARNING")
        found.append(Problem("MISSING", level, month, error=(why or {}).get(month)))
    if table.default_has_rows:
        found.append(Problem("DEFAULT_ROWS", "WARNING"))
    for one in table.partitions:
        if one.size > largest_gb * 1024**3:
            found.append(Problem("TOO_LARGE", "WARNING", partition=one.name, gigabytes=round(one.size / 1024**3, 1)))
    in_order = sorted(table.partitions, key=lambda p: p.start)
    for before, after in itertools.pairwise(in_order):
        gap = [m for m in _between(before.end, after.start) if m not in months]
        found += [Problem("GAP", "WARNING", month) for month in gap[:12]]
    found += [Problem("STRAY", "WARNING", partition=name) for name in table.strays]
    found += [Problem("VANISHED", "WARNING", partition=name) for name in table.vanished]
    return found


def level(found: Sequence[Problem]) -> str | None:
    """The worst of them, None when all is well."""
    return max((problem.level for problem in found), key=RANKS.index, default=None)


def _between(start: date, end: date) -> list[date]:
    months, month = [], start
    while month < end:
        months.append(month)
        month = add_months(month_of(month), 1)
    return months
