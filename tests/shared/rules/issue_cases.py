"""Both sides of every threshold of overdue and blocking issues; the rules and the jobs are tested by the same tables."""

# days past the due date, priority, level
OVERDUE: list[tuple[int, str, str | None]] = [
    (-1, "MEDIUM", None),
    (0, "MEDIUM", None),
    (0, "URGENT", None),
    (1, "MEDIUM", "INFO"),
    (2, "HIGH", "INFO"),
    (3, "LOW", "WARNING"),
    (6, "MEDIUM", "WARNING"),
    (7, "MEDIUM", "CRITICAL"),
    (400, "LOW", "CRITICAL"),
    (1, "URGENT", "WARNING"),
    (3, "URGENT", "CRITICAL"),
    (7, "URGENT", "URGENT"),
]
# minutes since the issue was raised, level
BLOCKING: list[tuple[int, str]] = [
    (0, "WARNING"),
    (24 * 60 - 1, "WARNING"),
    (24 * 60, "CRITICAL"),
    (72 * 60 - 1, "CRITICAL"),
    (72 * 60, "URGENT"),
    (900 * 60, "URGENT"),
]
