"""Which production plans and work orders need somebody's eye? (rulebook jobs 16 and 17)"""

from datetime import date
from decimal import Decimal
from operator import ge, gt

from shared.rules.ladder import Ladder, Step
from shared.rules.levels import LEVELS

DONE = Decimal(100)


def end_ladder(urgent_after_days: int) -> Ladder:
    """A plan behind its mark, by days past its end; the end itself is not past."""
    return Ladder((Step(gt, urgent_after_days, "URGENT"), Step(gt, 0, "CRITICAL")), otherwise="WARNING")


def deviation_ladder(warning_points: int, critical_points: int) -> Ladder:
    """By the points that a plan's progress is behind a straight line from its start to its end."""
    return Ladder((Step(ge, critical_points, "CRITICAL"), Step(ge, warning_points, "WARNING")))


def elapsed_percent(start: date, end: date, day: date) -> Decimal:
    """How much of a plan's time has passed, 0 to 100; a plan of one day is over on the day after."""
    if end <= start:
        return DONE if day > end else Decimal(0)
    return min(DONE, max(Decimal(0), Decimal(100 * (day - start).days) / (end - start).days))


def plan_level(
    status: str, progress: Decimal, start: date, end: date, day: date, *, min_progress: int, window_days: int,
    urgent_after_days: int, deviation_warning: int, deviation_critical: int, min_elapsed: int, start_grace_days: int,
) -> str | None:
    """The worst that is said of a plan: near its end and not far enough, behind its line, long over, or not begun."""
    if progress >= DONE:
        return None
    late = (day - end).days
    if status == "PUBLISHED":
        return "WARNING" if (day - start).days > start_grace_days else None
    elapsed, found = elapsed_percent(start, end, day), []
    if late >= -window_days and (progress < min_progress or late > urgent_after_days):
        found.append(end_ladder(urgent_after_days).answer(late))
    if elapsed >= min_elapsed:
        found.append(deviation_ladder(deviation_warning, deviation_critical).answer(elapsed - progress))
    return max((level for level in found if level), key=LEVELS.index, default=None)


def silence_ladder(warning_hours: int, critical_hours: int) -> Ladder:
    """A started work order by the hours of workdays since somebody last reported on it."""
    return Ladder((Step(gt, critical_hours, "CRITICAL"), Step(gt, warning_hours, "WARNING")))


def start_ladder(grace_workdays: int) -> Ladder:
    """An assigned work order by the workdays since its planned start."""
    return Ladder((Step(gt, grace_workdays, "INFO"),))
