"""How much of a span of time were workdays? By belfry.biz_calendar; a day it does not know rests at weekends."""

from datetime import date
from typing import Any

from sqlalchemy import CTE, Date, Integer, Numeric, Select, cast, column, extract, func, literal, select, text


def calendar(first: Any, last: date, name: str = "workdays") -> CTE:
    """Each day from `first` (a date or a scalar sub-select) to `last`: is it `worked`, and the workdays `before` it."""
    days = select(
        cast(func.generate_series(first, literal(last), text("interval '1 day'")), Date).label("day")
    ).subquery().c
    worked = cast(func.belfry.is_workday(days.day), Integer)
    return select(
        days.day, worked.label("worked"), (func.sum(worked).over(order_by=days.day) - worked).label("before"),
    ).cte(name)


def hours_until(day: Any, local: Any) -> Any:
    """Hours of workdays from the calendar's first day to a local time on `day`, one of its rows."""
    clock = extract("epoch", local - func.date_trunc("day", local)) / literal(3600, Numeric)
    return day.before * 24 + day.worked * clock


def between(first: date, last: date) -> Select[Any]:
    """The days of a span with `day` and `worked`, for Python."""
    days = func.generate_series(literal(first), literal(last), text("interval '1 day'")).table_valued(column("d")).c.d
    return select(cast(days, Date).label("day"), func.belfry.is_workday(cast(days, Date)).label("worked"))
