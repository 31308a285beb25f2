"""How loud is an unpaid invoice past its due date? (rulebook job 30)"""

from decimal import Decimal
from operator import ge

from shared.rules.ladder import Ladder, Step
from shared.rules.levels import shifted

# What an invoice says about its dispute when there is none, or no longer one.
UNDISPUTED = ("", "NONE", "RESOLVED", "CLOSED")


def receivable_ladder(warning_days: int, critical_days: int, urgent_days: int) -> Ladder:
    """By days past the due date; the due date itself is not overdue."""
    return Ladder((
        Step(ge, urgent_days, "URGENT"), Step(ge, critical_days, "CRITICAL"), Step(ge, warning_days, "WARNING"),
        Step(ge, 1, "INFO"),
    ))


def is_disputed(dispute_status: str | None) -> bool:
    """Whether the customer contests the invoice now."""
    return dispute_status is not None and dispute_status not in UNDISPUTED


def receivable_level(
    days_overdue: int | None, amount: Decimal, *, disputed: bool, large_amount: int, warning_days: int,
    critical_days: int, urgent_days: int,
) -> str | None:
    """The ladder, one level higher from a large amount on; a disputed invoice stays INFO.

    `amount` is the invoice's, not what is left of it: a partial payment lowers what is owed, never the level.
    """
    level = receivable_ladder(warning_days, critical_days, urgent_days).answer(days_overdue)
    if level is None or disputed:
        return level and "INFO"
    return shifted(level, int(amount >= large_amount))
