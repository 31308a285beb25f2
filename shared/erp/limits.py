"""How does a time limit look in SQL? (shared/rules/limits.py)"""

from typing import Any

from sqlalchemy import Text, case, cast, func, literal, type_coerce
from sqlalchemy.types import Date, Integer

from shared.rules.limits import beyond


def timeout_level(days: Any, limit: Any, high_percent: int) -> Any:
    """shared.rules.limits.timeout_level as an expression."""
    return case(
        (beyond(days, limit, high_percent) & beyond(days, limit, 100), literal("WARNING", Text)),
        (beyond(days, limit, 100), "INFO"),
    )


def local_day(instant: Any, zone: str) -> Any:
    """The business day of an instant."""
    return cast(func.timezone(zone, instant), Date)


def days_since(instant: Any, day: Any, zone: str) -> Any:
    """Calendar days from an instant's business day to `day`."""
    return type_coerce(literal(day, Date) - local_day(instant, zone), Integer)
