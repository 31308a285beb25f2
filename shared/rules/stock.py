"""What is remarkable about a stock row, and what follows from what was counted? (rulebook job M1)"""

from decimal import Decimal

CYCLES = {"A": 1, "B": 3, "C": 6}  # months after which a class is counted again


def flags(
    quantity: Decimal, recomputed: Decimal | None, available: Decimal, safety: Decimal, frozen: Decimal,
    days_unmoved: int, slow_days: int,
) -> list[str]:  # fmt: skip
    """NEGATIVE, LEDGER_DIFF, BELOW_SAFETY, NO_MOVE, FROZEN; `available` and `safety` are the whole material's."""
    found = {
        "NEGATIVE": quantity < 0,
        "LEDGER_DIFF": recomputed is not None and quantity != recomputed,
        "BELOW_SAFETY": safety > 0 and available < safety,
        "NO_MOVE": quantity != 0 and days_unmoved > slow_days,
        "FROZEN": frozen > 0,
    }
    return [name for name, true in found.items() if true]


def next_step(
    expected: Decimal, difference: Decimal, price: Decimal, *, recounted: bool, line_percent: int, line_value: int,
    approve_value: int,
) -> str | None:  # fmt: skip
    """SECOND_COUNT for a difference of more than so many percent or so much money; after it APPROVAL for very much."""
    value = abs(difference) * price
    doubtful = abs(difference) * 100 > abs(expected) * line_percent or value > line_value
    if doubtful and not recounted:
        return "SECOND_COUNT"
    return "APPROVAL" if value > approve_value else None
