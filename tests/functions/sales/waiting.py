"""What the tests of the two jobs share that remind of what waits too long: things of an age, and who was told of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Table, text

from shared.erp import tables
from tests.acceptance.cases import RowsJob
from tests.acceptance.many import copies_of
from tests.evidence import messages
from tests.factories import TODAY, Erp


def ago(days: int, clock: str = "10:00", *, on: date = TODAY) -> datetime:
    return datetime.combine(on - timedelta(days=days), time.fromisoformat(clock), ZoneInfo("Asia/Shanghai"))


def opportunity(erp: Erp, days: int, stage: str = "QUALIFIED", *, on: date = TODAY, clock: str = "10:00", **columns: Any) -> int:
    """An opportunity that has stood in its stage for so many days."""
    return erp.opportunity(stage=stage, stage_entered_at=ago(days, clock, on=on), **columns)


def ticket(erp: Erp, days: int, kind: str = "CONSULT", *, on: date = TODAY, clock: str = "10:00", **columns: Any) -> int:
    """A presale ticket in work, made so many days ago."""
    return erp.presale_ticket(**{"ticket_type": kind, "status": "PROCESSING", "created_at": ago(days, clock, on=on)} | columns)


@dataclass(frozen=True)
class Waiting:
    """One of the jobs: its message, what it looks at, and the column that names one of them."""

    job: str
    type: str
    clock: str
    make: Callable[..., int]
    table: Table
    number: str
    item: str

    def at(self, days: int = 0) -> str:
        """The job's tick, so many days later."""
        return f"{TODAY + timedelta(days=days)}T{self.clock}+08:00"

    def told(self, db: Connection) -> list[Any]:
        return [m for m in messages(db) if m["type"] == self.type]

    def recipients(self, db: Connection) -> set[str]:
        return set(db.execute(text("select unnest(recipients) from belfry.notifications where type = :t"), {"t": self.type}).scalars())

    def case(self, days: int, spoil: Callable[[Erp, date], int]) -> RowsJob:
        """What every job promises; `days` are enough to be told, what `spoil` makes cannot be judged."""
        return RowsJob(
            self.job, clock=self.clock,
            arrange=lambda erp, day: self.make(erp, days, on=day),
            multiply=copies_of(self.table, self.number),
            made=lambda db: [m["dedupe_key"] for m in self.told(db)],
            spoil=lambda erp, day: (spoil(erp, day), self.item)[1],
        )  # fmt: skip


STAGES = Waiting(
    "check_opportunity_stage_timeout", "OPPORTUNITY_STAGE_TIMEOUT", "15:30", opportunity, tables.opportunities, "opp_code", "OPPORTUNITY"
)
TICKETS = Waiting(
    "check_presale_workorder_timeout", "PRESALE_TICKET_TIMEOUT", "16:00", ticket, tables.presale_tickets, "ticket_no", "PRESALE_TICKET"
)
