"""How far is a project, and how far should it be? (rulebook job 13)"""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from shared.rules.milestone_risk import weight

CENT, ALMOST = Decimal("0.01"), Decimal("99.99")


def progress(
    tasks: Sequence[tuple[str, int | None, Decimal | None]], milestones: Sequence[bool], stored: Decimal
) -> Decimal:
    """Percent: the mean of tasks (status, percent, weight) by weight; without tasks the share of milestones done.

    A task that is done counts 100 whatever its field says, a cancelled one is none. Only when every task is done the
    project is; with neither tasks nor milestones it stays where it is.
    """
    work = [
        (Decimal(100) if status == "DONE" else Decimal(percent or 0), weight(given))
        for status, percent, given in tasks
        if status != "CANCELLED"
    ]
    if work:
        mean = sum((percent * each for percent, each in work), Decimal(0)) / sum((each for _, each in work), Decimal(0))
        finished = all(status in ("DONE", "CANCELLED") for status, _, _ in tasks)
        return Decimal(100) if finished else min(ALMOST, _rounded(mean))
    return _rounded(Decimal(100 * sum(milestones)) / len(milestones)) if milestones else stored


def planned(day: date, start: date | None, end: date | None) -> Decimal | None:
    """Percent of the planned time that has gone, 0 to 100; none for a plan that cannot be measured."""
    if start is None or end is None or end <= start:
        return None
    return _rounded(max(Decimal(0), min(Decimal(100), Decimal(100 * (day - start).days) / (end - start).days)))


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(Decimal("0.01"), ROUND_HALF_UP)
