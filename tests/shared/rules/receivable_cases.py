"""How loud is an overdue invoice? The cases that Python and SQL must agree on (rulebook job 30)."""

LIMITS = {"large_amount": 500000, "warning_days": 30, "critical_days": 60, "urgent_days": 90}

# days overdue (None: no due date), amount, dispute status, level
CASES: list[tuple[int | None, str, str | None, str | None]] = [
    (None, "100000", None, None),
    (-1, "100000", None, None),
    (0, "900000", None, None),
    (1, "100000", None, "INFO"),
    (29, "100000", None, "INFO"),
    (30, "100000", None, "WARNING"),
    (59, "100000", None, "WARNING"),
    (60, "100000", None, "CRITICAL"),
    (89, "100000", None, "CRITICAL"),
    (90, "100000", None, "URGENT"),
    (400, "100000", None, "URGENT"),
    (1, "499999.99", None, "INFO"),
    (1, "500000", None, "WARNING"),
    (29, "500000", None, "WARNING"),
    (30, "500000", None, "CRITICAL"),
    (60, "500000", None, "URGENT"),
    (90, "500000", None, "URGENT"),
    (90, "900000", "OPEN", "INFO"),
    (90, "100000", "OPEN", "INFO"),
    (0, "100000", "OPEN", None),
    (60, "100000", "", "CRITICAL"),
    (60, "100000", "NONE", "CRITICAL"),
    (60, "100000", "RESOLVED", "CRITICAL"),
    (60, "100000", "CLOSED", "CRITICAL"),
]
