"""How much work waits for somebody, and how much is too much? (rulebook job 12)"""

from decimal import Decimal
from operator import gt

from shared.rules.ladder import Ladder, Step

DAY = 8  # standard hours of a workday (rulebook 6.8)


def overload_ladder(warning_percent: int, critical_percent: int, urgent_percent: int) -> Ladder:
    """By the load in percent of the standard hours; exactly at a limit is not above it."""
    return Ladder((
        Step(gt, urgent_percent, "URGENT"), Step(gt, critical_percent, "CRITICAL"),
        Step(gt, warning_percent, "WARNING"),
    ))


def task_hours(workdays: int, progress_percent: int) -> Decimal:
    """Hours that a task still needs on the workdays that it shares with the window."""
    return Decimal(workdays * DAY * (100 - progress_percent)) / 100


def allocation_hours(workdays: int, of_workdays: int, planned_hours: Decimal | None, percent: Decimal) -> Decimal:
    """The planned hours' share by workdays; without planned hours the share of a full day."""
    if planned_hours is None:
        return workdays * DAY * percent / 100
    return planned_hours * workdays / of_workdays if of_workdays else Decimal(0)


def load_percent(demand_hours: Decimal, standard_hours: Decimal) -> Decimal | None:
    """Demand over standard; nobody without standard hours (a long holiday, a long leave) is judged."""
    return round(100 * demand_hours / standard_hours, 6) if standard_hours > 0 else None
