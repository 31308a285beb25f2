"""Both sides of every threshold of a budget; the rule and the job are tested by the same table."""

# budget, spent, open purchases, level
CASES: list[tuple[str | None, str, str, str | None]] = [
    ("10000", "0", "0", None),
    ("10000", "7999", "0", None),
    ("10000000", "7999999.99", "0", None),
    ("10000", "8000", "0", "INFO"),
    ("10000", "8999.99", "0", "INFO"),
    ("10000", "9000", "0", "WARNING"),
    ("10000", "10000", "0", "WARNING"),
    ("10000", "10300", "0", "WARNING"),
    ("10000", "10999.99", "0", "WARNING"),
    ("10000", "11000", "0", "CRITICAL"),
    ("10000", "11999.99", "0", "CRITICAL"),
    ("10000", "12000", "0", "URGENT"),
    ("0.01", "99999999", "0", "URGENT"),
    ("10000", "-500", "0", None),
    ("10000", "7000", "2999.99", None),
    ("10000", "7000", "3000", "WARNING"),
    ("10000", "8500", "1499", "INFO"),
    ("10000", "8500", "1500", "WARNING"),
    ("10000", "9500", "90000", "WARNING"),
    ("10000", "0", "10000", "WARNING"),
    ("10000", "10000", "5000", "WARNING"),
    ("10000", "11500", "5000", "CRITICAL"),
    ("0", "5000", "0", None),
    (None, "5000", "9000", None),
]
