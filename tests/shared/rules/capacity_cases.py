"""How much growth is too much? The rule in Python and its twin in SQL are asked the same."""

# before, now (MB), whether 30 % and 20 GB are reached
GROWTH = [
    (None, 999_999, False),
    (0, 20_480, True), (0, 20_479, False), (0, 0, False),
    (68_266, 88_746, True), (68_267, 88_747, False),  # 20 GB: 30.00 %, and just below
    (68_266, 88_745, False),  # 30 % of it, 1 MB less than 20 GB
    (100_000, 130_000, True), (100_000, 129_999, False),
    (10, 13, False), (1_000_000, 1_020_480, False),
    (50_000, 20_000, False), (130_000, 100_000, False), (70_000, 70_000, False),
]  # fmt: skip

# what is measured now and was before, percent of the change, trend
CHANGES: list[tuple[int, int | None, str | None, str | None]] = [
    (10, None, None, None), (10, 0, None, None), (0, 0, None, None), (10500, 10000, "5.00", "STABLE"), (10501, 10000, "5.01", "GROWING"),
    (9500, 10000, "-5.00", "STABLE"), (9499, 10000, "-5.01", "SHRINKING"), (0, 8, "-100.00", "SHRINKING"),
    (99999999999, 1, "9999999999800.00", "GROWING"), (1005, 1000, "0.50", "STABLE"), (80001, 80000, "0.00", "STABLE"),
    (200001, 40000, "400.00", "GROWING"), (10050500, 10000000, "0.51", "STABLE"),
]  # fmt: skip
# points of the week from 23 February to 1 March, the day it is summed up, whether that is final
FINAL: list[tuple[int, str, bool]] = [
    (7, "2026-03-02", True), (6, "2026-03-02", False), (6, "2026-03-03", False), (6, "2026-03-04", True), (1, "2026-03-04", True),
    (7, "2026-02-28", False), (7, "2026-03-01", True),
]  # fmt: skip
