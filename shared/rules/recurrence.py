"""When does something that comes back come back? Duties by the calendar, tasks from their last start (rulebook 6.6)."""

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")


def clamped(year: int, month: int, day: int) -> date:
    """That day of the month, or the month's last: the 31st of February is the 28th or 29th."""
    return date(year, month, min(day, monthrange(year, month)[1]))


def next_on_or_after(frequency: str, day: date, *, of_week: int = 1, of_month: int = 1, month: int = 1) -> date:
    """The first occurrence on or after a day, into the next week, month or year if need be (weekdays: 1 = Monday)."""
    if frequency == "DAILY":
        return day
    if frequency == "WEEKLY":
        return day + timedelta(days=(of_week - day.isoweekday()) % 7)
    if frequency == "MONTHLY":
        this = clamped(day.year, day.month, of_month)
        following = day.replace(day=1) + timedelta(days=31)
        return this if this >= day else clamped(following.year, following.month, of_month)
    this = clamped(day.year, month, of_month)
    return this if this >= day else clamped(day.year + 1, month, of_month)


def duty_day(
    frequency: str, day: date, is_workday: Callable[[date], bool] | None, *, of_week: int = 1, of_month: int = 1,
    month: int = 1,
) -> date:  # fmt: skip
    """The day that a duty is for, as seen from a day; with `is_workday`, a day of rest moves to the next workday.

    An occurrence of the days of rest just before is still ahead when its workday is.
    """
    if is_workday is None:
        return next_on_or_after(frequency, day, of_week=of_week, of_month=of_month, month=month)
    first = day
    while not is_workday(first - timedelta(days=1)):
        first -= timedelta(days=1)
    found = next_on_or_after(frequency, first, of_week=of_week, of_month=of_month, month=month)
    while not is_workday(found):
        found += timedelta(days=1)
    return max(found, day)


@dataclass(frozen=True)
class Recurrence:
    """Every so many days, weeks, months or years from a start; what is None is the start's own."""

    frequency: str
    every: int = 1
    day: int | None = None  # of the week or of the month
    month: int | None = None
    at: time | None = None

    @property
    def makes_sense(self) -> bool:
        """A week has seven days."""
        return self.frequency != "WEEKLY" or (self.day or 1) <= 7

    def latest(self, start: datetime, now: datetime) -> datetime | None:
        """The latest occurrence after a start and not after now, all in local time; none when none has come yet."""
        periods = self._periods(now.date()) - self._periods(start.date())
        newest = periods - periods % self.every
        for ahead in (newest, newest - self.every):
            occurrence = self._occurrence(start, ahead) if ahead >= 0 else None
            if occurrence and start < occurrence <= now:
                return occurrence
        return None

    def _periods(self, day: date) -> int:
        """Days, weeks, months or years since long ago."""
        months = day.year * 12 + day.month
        by = {"DAILY": day.toordinal(), "WEEKLY": (day.toordinal() - 1) // 7, "MONTHLY": months, "YEARLY": day.year}
        return by[self.frequency]

    def _occurrence(self, start: datetime, ahead: int) -> datetime:
        first = start.date()
        if self.frequency == "DAILY":
            day = first + timedelta(days=ahead)
        elif self.frequency == "WEEKLY":
            monday = first - timedelta(days=first.isoweekday() - 1)
            day = monday + timedelta(days=7 * ahead + (self.day or first.isoweekday()) - 1)
        elif self.frequency == "MONTHLY":
            months = first.year * 12 + first.month - 1 + ahead
            day = clamped(months // 12, months % 12 + 1, self.day or first.day)
        else:
            day = clamped(first.year + ahead, self.month or first.month, self.day or first.day)
        return datetime.combine(day, self.at or start.time())
