"""Both sides of every threshold of waiting engineering changes; the rule and the job are tested by the same tables."""

# minutes past the due time of an evaluation or approval, level
WAITING: list[tuple[int, str | None]] = [
    (-60, None),
    (0, None),
    (1, "WARNING"),
    (60, "WARNING"),
    (4 * 1440 - 1, "WARNING"),
    (4 * 1440, "CRITICAL"),
    (8 * 1440 - 1, "CRITICAL"),
    (8 * 1440, "URGENT"),
    (400 * 1440, "URGENT"),
]
# days past the planned end of a task, level
TASKS: list[tuple[int, str | None]] = [
    (-1, None),
    (0, None),
    (1, "WARNING"),
    (3, "WARNING"),
    (4, "CRITICAL"),
    (7, "CRITICAL"),
    (8, "URGENT"),
]
