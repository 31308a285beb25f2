"""The net-requirement run, case by case: what is there, what comes, lots, lead times, levels, loops, warnings."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.rules import netting
from shared.rules.netting import Inputs, Material, Need, Plan, Receipt, by_level

TODAY = date(2026, 8, 31)  # a Monday
HOLIDAYS = {date(2026, 9, 25), *(date(2026, 10, day) for day in range(1, 8))}
MADE_UP = {date(2026, 9, 20), date(2026, 10, 10)}
DAYS = [date(2026, 8, 1) + timedelta(n) for n in range(200)]
WORKDAYS = [day for day in DAYS if day in MADE_UP or (day.isoweekday() < 6 and day not in HOLIDAYS)]


def day(offset: int) -> date:
    return TODAY + timedelta(offset)


def material(number: int, **columns: Any) -> Material:
    values: dict[str, Any] = {"order_type": "BUY", "lead_days": 2} | columns
    return Material(number, f"M{number}", **{name: Decimal(v) if name in ("lot", "safety") else v for name, v in values.items()})


def need(number: int, quantity: Any, offset: int, no: str = "SO-1/1", priority: int = 3) -> Need:
    return Need(number, day(offset), Decimal(quantity), "SALES_ORDER", no, priority)


def receipt(number: int, quantity: Any, offset: int, no: str = "PO-1/1") -> Receipt:
    return Receipt(number, day(offset), Decimal(quantity), "PURCHASE_ORDER", no)


def plan(
    *materials: Material, needs: list[Need], stock: Mapping[int, Any] | None = None, receipts: list[Receipt] | None = None,
    bills: Mapping[int, Mapping[int, Any]] | None = None,
) -> Plan:
    return netting.run(Inputs(
        TODAY, day(90), WORKDAYS, {m.id: m for m in materials}, {m: Decimal(q) for m, q in (stock or {}).items()},
        {m: {part: Decimal(q) for part, q in parts.items()} for m, parts in (bills or {}).items()}, needs, receipts or [],
    ))


def orders(found: Plan) -> list[tuple[int, Decimal, date]]:
    return [(order.material, order.quantity, order.due) for order in found.orders]


def warnings(found: Plan) -> list[tuple[str, str]]:
    return [(warn.code, warn.subject) for warn in found.warnings]


# ---------------------------------------------------------------- what is there
@pytest.mark.parametrize(("stock", "safety", "ordered"), [
    (0, 0, 10), (4, 0, 6), (10, 0, 0), (4, 3, 9), (3, 4, 11), (-5, 0, 10), (-5, 2, 12),
])
def test_stock_above_the_safety_stock_is_used_first(stock: int, safety: int, ordered: int) -> None:
    found = plan(material(1, safety=safety), needs=[need(1, 10, 14)], stock={1: stock})
    assert orders(found) == ([(1, Decimal(ordered), day(14))] if ordered else [])


def test_without_a_need_nothing_is_ordered_not_even_for_the_safety_stock() -> None:
    assert plan(material(1, safety=50), needs=[], stock={1: 3}).orders == []
    assert plan(material(1), needs=[need(1, 5, 91)]).orders == []  # beyond the horizon


def test_the_earlier_need_gets_the_stock_and_on_one_day_the_higher_priority() -> None:
    needs = [need(1, 6, 14, "SO-3/1"), need(1, 6, 7, "SO-2/1", 3), need(1, 6, 7, "SO-1/1", 1)]
    found = plan(material(1), needs=needs, stock={1: 6})
    assert [(o.due, [(n.no, q) for n, q in o.pegs]) for o in found.orders] == [
        (day(7), [("SO-2/1", 6)]), (day(14), [("SO-3/1", 6)]),
    ]


def test_a_need_of_yesterday_is_one_of_today() -> None:
    assert orders(plan(material(1, lead_days=0), needs=[need(1, 5, -9), need(1, 1, 0)])) == [(1, Decimal(6), TODAY)]


# ---------------------------------------------------------------- lots
@pytest.mark.parametrize(("lot", "needed", "ordered"), [(1, "2.5", 3), (10, 10, 10), (10, 11, 20), ("0.5", "2.2", "2.5"), (0, "2.2", "2.2")])
def test_an_order_is_a_whole_number_of_lots(lot: Any, needed: Any, ordered: Any) -> None:
    assert orders(plan(material(1, lot=lot), needs=[need(1, needed, 14)])) == [(1, Decimal(ordered), day(14))]


def test_what_a_lot_has_over_serves_the_next_days_and_is_pegged_there() -> None:
    found = plan(material(1, lot=10), needs=[need(1, 6, 7, "A"), need(1, 4, 8, "B"), need(1, 3, 9, "C")])
    assert orders(found) == [(1, Decimal(10), day(7)), (1, Decimal(10), day(9))]
    assert [[n.no for n, _ in order.pegs] for order in found.orders] == [["A", "B"], ["C"]]


def test_the_needs_of_a_weekend_are_one_order_for_friday() -> None:
    found = plan(material(1), needs=[need(1, 1, 4), need(1, 2, 5), need(1, 4, 6), need(1, 8, 7)])
    assert orders(found) == [(1, Decimal(7), day(4)), (1, Decimal(8), day(7))]


# ---------------------------------------------------------------- lead times
@pytest.mark.parametrize(("due", "lead", "release"), [
    (date(2026, 10, 9), 1, date(2026, 10, 8)), (date(2026, 10, 9), 2, date(2026, 9, 30)), (date(2026, 10, 9), 3, date(2026, 9, 29)),
    (date(2026, 10, 12), 1, date(2026, 10, 10)), (date(2026, 9, 28), 1, date(2026, 9, 24)), (date(2026, 9, 22), 0, date(2026, 9, 22)),
    (date(2026, 9, 22), 2, date(2026, 9, 20)),
])
def test_a_lead_time_counts_workdays_over_a_holiday_week(due: date, lead: int, release: date) -> None:
    """9.2, M3: the National Day week rests, and the Saturday after it is worked."""
    found = plan(material(1, lead_days=lead), needs=[Need(1, due, Decimal(1), "SALES_ORDER", "SO-1/1")])
    assert [(order.release, order.due) for order in found.orders] == [(release, due)]


def test_an_order_that_should_have_been_released_already_says_so() -> None:
    late, today = plan(material(1, lead_days=5), needs=[need(1, 3, 2)]), plan(material(1, lead_days=2), needs=[need(1, 3, 2)])
    assert warnings(late) == [("RELEASE_LATE", f"BUY M1 {day(2)}")]
    assert late.orders[0].exception == "RELEASE_LATE"
    assert warnings(today) == []


# ---------------------------------------------------------------- what comes already
def test_what_is_ordered_already_is_not_ordered_again() -> None:
    found = plan(material(1), needs=[need(1, 10, 14)], stock={1: 2}, receipts=[receipt(1, 5, 10)])
    assert orders(found) == [(1, Decimal(3), day(14))]
    assert warnings(found) == []


@pytest.mark.parametrize(("comes", "warned"), [
    (14, None), (15, "EXPEDITE"), (7, None), (6, "DEFER"), (-30, "DEFER"),
])
def test_an_order_that_comes_too_late_or_long_before_its_need(comes: int, warned: str | None) -> None:
    found = plan(material(1), needs=[need(1, 10, 14)], receipts=[receipt(1, 10, comes)])
    assert found.orders == []
    assert warnings(found) == ([(warned, "PURCHASE_ORDER PO-1/1")] if warned else [])


def test_an_order_that_nobody_needs_can_be_cancelled() -> None:
    found = plan(material(1), needs=[need(1, 5, 14)], receipts=[receipt(1, 5, 13, "PO-1/1"), receipt(1, 5, 14, "PO-2/1"), receipt(1, 5, 99, "PO-3/1")])
    assert warnings(found) == [("CANCEL", "PURCHASE_ORDER PO-2/1")]
    assert warnings(plan(material(1, safety=5), needs=[], receipts=[receipt(1, 5, 3)])) == []  # it fills the safety stock


# ---------------------------------------------------------------- levels
BIKE = {1: {2: 2, 3: 1}, 2: {3: 1, 4: 32}}  # a bicycle of two wheels and a rim to spare; a wheel of a rim and spokes


def test_a_bill_is_exploded_level_by_level_and_a_part_of_two_levels_once() -> None:
    made = {"order_type": "MAKE", "lead_days": 1}
    found = plan(material(1, **made), material(2, **made), material(3), material(4), needs=[need(1, 10, 14)], stock={2: 5}, bills=BIKE)
    assert sorted(orders(found)) == [
        (1, Decimal(10), day(14)), (2, Decimal(15), day(11)), (3, Decimal(10), day(11)), (3, Decimal(15), day(10)), (4, Decimal(480), day(10)),
    ]
    wheel = next(order for order in found.orders if order.material == 2)
    assert [(n.kind, n.no) for n, _ in wheel.pegs] == [("PLANNED_ORDER", f"M1 {day(14)}")]


def test_what_is_bought_is_not_taken_apart_and_what_is_had_made_is() -> None:
    bought = plan(material(1), material(2), needs=[need(1, 1, 14)], bills={1: {2: 1}})
    outside = plan(material(1, order_type="OUTSOURCE"), material(2), needs=[need(1, 1, 14)], bills={1: {2: 1}})
    assert ([m for m, *_ in orders(bought)], [m for m, *_ in orders(outside)]) == ([1], [1, 2])


def test_what_is_made_without_a_bill_and_what_has_no_lead_time_is_told_and_planned_all_the_same() -> None:
    found = plan(material(1, order_type="MAKE", lead_days=0), needs=[need(1, 3, 14)])
    assert [code for code, _ in warnings(found)] == ["NO_BOM", "NO_LEAD_TIME"]
    assert (len(found.orders), found.orders[0].exception) == (1, "NO_BOM")


# ---------------------------------------------------------------- loops
def test_a_loop_is_found_and_the_rest_is_planned() -> None:
    """9.2, M3"""
    made = {"order_type": "MAKE", "lead_days": 1}
    bills = {1: {2: 1, 5: 1}, 2: {3: 1}, 3: {4: 1, 2: 1}, 6: {6: 1}}
    found = plan(*(material(n, **made) for n in (1, 2, 3, 6)), material(4), material(5), needs=[need(1, 2, 14), need(6, 1, 14), need(4, 3, 14)], bills=bills)
    assert sorted(found.loops) == [[2, 3], [6]]
    assert sorted({m for m, *_ in orders(found)}) == [1, 4, 5]


@pytest.mark.parametrize("bills", [
    {}, {1: {2: 1}}, {1: {2: 1, 3: 1}, 2: {3: 1}}, {3: {1: 1}, 1: {2: 1}}, {1: {3: 1}, 2: {3: 1}, 3: {4: 1}, 5: {1: 1, 4: 1}},
    {n: {n + 1: 1} for n in range(1, 3000)},
], ids=["none", "one", "diamond", "backwards", "many", "deep"])
def test_every_material_stands_behind_all_it_goes_into(bills: dict[int, dict[int, Any]]) -> None:
    turn, loops = by_level(bills)
    place = {number: n for n, number in enumerate(turn)}
    assert loops == []
    assert len(turn) == len(set(turn))
    assert all(place[whole] < place[part] for whole, parts in bills.items() for part in parts)


def test_a_long_run_can_be_stopped() -> None:
    def stop() -> None:
        raise TimeoutError

    inputs = Inputs(TODAY, day(90), WORKDAYS, {1: material(1)}, {}, {}, [need(1, 1, 14)], [])
    with pytest.raises(TimeoutError):
        netting.run(inputs, stop)
