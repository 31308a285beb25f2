"""Guards, ladders and winners of a synchronisation, at their boundaries."""

from datetime import UTC, date, datetime, timedelta

import pytest

from shared.rules import sync

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(("part", "whole", "percent", "stops"), [
    (10, 100, 10, False), (11, 100, 10, True), (20, 100, 20, False), (21, 100, 20, True), (1, 1, 10, False),
    (2, 2, 10, True), (1, 3, 20, False), (0, 0, 10, False),
])  # fmt: skip
def test_a_share_is_too_much_above_its_limit_and_one_row_never_is(
    part: int, whole: int, percent: int, stops: bool
) -> None:
    assert sync.too_many(part, whole, percent) is stops


@pytest.mark.parametrize(("day", "last", "due"), [
    ("2026-03-01", None, True), ("2026-03-01", "2026-02-28", True), ("2026-03-01", "2026-03-01", False),
    ("2026-03-07", "2026-03-01", False), ("2026-03-08", "2026-03-07", True), ("2026-03-10", "2026-03-07", True),
    ("2028-03-05", "2028-02-29", True), ("2028-03-04", "2028-02-29", False), ("2028-02-29", "2028-02-26", True),
])  # fmt: skip
def test_all_keys_are_compared_once_from_sunday_on(day: str, last: str | None, due: bool) -> None:
    known = date.fromisoformat(last) if last else None
    assert sync.full_is_due(date.fromisoformat(day), known, 0) is due


def test_another_weekday_may_be_chosen() -> None:
    assert sync.full_is_due(date(2026, 3, 4), date(2026, 3, 3), 3)
    assert not sync.full_is_due(date(2026, 3, 3), date(2026, 3, 1), 3)


def test_the_ladder_of_retries_ends_with_a_person() -> None:
    waits = [sync.next_try(NOW, attempts, [5, 15, 30, 60]) for attempts in range(1, 6)]
    assert [w and (w - NOW) // timedelta(minutes=1) for w in waits] == [5, 15, 30, 60, None]


@pytest.mark.parametrize(("policy", "theirs", "ours", "wins"), [
    ("SOURCE_WINS", None, 1, True), ("LOCAL_WINS", 2, 1, False), ("NEWEST", 2, 1, True), ("NEWEST", 1, 2, False),
    ("NEWEST", 1, 1, False), ("NEWEST", 1, None, True), ("NEWEST", None, 1, False),
])  # fmt: skip
def test_the_policy_names_the_winner(policy: str, theirs: int | None, ours: int | None, wins: bool) -> None:
    def at(hours: int | None) -> datetime | None:
        return NOW + timedelta(hours=hours) if hours is not None else None

    assert sync.theirs_wins(policy, at(theirs), at(ours)) is wins


@pytest.mark.parametrize(("watermark", "changed", "after"), [
    (None, -1, -1), (-2, -1, -1), (-1, -2, -1), (-1, 5, 0), (None, 999_999, 0),
])  # fmt: skip
def test_the_watermark_moves_forward_and_never_beyond_now(watermark: int | None, changed: int, after: int) -> None:
    before = None if watermark is None else NOW + timedelta(hours=watermark)
    assert sync.read_up_to(before, NOW + timedelta(hours=changed), NOW) == NOW + timedelta(hours=after)
