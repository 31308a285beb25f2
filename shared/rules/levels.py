"""How loud is an alert? Four levels in one fixed order (rulebook 3.3)."""

LEVELS = ("INFO", "WARNING", "CRITICAL", "URGENT")


def shifted(level: str, steps: int) -> str:
    """A level some steps up or down, never past INFO or URGENT."""
    return LEVELS[min(3, max(0, LEVELS.index(level) + steps))]
