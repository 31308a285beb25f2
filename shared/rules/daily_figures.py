"""How are a day's production figures worked out? (rulebook 22)

The job runs these rules in SQL (shared/erp/production_stats.py); the same tables of cases test both.
"""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

LONGEST_DAYS = 3650  # a plan that is longer is a slip of the pen
_CENT, _CAP = Decimal("0.01"), Decimal("999.99")


def share(first: date, last: date, day: date, is_workday: Callable[[date], bool]) -> Decimal:
    """A day's share of what is planned from `first` to `last`: spread evenly over its workdays.

    A window without any workday is spread over all its days.
    """
    if not first <= day <= last:
        return Decimal(0)
    window = [first + timedelta(n) for n in range((last - first).days + 1)]
    worked = [one for one in window if is_workday(one)] or window
    return Decimal(1) / len(worked) if day in worked else Decimal(0)


def completion_rate(completed: Decimal, planned: Decimal) -> Decimal:
    """Percent of the plan, at most 999.99; 0 without a plan."""
    return min(_CAP, _rounded(completed * 100 / planned)) if planned > 0 else Decimal(0)


def efficiency(earned: Decimal, worked: Decimal) -> Decimal | None:
    """Hours earned by what was completed, in percent of the hours worked; more is better (D-61)."""
    return _rounded(earned * 100 / worked) if worked else None


def pass_rate(qualified: Decimal, defect: Decimal, total: Decimal) -> Decimal | None:
    """Percent of what was made that is good; 0 when nothing was made, None when nobody said how good it is."""
    if not total:
        return Decimal(0)
    return _rounded(qualified * 100 / total) if qualified + defect else None


def overtime(hours_by_worker: Iterable[Decimal], *, is_workday: bool, day_hours: int) -> Decimal:
    """What each worker did beyond a day's hours; on a rest day all of it."""
    return sum((max(hours - day_hours, Decimal(0)) if is_workday else hours for hours in hours_by_worker), Decimal(0))


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(_CENT, ROUND_HALF_UP)
