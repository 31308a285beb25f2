"""Tiers of reminders: the rule in Python, and as SQL over the same cases."""

import pytest
from sqlalchemy import Connection, Integer, cast, select

from shared.erp import tiers as sql
from shared.rules.tiers import due_tier, late_tier

# days left, tiers, the tier reached
DUE: list[tuple[int | None, list[int], int | None]] = [
    (None, [7, 3, 1, 0], None), (-1, [7, 3, 1, 0], None), (0, [7, 3, 1, 0], 0), (1, [7, 3, 1, 0], 1), (2, [7, 3, 1, 0], 3),
    (3, [7, 3, 1, 0], 3), (4, [7, 3, 1, 0], 7), (7, [7, 3, 1, 0], 7), (8, [7, 3, 1, 0], None), (0, [30, 15, 7], 7),
    (16, [30, 15, 7], 30), (15, [7, 30, 15], 15), (31, [30, 15, 7], None), (5, [5], 5),
]
# days late, tiers, every, the tier reached
LATE: list[tuple[int | None, list[int], int, int | None]] = [
    (None, [7, 15, 30, 60], 30, None), (0, [7, 15, 30, 60], 30, None), (6, [7, 15, 30, 60], 30, None), (7, [7, 15, 30, 60], 30, 7),
    (14, [7, 15, 30, 60], 30, 7), (15, [7, 15, 30, 60], 30, 15), (29, [7, 15, 30, 60], 30, 15), (30, [7, 15, 30, 60], 30, 30),
    (59, [7, 15, 30, 60], 30, 30), (60, [7, 15, 30, 60], 30, 60), (89, [7, 15, 30, 60], 30, 60), (90, [7, 15, 30, 60], 30, 90),
    (119, [60, 30, 15, 7], 30, 90), (120, [7, 15, 30, 60], 30, 120), (1, [1], 7, 1), (7, [1], 7, 1), (8, [1], 7, 8), (30, [1], 7, 29),
    (6, [1, 2, 3, 4, 5, 6, 7], 7, 6), (13, [1, 2, 3, 4, 5, 6, 7], 7, 7), (14, [1, 2, 3, 4, 5, 6, 7], 7, 14),
]


@pytest.mark.parametrize(("days", "tiers", "tier"), DUE)
def test_a_countdown_reaches_its_nearest_tier(days: int | None, tiers: list[int], tier: int | None) -> None:
    assert due_tier(days, tiers) == tier


@pytest.mark.parametrize(("days", "tiers", "every", "tier"), LATE)
def test_what_is_late_reaches_its_last_tier(days: int | None, tiers: list[int], every: int, tier: int | None) -> None:
    assert late_tier(days, tiers, every) == tier


def test_the_database_says_the_same_of_every_case(db: Connection) -> None:
    due = [db.execute(select(sql.due_tier(cast(days, Integer), tiers))).scalar_one() for days, tiers, _ in DUE]
    late = [db.execute(select(sql.late_tier(cast(days, Integer), tiers, every))).scalar_one() for days, tiers, every, _ in LATE]
    assert due == [tier for *_, tier in DUE]
    assert late == [tier for *_, tier in LATE]
