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
# A booking's first and last day (of 2026; the window ends on 31 March), the workdays it shares with the window, all of its workdays, planned hours
# or none, percent, the hours that count
SHARED: list[tuple[str, str, int, int, str | None, str, str]] = [
    ("03-30", "04-02", 2, 4, "30", "100", "15"), ("03-30", "04-02", 2, 4, None, "50", "8"), ("03-27", "03-30", 2, 2, "30", "50", "30"),
    ("03-28", "03-29", 0, 0, "30", "100", "0"), ("03-28", "03-29", 0, 0, None, "100", "0"), ("04-01", "04-02", 0, 2, "30", "100", "0"),
    ("03-31", "04-07", 1, 5, "40", "0", "8"), ("03-31", "03-31", 1, 1, None, "25", "2"),
]  # fmt: skip
