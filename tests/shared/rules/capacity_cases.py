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
