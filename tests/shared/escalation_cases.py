"""One table of cases for the ladder of job 31: the pure rule and the SQL must agree on it. 2026-03-02 is a Monday."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
# What the calendar says beyond the weekends: a holiday, and the Sunday worked for it.
CALENDAR = {date(2026, 3, 4): False, date(2026, 3, 8): True}


def moment(text: str) -> datetime:
    """`03-02 09:00` of 2026, Shanghai."""
    return datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)


@dataclass(frozen=True)
class Case:
    """An alert at a moment, and the level it steps to (None: nothing happens)."""

    name: str
    level: str
    since: str  # when it got its level
    now: str
    steps_to: str | None
    status: str = "PENDING"
    taken: str | None = None  # acknowledged, or work begun
    escalated: str | None = None
    repeats: tuple[str, ...] = ()  # earlier repeats as URGENT
    params: dict[str, int] = field(default_factory=dict)

    def columns(self) -> dict[str, Any]:
        """The alert's columns."""
        taken = moment(self.taken) if self.taken else None
        return {
            "alert_level": self.level,
            "status": self.status,
            "level_changed_at": moment(self.since),
            "triggered_at": moment(self.since),
            "acknowledged_at": taken if self.status == "ACKNOWLEDGED" else None,
            "handle_start_at": taken if self.status == "PROCESSING" else None,
            "escalated_at": moment(self.escalated) if self.escalated else None,
        }

    @property
    def repeats_today(self) -> int:
        """How many of the repeats fall on the day of `now`."""
        return sum(moment(r).date() == moment(self.now).date() for r in self.repeats)


def is_workday(day: date) -> bool:
    """The calendar of the cases."""
    return CALENDAR.get(day, day.isoweekday() < 6)


CASES = [
    # INFO: 24 working hours; a day counts from 08:00 to 20:00.
    Case("one minute short of 24 counted hours", "INFO", "03-02 08:00", "03-03 19:59", None),
    Case("24 counted hours", "INFO", "03-02 08:00", "03-03 20:00", "WARNING"),
    Case("the night does not count", "INFO", "03-02 08:00", "03-03 08:00", None),
    Case("raised at night, counted from the morning", "INFO", "03-01 23:00", "03-03 20:00", "WARNING"),
    Case("a holiday does not count", "INFO", "03-03 08:00", "03-04 20:00", None),
    Case("the day after the holiday does", "INFO", "03-03 08:00", "03-05 20:00", "WARNING"),
    Case("a weekend does not count", "WARNING", "03-13 16:00", "03-16 11:59", None),
    Case("Friday's four hours and Monday's", "WARNING", "03-13 16:00", "03-16 12:00", "CRITICAL"),
    Case("a Sunday that is worked counts", "WARNING", "03-06 16:00", "03-08 12:00", "CRITICAL"),
    Case("the next step needs eight counted hours more", "WARNING", "03-03 20:00", "03-05 15:59", None),
    Case("eight counted hours more", "WARNING", "03-03 20:00", "03-05 16:00", "CRITICAL"),
    # CRITICAL and URGENT: every hour counts.
    Case("three hours and 59 minutes", "CRITICAL", "03-02 20:00", "03-02 23:59", None),
    Case("four hours, at night", "CRITICAL", "03-02 20:00", "03-03 00:00", "URGENT"),
    Case("one hour and 59 minutes", "URGENT", "03-07 01:00", "03-07 02:59", None),
    Case("urgent for two hours, on a Saturday", "URGENT", "03-07 01:00", "03-07 03:00", "URGENT"),
    Case("repeated: not after two hours again", "URGENT", "03-07 01:00", "03-07 06:59", None, escalated="03-07 03:00"),
    Case("repeated: after four", "URGENT", "03-07 01:00", "03-07 07:00", "URGENT", escalated="03-07 03:00"),
    Case(
        "just escalated to URGENT: two hours first", "URGENT", "03-07 01:00", "03-07 03:00", "URGENT",
        escalated="03-07 01:00",
    ),
    Case(
        "upgraded to URGENT after an escalation long ago", "URGENT", "03-07 01:00", "03-07 03:00", "URGENT",
        escalated="03-05 01:00",
    ),
    Case(
        "six repeats are enough for a day", "URGENT", "03-06 23:00", "03-07 21:00", None,
        escalated="03-07 17:00",
        repeats=("03-07 01:00", "03-07 05:00", "03-07 09:00", "03-07 13:00", "03-07 15:00", "03-07 17:00"),
    ),
    Case(
        "yesterday's repeats do not count", "URGENT", "03-06 01:00", "03-07 01:00", "URGENT",
        escalated="03-06 21:00",
        repeats=("03-06 03:00", "03-06 07:00", "03-06 11:00", "03-06 15:00", "03-06 19:00", "03-06 21:00"),
    ),
    # Acknowledged: twice the time from the acknowledgement; in work: three times from its start.
    Case("acknowledged, 7:59", "CRITICAL", "03-02 01:00", "03-02 10:59", None, "ACKNOWLEDGED", "03-02 03:00"),
    Case("acknowledged, 8:00", "CRITICAL", "03-02 01:00", "03-02 11:00", "URGENT", "ACKNOWLEDGED", "03-02 03:00"),
    Case(
        "acknowledged INFO, 48 counted", "INFO", "03-02 08:00", "03-06 20:00", "WARNING",
        "ACKNOWLEDGED", "03-02 08:00",
    ),
    Case("acknowledged INFO, less", "INFO", "03-02 08:00", "03-06 19:59", None, "ACKNOWLEDGED", "03-02 08:00"),
    Case(
        "its level rose after the acknowledgement", "CRITICAL", "03-02 09:00", "03-02 16:59", None,
        "ACKNOWLEDGED", "03-02 03:00",
    ),
    Case("in work, 11:59", "CRITICAL", "03-02 01:00", "03-02 14:59", None, "PROCESSING", "03-02 03:00"),
    Case("in work, 12:00", "CRITICAL", "03-02 01:00", "03-02 15:00", "URGENT", "PROCESSING", "03-02 03:00"),
    Case("in work without a start", "CRITICAL", "03-02 01:00", "03-02 13:00", "URGENT", "PROCESSING"),
    # Thresholds are params.
    Case("a limit of one hour", "CRITICAL", "03-02 01:00", "03-02 02:00", "URGENT", params={"critical_hours": 1}),
    Case("no repeats wanted", "URGENT", "03-07 01:00", "03-07 09:00", None, params={"urgent_repeats_per_day": 0}),
]  # fmt: skip
