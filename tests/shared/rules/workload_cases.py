"""Both sides of every threshold of a load; the rule and the job are tested by the same table."""

# tasks over the whole window by progress, allocations over the whole window (planned hours or none, percent), level.
# The window is one of 22 workdays: 176 standard hours, 1.76 hours a percent.
Task = int
Allocation = tuple[str | None, str]
CASES: list[tuple[list[Task], list[Allocation], str | None]] = [
    ([], [], None),
    ([0], [], None),
    ([0, 90], [], None),
    ([0, 89], [], "WARNING"),
    ([0, 50], [], "WARNING"),
    ([0, 49], [], "CRITICAL"),
    ([0, 0], [], "CRITICAL"),
    ([0, 0, 99], [], "URGENT"),
    ([100, 100], [], None),
    ([], [("193.6", "100")], None),
    ([], [("193.776", "100")], "WARNING"),
    ([], [("264", "100")], "WARNING"),
    ([], [("264.176", "100")], "CRITICAL"),
    ([], [("352", "100")], "CRITICAL"),
    ([], [("352.01", "100")], "URGENT"),
    ([], [(None, "110")], None),
    ([], [(None, "110.1")], "WARNING"),
    ([], [(None, "150.1")], "CRITICAL"),
    ([], [("0", "100"), (None, "0")], None),
    ([50], [("88", "100"), (None, "10.01")], "WARNING"),
    ([], [("58.67", "100"), ("58.67", "100"), ("58.66", "100"), (None, "10")], None),
]
