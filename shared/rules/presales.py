"""How long may a presale ticket take, and how loudly is it told when it takes longer? (rulebook job 33)"""

from collections.abc import Mapping
from decimal import Decimal

SHORTEST_DAYS = 1  # however urgent


def ticket_limit(
    ticket_type: str, urgency: str, days_to_deadline: int | None, *, limits: Mapping[str, int],
    urgency_percent: Mapping[str, int],
) -> Decimal:
    """Days that a ticket may take: to its own deadline if it has one, else by its type and urgency.

    `limits` has a number of days by type, OTHER for every type it does not name, `urgency_percent` how much of them an
    urgency leaves; `days_to_deadline` counts from the day the ticket was made.
    """
    if days_to_deadline is not None:
        return Decimal(days_to_deadline)
    days = limits.get(ticket_type, limits["OTHER"])
    return max(Decimal(days * urgency_percent.get(urgency, 100)) / 100, Decimal(SHORTEST_DAYS))
