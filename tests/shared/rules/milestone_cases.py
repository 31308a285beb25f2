"""Both sides of every threshold of a milestone; the rule and the job are tested by the same table."""

# days to the planned date, key, the milestone's own reminder window, level
CASES: list[tuple[int, bool, int | None, str | None]] = [
    (4, True, None, None),
    (3, True, None, "WARNING"),
    (0, True, None, "WARNING"),
    (-1, True, None, "CRITICAL"),
    (-7, True, None, "CRITICAL"),
    (-8, True, None, "URGENT"),
    (-100, True, None, "URGENT"),
    (4, False, None, None),
    (3, False, None, "INFO"),
    (0, False, None, "INFO"),
    (-1, False, None, "WARNING"),
    (-7, False, None, "WARNING"),
    (-8, False, None, "CRITICAL"),
    (10, True, 10, "WARNING"),
    (11, True, 10, None),
    (1, True, 0, None),
    (0, False, 0, "INFO"),
    (-1, True, 0, "CRITICAL"),
]
