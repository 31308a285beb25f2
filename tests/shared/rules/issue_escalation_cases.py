"""Both sides of every threshold of forgotten and of old issues; the rule and the two jobs are tested by the same tables."""

from shared.rules.issue_escalation import Step

DAY = 24 * 60
WEEK = 7 * DAY
# priority, tier, minutes since anybody touched it, minutes since the last automatic step, what it becomes (job 7)
FORGOTTEN: list[tuple[str, int, int, int | None, Step | None]] = [
    ("MEDIUM", 0, 60, None, None),
    ("MEDIUM", 0, WEEK, None, None),
    ("MEDIUM", 0, WEEK + 1, None, Step("HIGH", 0)),
    ("LOW", 0, WEEK + 1, None, Step("MEDIUM", 0)),
    ("HIGH", 0, WEEK + 1, None, Step("URGENT", 0)),
    ("URGENT", 0, WEEK, None, None),
    ("URGENT", 0, WEEK + 1, None, Step("URGENT", 1)),
    ("URGENT", 1, 30 * DAY, 8 * DAY, Step("URGENT", 2)),
    ("URGENT", 2, 30 * DAY, 8 * DAY, Step("URGENT", 3)),
    ("URGENT", 3, 90 * DAY, 30 * DAY, None),
    ("MEDIUM", 0, 30 * DAY, 30, None),
    ("MEDIUM", 0, 30 * DAY, DAY, None),
    ("MEDIUM", 0, 30 * DAY, WEEK - 1, None),
    ("MEDIUM", 0, 30 * DAY, WEEK, Step("HIGH", 0)),
    ("URGENT", 1, 30 * DAY, WEEK - 1, None),
    ("MEDIUM", 0, 30 * DAY, -60, None),
]
LIMITS = {"LOW": 14, "MEDIUM": 7, "HIGH": 3, "URGENT": 1}  # days
# priority, tier, minutes in that priority, minutes since the last automatic step, what it becomes (job 34)
TOO_OLD: list[tuple[str, int, int, int | None, Step | None]] = [
    ("LOW", 0, 14 * DAY, None, None),
    ("LOW", 0, 14 * DAY + 1, None, Step("MEDIUM", 0)),
    ("MEDIUM", 0, 7 * DAY, None, None),
    ("MEDIUM", 0, 7 * DAY + 1, None, Step("HIGH", 0)),
    ("MEDIUM", 0, 8 * DAY, None, Step("HIGH", 0)),
    ("HIGH", 0, 3 * DAY, None, None),
    ("HIGH", 0, 3 * DAY + 1, None, Step("URGENT", 0)),
    ("URGENT", 0, DAY, None, None),
    ("URGENT", 0, DAY + 1, None, Step("URGENT", 1)),
    ("URGENT", 1, 3 * DAY, DAY, Step("URGENT", 2)),
    ("URGENT", 2, 4 * DAY, DAY, Step("URGENT", 3)),
    ("URGENT", 3, 90 * DAY, DAY, None),
    ("MEDIUM", 0, 30 * DAY, 30, None),
    ("MEDIUM", 0, 30 * DAY, DAY - 1, None),
    ("MEDIUM", 0, 30 * DAY, DAY, Step("HIGH", 0)),
    ("URGENT", 1, 30 * DAY, DAY - 1, None),
    ("HIGH", 0, 30 * DAY, -60, None),
]
