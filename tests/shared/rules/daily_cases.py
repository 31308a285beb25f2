"""What a day's production comes to; the rules and their SQL are tested by the same tables."""

# first and last day of a plan (of March 2026), the shares of Monday 2 to Sunday 8 March
SHARES: list[tuple[int, int, list[str]]] = [
    (2, 6, ["0.2"] * 5 + ["0", "0"]),        # a 5-day order
    (2, 8, ["0.2"] * 5 + ["0", "0"]),        # its weekend takes nothing
    (4, 4, ["0", "0", "1", "0", "0", "0", "0"]),
    (7, 8, ["0"] * 5 + ["0.5", "0.5"]),      # planned for a weekend: nothing else to spread it over
    (6, 9, ["0"] * 4 + ["0.5", "0", "0"]),   # Friday and Monday
]  # fmt: skip
# completed, planned, completion rate
COMPLETION: list[tuple[str, str, str]] = [
    ("5", "0", "0"), ("5", "0.01", "999.99"), ("5", "10", "50"), ("10", "10", "100"), ("1", "3", "33.33"), ("2", "3", "66.67"), ("1", "800", "0.13"),
]  # fmt: skip
# hours earned, hours worked, efficiency
EFFICIENCY: list[tuple[str, str, str | None]] = [
    ("8", "10", "80"), ("8", "16", "50"), ("8", "0", None), ("1", "3", "33.33"), ("1", "800", "0.13"), ("90", "0.5", "18000"),
]  # fmt: skip
# qualified, defect, made in all, pass rate
PASS: list[tuple[str, str, str, str | None]] = [
    ("0", "0", "0", "0"), ("0", "0", "5", None), ("39", "1", "40", "97.5"), ("1", "2", "3", "33.33"), ("0", "4", "4", "0"), ("1", "799", "800", "0.13"),
]  # fmt: skip
# hours of each worker, whether the day is a workday, overtime beyond eight hours
OVERTIME: list[tuple[list[str], bool, str]] = [
    (["6", "8", "10.5"], True, "2.5"), (["6", "8", "10.5"], False, "24.5"), (["8"], True, "0"), (["8.01"], True, "0.01"), ([], True, "0"),
]  # fmt: skip
