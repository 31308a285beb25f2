"""How does a job's test module describe one row that concerns the job?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from tests.evidence import alerts
from tests.factories import TODAY, Erp


@dataclass(frozen=True, kw_only=True)
class _Ticks:
    """When the case's ticks are: `clock` (local time) of `day`, then every `every`.

    That must be a tick of the job's own schedule: a weekly or monthly job says which day, an hourly one another `every`. `around(db)` is entered around the whole promise: a server that must answer, settings, what the clock needs.
    `ends` is the state of a run over the case's row: `partial` where the row itself is what could not be read.
    `reasons` says per promise why it does not apply.
    """

    clock: str
    ends: str = "succeeded"
    day: date = TODAY
    every: timedelta = timedelta(days=1)
    around: Callable[[Connection], AbstractContextManager[Any]] = lambda db: nullcontext()
    reasons: Mapping[str, str] = field(default_factory=dict)

    def at(self, tick: int = 0) -> str:
        """The case's tick, or the one so many ticks later."""
        return (datetime.fromisoformat(f"{self.day}T{self.clock}+08:00") + tick * self.every).isoformat()


@dataclass(frozen=True)
class AlertJob(_Ticks):
    """A job and one of its rules, and what happens to one row.

    `violate(erp, day)` makes a row that violates the rule from that day on, not the day before, and answers its target id.
    `clear(db, target)` and `worsen(db, target)` change that row: it violates no longer; its level rises.
    `spoil(erp, day)` makes a row that cannot be judged and answers its item type in execution_items.
    `multiply(db, target, n)` makes n more violating rows out of that one, in one statement: n may be 50,000.
    """

    job_id: str
    rule: str
    violate: Callable[[Erp, date], int]
    clear: Callable[[Connection, int], None]
    multiply: Callable[[Connection, int, int], None]
    worsen: Callable[[Connection, int], None] | None = None
    spoil: Callable[[Erp, date], str] | None = None

    def arrange(self, erp: Erp, day: date) -> int:
        return self.violate(erp, day)

    def made(self, db: Connection) -> Sequence[Any]:
        """The alerts of the rule, as they stand."""
        return [a for a in alerts(db) if a["rule_code"] == self.rule]

    def __str__(self) -> str:
        return f"{self.job_id}-{self.rule}"


@dataclass(frozen=True)
class RowsJob(_Ticks):
    """A job that makes or changes rows, or tells people, without a rule of its own: A-2, A-3, A-4, A-8 are not asked.

    `arrange(erp, day)` makes one row on which the job must act from that day on, and answers its id (0: none).
    `made(db)` is a list, comparable and in a fixed order, of all that the job is to make or change, without volatile columns
    (execution ids, instants of writing): it differs after a run that had something to do, and only then.
    `multiply(db, target, n)` makes n more rows like the arranged one, in one statement: n may be 50,000.
    `spoil(erp, day)` makes a row that cannot be judged and answers its item type in execution_items.
    """

    job_id: str
    arrange: Callable[[Erp, date], int]
    multiply: Callable[[Connection, int, int], None]
    made: Callable[[Connection], Sequence[Any]]
    spoil: Callable[[Erp, date], str] | None = None

    def __str__(self) -> str:
        return f"{self.job_id}-rows"


Case = AlertJob | RowsJob
