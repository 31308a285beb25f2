"""Cases of the outsourcing rule (rulebook job 21), for the rule in Python and for the same rule in SQL."""

# days late, the vendor expects to be late -> level, with before_days 3 and urgent_after_days 7
LEVELS = [
    (-30, False, None), (-4, False, None), (-3, False, "WARNING"), (0, False, "WARNING"), (1, False, "CRITICAL"),
    (7, False, "CRITICAL"), (8, False, "URGENT"), (90, False, "URGENT"),
    (-30, True, "WARNING"), (-4, True, "WARNING"), (-3, True, "WARNING"), (1, True, "CRITICAL"), (8, True, "URGENT"),
]  # fmt: skip
