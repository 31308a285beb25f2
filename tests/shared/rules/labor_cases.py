"""Which rate is valid; the rule and the job are tested by the same table."""

from datetime import date

DAY = date(2026, 2, 10)
BEFORE, AFTER, LONG_BEFORE = date(2026, 2, 9), date(2026, 2, 11), date(2025, 1, 1)
# scope, for whom (USER is the person, ROLE and ROLE2 theirs, DEPT their department), hourly, since, until, active
RateCase = tuple[str, str, str, date | None, date | None, bool]
CASES: list[tuple[list[RateCase], str | None]] = [
    ([], None),
    ([("DEFAULT", "DEFAULT", "50", None, None, True)], "50"),
    ([("DEFAULT", "DEFAULT", "50", None, None, False)], None),
    ([("DEFAULT", "DEFAULT", "50", None, None, True), ("DEPT", "DEPT", "60", None, None, True)], "60"),
    ([("DEPT", "DEPT", "60", None, None, True), ("ROLE", "ROLE", "40", None, None, True)], "40"),
    ([("ROLE", "ROLE", "40", None, None, True), ("ROLE", "ROLE2", "70", None, None, True)], "70"),
    ([("ROLE", "NOROLE", "90", None, None, True), ("ROLE", "ROLE2", "70", None, None, True)], "70"),
    ([("ROLE", "ROLE", "90", LONG_BEFORE, None, True), ("ROLE", "ROLE", "45", BEFORE, None, True), ("ROLE", "ROLE2", "50", None, None, True)], "50"),
    ([("ROLE", "ROLE2", "70", None, None, True), ("USER", "USER", "30", None, None, True)], "30"),
    ([("USER", "OTHER", "99", None, None, True), ("DEFAULT", "DEFAULT", "50", None, None, True)], "50"),
    ([("USER", "USER", "30", None, None, True), ("USER", "USER", "35", LONG_BEFORE, None, True), ("USER", "USER", "38", BEFORE, None, True)], "38"),
    ([("USER", "USER", "30", DAY, None, True)], "30"),
    ([("USER", "USER", "30", AFTER, None, True)], None),
    ([("USER", "USER", "30", None, DAY, True)], "30"),
    ([("USER", "USER", "30", None, BEFORE, True), ("DEPT", "DEPT", "60", None, None, True)], "60"),
    ([("USER", "USER", "30", LONG_BEFORE, None, True), ("USER", "USER", "99", AFTER, None, True)], "30"),
]  # fmt: skip
# what an hour of each kind counts; per day of a month its hours, the rate of that day and the kind of time; the money
FACTORS = {"NORMAL": "1", "OVERTIME": "1.5", "WEEKEND": "2", "HOLIDAY": "3"}
MONEY: list[tuple[list[tuple[str, str, str]], str]] = [
    ([("8", "50", "NORMAL")], "400"),
    ([("0.33", "33.33", "NORMAL")] * 3, "33.00"),  # 32.9967 rounded once, not 11.00 three times
    ([("0.01", "33.33", "NORMAL")] * 3, "1.00"),  # 0.9999, not 0.33 three times
    ([("0.5", "0.01", "HOLIDAY")], "0.02"),
    ([("8", "50", "NORMAL"), ("2", "50", "OVERTIME"), ("8", "60", "WEEKEND"), ("8", "60", "HOLIDAY")], "2950"),
    ([("0.05", "0.1", "NORMAL")], "0.01"),  # half a cent goes up
]
