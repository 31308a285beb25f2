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
    ([("IN_PROGRESS", 1, "1"), ("TODO", 0, "199")], [], "0.01"),
    ([], [True, True, False], "66.67"),
    ([], [True] + [False] * 31, "3.13"),
    ([], [True], "100"),
    ([], [False], "0"),
]
# planned start and end (days from today), percent of the planned time that has gone
PLANNED: list[tuple[int | None, int | None, str | None]] = [
    (0, 10, "0"), (-3, 7, "30"), (-2, 1, "66.67"), (60, 70, "0"), (-40, -30, "100"), (0, 0, None), (7, 0, None), (None, 0, None), (0, None, None),
    (-1, 15, "6.25"), (-1, 799, "0.13"), (-3, 797, "0.38"),
]  # fmt: skip
