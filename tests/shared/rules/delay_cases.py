"""Both sides of every threshold of a delay; the rule and the job are tested by the same table."""

# days past the planned end, on the critical path, level
CASES: list[tuple[int | None, bool, str | None]] = [
    (None, True, None),
    (-1, False, None),
    (0, False, None),
    (0, True, None),
    (1, False, "WARNING"),
    (2, False, "WARNING"),
    (3, False, "CRITICAL"),
    (6, False, "CRITICAL"),
    (7, False, "URGENT"),
    (400, False, "URGENT"),
    (1, True, "CRITICAL"),
    (3, True, "URGENT"),
    (7, True, "URGENT"),
]
