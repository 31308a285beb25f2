"""Months are the calendar's, names are exact, and what is wrong with a table is said with its level."""

from datetime import date

import pytest

from shared.rules import partitions as rules
from shared.rules.partitions import Partition, Table

MARCH = date(2026, 3, 2)


def months(first: str, number: int) -> list[Partition]:
    start = date.fromisoformat(first + "-01")
    return [
        Partition(f"s.t_{m:%Y_%m}", m, rules.add_months(m, 1))
        for m in (rules.add_months(start, n) for n in range(number))
    ]


def codes(table: Table, day: date = MARCH) -> list[tuple[str, str]]:
    return [(p.code, p.level) for p in rules.problems(table, day, 3, 50)]


@pytest.mark.parametrize(("day", "wanted"), [
    (date(2025, 12, 31), ["2025-12", "2026-01", "2026-02", "2026-03"]),
    (date(2026, 1, 1), ["2026-01", "2026-02", "2026-03", "2026-04"]),
    (date(2026, 1, 31), ["2026-01", "2026-02", "2026-03", "2026-04"]),
    (date(2028, 2, 29), ["2028-02", "2028-03", "2028-04", "2028-05"]),
])
def test_this_month_and_the_next_three_are_wanted(day: date, wanted: list[str]) -> None:
    assert [f"{m:%Y-%m}" for m in rules.wanted(day, 3)] == wanted


@pytest.mark.parametrize(("day", "months", "first"), [
    (date(2026, 3, 2), 13, date(2025, 3, 1)), (date(2026, 3, 31), 13, date(2025, 3, 1)),
    (date(2026, 1, 1), 13, date(2025, 1, 1)), (date(2025, 12, 31), 36, date(2023, 1, 1)),
    (date(2026, 5, 31), 3, date(2026, 3, 1)), (date(2026, 3, 2), 1, date(2026, 3, 1)),
])
def test_retention_counts_calendar_months_and_the_current_one(day: date, months: int, first: date) -> None:
    """Not months of 31 days (D-60)."""
    assert rules.kept_from(day, months) == first


@pytest.mark.parametrize(("name", "month"), [
    ("size_stats_2026_03", date(2026, 3, 1)), ("size_stats_2026_12", date(2026, 12, 1)), ("size_stats_2026_13", None),
    ("size_stats_2026_00", None), ("size_stats_2026_3", None), ("sizeXstats_2026_03", None), ("size_stats_2026_03x", None),
    ("size_stats_2026X03", None), ("size_stats_default", None), ("size_stats", None), ("other_2026_03", None),
    ("size_stats_2026_03\n", None), ("size_stats_２０２６_03", None),
])
def test_a_partition_s_name_is_taken_literally(name: str, month: date | None) -> None:
    """`_` is no wildcard (D-60)."""
    assert rules.named_month("size_stats", name) == month


def test_a_whole_table_is_well() -> None:
    assert codes(Table("s.t", months("2025-11", 8))) == []
    assert rules.level([]) is None


@pytest.mark.parametrize(("have", "found"), [
    (months("2026-03", 3), [("MISSING", "WARNING")]),
    (months("2026-03", 1) + months("2026-05", 2), [("MISSING", "CRITICAL")]),
    (months("2026-04", 3), [("MISSING", "URGENT")]),
    ([], [("MISSING", "URGENT"), ("MISSING", "CRITICAL"), ("MISSING", "WARNING"), ("MISSING", "WARNING")]),
    (months("2025-10", 2) + months("2026-01", 6), [("GAP", "WARNING")]),
    ([Partition("y", date(2026, 1, 1), date(2027, 1, 1))], []),
])
def test_levels_by_the_month_that_is_missing(have: list[Partition], found: list[tuple[str, str]]) -> None:
    assert codes(Table("s.t", have)) == found


@pytest.mark.parametrize(("size", "found"), [(50 * 1024**3, []), (50 * 1024**3 + 1, [("TOO_LARGE", "WARNING")])])
def test_a_partition_may_have_fifty_gigabytes(size: int, found: list[tuple[str, str]]) -> None:
    large = Partition("s.t_2026_02", date(2026, 2, 1), date(2026, 3, 1), size)
    assert codes(Table("s.t", [large, *months("2026-03", 4)])) == found


def test_the_worst_problem_is_the_table_s_level() -> None:
    table = Table("s.t", months("2026-04", 3), default_has_rows=True, strays=["s.t_2025_01"], vanished=["s.t_2025_02"])
    found = rules.problems(table, MARCH, 3, 50, {date(2026, 3, 1): "lock timeout"})
    assert [(p.code, p.level) for p in found] == [
        ("MISSING", "URGENT"), ("DEFAULT_ROWS", "WARNING"), ("STRAY", "WARNING"), ("VANISHED", "WARNING"),
    ]
    assert (rules.level(found), found[0].error) == ("URGENT", "lock timeout")
