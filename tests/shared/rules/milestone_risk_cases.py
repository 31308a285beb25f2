"""Both sides of every threshold of a milestone at risk; the rule and the job are tested by the same table."""

# days left, key, linked tasks (status, weight), what stands in the way, level
Tasks = list[tuple[str, str]]
_FOUR_OF_FIVE: Tasks = [("DONE", "1")] * 4 + [("TODO", "1")]
_BEHIND: Tasks = [("DONE", "79.9"), ("TODO", "20.1")]
CASES: list[tuple[int, bool, Tasks, bool, str | None]] = [
    (8, True, _BEHIND, False, None),
    (7, True, _BEHIND, False, "WARNING"),
    (4, True, _BEHIND, False, "WARNING"),
    (3, True, _BEHIND, False, "CRITICAL"),
    (0, True, _BEHIND, False, "CRITICAL"),
    (-1, True, _BEHIND, False, None),
    (3, False, _BEHIND, False, "CRITICAL"),
    (7, True, _FOUR_OF_FIVE, False, None),
    (3, True, [("DONE", "80"), ("TODO", "20")], True, None),
    (3, True, [("DONE", "79.99"), ("TODO", "20.01")], False, "CRITICAL"),
    (7, False, _BEHIND, True, "CRITICAL"),
    (3, False, _BEHIND, True, "URGENT"),
    (7, True, [], False, "INFO"),
    (0, True, [], True, "INFO"),
    (7, False, [], False, None),
    (8, True, [], False, None),
    (5, True, [("CANCELLED", "1")], False, "INFO"),
    (5, False, [("CANCELLED", "1")], False, None),
    (5, True, [*_FOUR_OF_FIVE, ("CANCELLED", "50")], False, None),
    (5, True, [("DONE", "0"), ("DONE", "-3"), ("DONE", "0"), ("DONE", "1"), ("TODO", "0")], False, None),
    (5, True, [("DONE", "0"), ("TODO", "9")], False, "WARNING"),
    (5, True, [("IN_PROGRESS", "1")], False, "WARNING"),
    (5, True, [("BLOCKED", "1"), ("DONE", "1")], True, "CRITICAL"),
]
