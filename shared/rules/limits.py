"""Has something taken longer than it may, and by how much? (rulebook jobs 32 and 33)"""

from decimal import Decimal
from typing import Any


def beyond(days: Any, limit: Any, percent: int) -> Any:
    """Whether the days are more than so many percent of the limit; exactly as many are not. Also says it of columns."""
    return days * 100 > limit * percent


def timeout_level(days: int, limit: int | Decimal, high_percent: int) -> str | None:
    """None up to the limit, then NORMAL (INFO), and HIGH (WARNING) beyond so many percent of it."""
    if not beyond(days, limit, 100):
        return None
    return "WARNING" if beyond(days, limit, high_percent) else "INFO"
