"""Cases of the stock rules (rulebook job M1), for the rules in Python and for the same rules in SQL."""

# quantity, by the ledger, available, safety stock, frozen, days without a movement -> flags, with slow_days 180
FLAGS = [
    ("10", "10", "10", "0", "0", 0, []), ("0", "0", "0", "0", "0", 900, []), ("-0.0001", "-0.0001", "0", "0", "0", 0, ["NEGATIVE"]),
    ("10", "9.9999", "10", "0", "0", 0, ["LEDGER_DIFF"]), ("10", None, "10", "0", "0", 0, []),
    ("10", "10", "20", "20", "0", 0, []), ("10", "10", "19.9999", "20", "0", 0, ["BELOW_SAFETY"]), ("10", "10", "0", "0", "0", 0, []),
    ("10", "10", "10", "0", "0", 180, []), ("10", "10", "10", "0", "0", 181, ["NO_MOVE"]), ("10", "10", "10", "0", "0.5", 0, ["FROZEN"]),
    ("-1", "3", "0", "1", "2", 999, ["NEGATIVE", "LEDGER_DIFF", "BELOW_SAFETY", "NO_MOVE", "FROZEN"]),
]  # fmt: skip

# expected, difference, price, counted twice -> next step, with 2 percent, 1,000 and 10,000
STEPS = [
    ("100", "0", "10", False, None), ("100", "2", "10", False, None), ("100", "2.0001", "10", False, "SECOND_COUNT"),
    ("100", "-2.0001", "10", False, "SECOND_COUNT"), ("100", "-2.0001", "10", True, None), ("0", "1", "0", False, "SECOND_COUNT"),
    ("-100", "2", "1", False, None), ("100000", "100", "10", False, None), ("100000", "100.1", "10", False, "SECOND_COUNT"),
    ("100000", "1001", "10", False, "SECOND_COUNT"), ("100000", "1000", "10", True, None), ("100000", "-1000.1", "10", True, "APPROVAL"),
    ("100", "50", "0", True, None),
]  # fmt: skip
LIMITS = {"line_percent": 2, "line_value": 1000, "approve_value": 10000}
