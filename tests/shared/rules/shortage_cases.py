"""Cases of the shortage and delivery rules (rulebook jobs 14 and 19, 9.2), for the rules in Python and in SQL."""

# days left, impact, share in percent -> level, with critical_days 3, warning_days 7, minor_percent 5
SHORTAGE_LEVELS = [
    (-1, "NONE", "50", "URGENT"),
    (0, "DELAY", "50", "URGENT"),
    (1, "NONE", "50", "CRITICAL"),
    (3, "DELIVERY", "50", "CRITICAL"),
    (4, "NONE", "50", "WARNING"),
    (7, "DELAY", "50", "WARNING"),
    (8, "NONE", "50", "INFO"),
    (8, "STOP", "50", "WARNING"),
    (4, "STOP", "50", "CRITICAL"),
    (3, "STOP", "50", "URGENT"),
    (0, "STOP", "50", "URGENT"),
    (4, "NONE", "5", "WARNING"),
    (4, "NONE", "4.9999", "INFO"),
    (8, "NONE", "4.9999", "INFO"),
    (0, "NONE", "4.9999", "CRITICAL"),
    (4, "STOP", "4.9999", "WARNING"),
    (0, "STOP", "4.9999", "URGENT"),
    (None, "NONE", "50", "INFO"),
    (None, "STOP", "50", "INFO"),
]

# started, key item, delay in days, slack in days -> impact
IMPACTS = [
    (True, False, 0, 10, "STOP"),
    (False, True, None, None, "STOP"),
    (False, False, 0, 0, "NONE"),
    (False, False, 0, -5, "NONE"),
    (False, False, None, 5, "NONE"),
    (False, False, 1, 1, "DELAY"),
    (False, False, 2, 1, "DELIVERY"),
    (False, False, 1, -5, "DELIVERY"),
    (False, False, 9, None, "DELAY"),
]

# days late, feeds a shortage, promised late -> level, with critical_days 7, urgent_days 14
DELIVERY_LEVELS = [
    (None, False, False, None),
    (None, False, True, "INFO"),
    (None, True, True, "INFO"),
    (0, False, False, None),
    (0, False, True, "INFO"),
    (1, False, False, "WARNING"),
    (1, False, True, "WARNING"),
    (6, False, False, "WARNING"),
    (6, True, False, "CRITICAL"),
    (7, False, False, "CRITICAL"),
    (13, False, False, "CRITICAL"),
    (13, True, False, "URGENT"),
    (14, False, False, "URGENT"),
    (14, True, False, "URGENT"),
]
