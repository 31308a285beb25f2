"""Both sides of every threshold of a task's time; the rules and the jobs are tested by the same tables."""

# percent of the time gone, progress, level
PROGRESS: list[tuple[int, int, str | None]] = [
    (0, 0, None),
    (79, 0, None),
    (79, 78, None),
    (80, 79, "INFO"),
    (80, 80, None),
    (89, 79, "INFO"),
    (89, 80, None),
    (90, 79, "WARNING"),
    (90, 89, "WARNING"),
    (90, 90, None),
    (92, 85, "WARNING"),
    (92, 91, None),
    (95, 94, "CRITICAL"),
    (95, 95, None),
    (95, 89, "CRITICAL"),
    (96, 96, None),
    (99, 94, "CRITICAL"),
    (99, 95, None),
    (100, 0, "URGENT"),
    (100, 99, "URGENT"),
    (100, 100, None),
]

# minutes from now to the start, to the end, percent of the time gone
TIME: list[tuple[int, int, int | None]] = [
    (1, 100, 0),
    (0, 100, 0),
    (-1, 99, 1),
    (-1, 198, 0),
    (-2, 198, 1),
    (-50, 50, 50),
    (-199, 1, 99),
    (-100, 0, 100),
    (-100, -1, 100),
    (0, 0, 100),
    (1, 1, 0),
    (-1, -1, 100),
    (1, 0, None),
    (10, -10, None),
]

# minutes from now to the deadline, hours before it, tier at 09:00 (a "{day}" is the day of the tick)
REMINDERS: list[tuple[int, int, str | None]] = [
    (24 * 60 + 1, 24, None),
    (24 * 60, 24, "H24"),
    (2 * 60 + 1, 24, "H24"),
    (2 * 60, 24, "H2"),
    (1, 24, "H2"),
    (0, 24, "OVER-{day}"),
    (-1, 24, "OVER-{day}"),
    (-9 * 60, 24, "OVER-{day}"),
    (-30 * 24 * 60, 24, "OVER-{day}"),
    (48 * 60 + 1, 48, None),
    (48 * 60, 48, "H48"),
    (2 * 60 + 1, 2, None),
    (2 * 60, 2, "H2"),
    (60 + 1, 1, None),
    (60, 1, "H2"),
    (1, 0, None),
    (0, 0, "OVER-{day}"),
]
