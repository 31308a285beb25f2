"""What a project's progress is made of; the rule and the job are tested by the same table."""

# tasks (status, percent, weight), milestones done or not, progress ("33.3" is what stood there before)
Task = tuple[str, int, str]
BEFORE = "33.3"
CASES: list[tuple[list[Task], list[bool], str]] = [
    ([], [], BEFORE),
    ([("TODO", 0, "1")], [], "0"),
    ([("IN_PROGRESS", 45, "1"), ("DONE", 100, "1")], [], "72.5"),
    ([("IN_PROGRESS", 50, "3"), ("TODO", 0, "1")], [], "37.5"),
    ([("DONE", 20, "1"), ("TODO", 0, "1")], [], "50"),
    ([("DONE", 100, "1"), ("TODO", 0, "2")], [], "33.33"),
    ([("DONE", 100, "2"), ("TODO", 0, "1")], [], "66.67"),
    ([("DONE", 100, "0"), ("TODO", 0, "-5"), ("TODO", 0, "2")], [], "25"),
    ([("DONE", 100, "1"), ("DONE", 0, "9")], [], "100"),
    ([("IN_PROGRESS", 100, "1"), ("DONE", 100, "1")], [], "99.99"),
    ([("DONE", 100, "99999"), ("TODO", 0, "0.01")], [], "99.99"),
    ([("BLOCKED", 40, "1"), ("CANCELLED", 90, "50")], [], "40"),
    ([("DONE", 100, "1"), ("CANCELLED", 0, "1")], [], "100"),
    ([("DONE", 100, "1")], [False, False], "100"),
    ([("CANCELLED", 90, "1")], [], BEFORE),
    ([("CANCELLED", 90, "1")], [True, False, False], "33.33"),
    ([], [True, True, False], "66.67"),
    ([], [True], "100"),
    ([], [False], "0"),
]
