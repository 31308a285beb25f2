"""Both sides of every threshold of production plans, work reports and maintenance; rules and SQL run the same tables."""

from datetime import date

# status, progress, start and end (days from today), level
PLANS: list[tuple[str, int, int, int, str | None]] = [
    ("EXECUTING", 79, -30, 7, "WARNING"),      # 79 % and 7 days left
    ("EXECUTING", 80, -30, 7, None),
    ("EXECUTING", 79, -30, 8, None),
    ("EXECUTING", 70, -30, 0, "CRITICAL"),     # ends today; 30 points behind its line
    ("EXECUTING", 71, -30, 0, "WARNING"),      # ends today
    ("EXECUTING", 79, -30, -1, "CRITICAL"),    # ended yesterday
    ("EXECUTING", 80, -30, -1, "WARNING"),     # far enough, but 20 points behind its line
    ("EXECUTING", 90, -30, -7, None),
    ("EXECUTING", 79, -30, -7, "CRITICAL"),
    ("EXECUTING", 90, -30, -8, "URGENT"),      # over for more than a week, whatever its progress
    ("EXECUTING", 100, -30, -8, None),
    ("EXECUTING", 36, -50, 50, None),          # 14 points behind
    ("EXECUTING", 35, -50, 50, "WARNING"),     # 15
    ("EXECUTING", 21, -50, 50, "WARNING"),     # 29
    ("EXECUTING", 20, -50, 50, "CRITICAL"),    # 30
    ("EXECUTING", 0, -19, 81, None),           # 19 % of its time has passed
    ("EXECUTING", 0, -20, 80, "WARNING"),      # 20 %
    ("EXECUTING", 0, 10, 30, None),            # not begun by plan either
    ("EXECUTING", 0, 0, 0, "WARNING"),         # a plan of one day, today
    ("EXECUTING", 90, -1, -1, None),           # a plan of one day, yesterday: 10 points behind
    ("EXECUTING", 80, -1, -1, "WARNING"),
    ("PUBLISHED", 0, -1, 60, None),
    ("PUBLISHED", 0, -2, 60, "WARNING"),
    ("PUBLISHED", 100, -2, 60, None),
    ("PUBLISHED", 0, -60, -9, "WARNING"),      # nobody has begun: that is what is said
]
# hours of workdays since the last sign of life, level
SILENCE: list[tuple[str, str | None]] = [
    ("0", None), ("24", None), ("24.0001", "WARNING"), ("48", "WARNING"), ("72", "WARNING"), ("72.0001", "CRITICAL"), ("9000", "CRITICAL"),
]
# workdays past the planned start, level
UNBEGUN: list[tuple[int, str | None]] = [(0, None), (1, None), (2, "INFO"), (300, "INFO")]
# days overdue, key machine, level
MAINTENANCE: list[tuple[int, bool, str | None]] = [
    (-1, False, None), (0, False, None), (0, True, None), (1, False, "WARNING"), (6, False, "WARNING"), (7, False, "CRITICAL"),
    (400, False, "CRITICAL"), (1, True, "CRITICAL"), (6, True, "CRITICAL"), (7, True, "URGENT"),
]
# days to the due date, whether that is told
REMINDED: list[tuple[int, bool]] = [(left, left in (7, 3, 1, 0)) for left in range(-2, 10)]
# planned date, last date, cycle in days, when it is due
DUE_DATES: list[tuple[date | None, date | None, int | None, date | None]] = [
    (date(2026, 3, 2), date(2026, 1, 31), 10, date(2026, 3, 2)), (None, date(2026, 1, 31), 30, date(2026, 3, 2)),
    (None, None, 30, None), (None, date(2026, 1, 31), None, None), (date(2026, 3, 2), None, None, date(2026, 3, 2)),
]  # fmt: skip
# start and end of a plan (days from today), percent of its time that has passed
ELAPSED: list[tuple[int, int, str]] = [
    (0, 4, "0"), (-1, 3, "25"), (-2, 2, "50"), (-3, 1, "75"), (-4, 0, "100"), (-5, -1, "100"), (-40, -30, "100"), (30, 34, "0"),
    (0, 0, "0"), (-1, -1, "100"), (1, 1, "0"), (-7, 1, "87.5"),
]  # fmt: skip
PLAN_PARAMS = {
    "min_progress": 80, "window_days": 7, "urgent_after_days": 7, "deviation_warning": 15, "deviation_critical": 30,
}
