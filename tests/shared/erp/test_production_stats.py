"""The day's production figures in SQL, on the cases that test the rules in Python: a workshop a case."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from shared.erp.production_stats import Span, daily_stats
from tests.factories import Erp
from tests.shared.rules.daily_cases import COMPLETION, EFFICIENCY, OVERTIME, PASS, SHARES

MONDAY, SUNDAY = date(2026, 3, 2), date(2026, 3, 8)
NOON = datetime(2026, 3, 2, 12, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def figures(db: Connection) -> dict[tuple[int, date], Any]:
    week = Span(MONDAY, SUNDAY, "Asia/Shanghai", 8)
    return {(row.workshop_id, row.report_date): row for row in db.execute(daily_stats(week))}


def test_a_plan_is_spread_as_the_rule_says(erp: Erp, db: Connection) -> None:
    shops = []
    for first, last, _ in SHARES:
        shops.append(erp.workshop())
        erp.work_order(
            plan_qty=100, plan_start_date=date(2026, 3, first), plan_end_date=date(2026, 3, last), workshop_id=shops[-1]
        )
    found = figures(db)
    assert [[found[shop, MONDAY + timedelta(n)].plan_qty / 100 for n in range(7)] for shop in shops] == [
        [Decimal(share) for share in shares] for *_, shares in SHARES
    ]


def test_rates_are_the_rules(erp: Erp, db: Connection) -> None:
    expected = {}
    for completed, planned, rate in COMPLETION:
        shop = erp.workshop()
        plan = {"plan_qty": planned, "plan_end_date": MONDAY} if Decimal(planned) else {"plan_start_date": None}
        erp.work_report(erp.work_order(workshop_id=shop, **plan), NOON, completed_qty=completed)
        expected[shop] = ("completion_rate", Decimal(rate))
    for earned, hours, percent in EFFICIENCY:
        shop = erp.workshop()
        order = erp.work_order(workshop_id=shop, plan_qty=2, standard_hours=Decimal(earned) * 2)
        erp.work_report(order, NOON, completed_qty=1, work_hours=hours)
        expected[shop] = ("efficiency", percent and Decimal(percent))
    for qualified, defect, total, good in PASS:
        shop = erp.workshop()
        erp.work_report(
            erp.work_order(workshop_id=shop), NOON, qualified_qty=qualified, defect_qty=defect, completed_qty=total
        )
        expected[shop] = ("pass_rate", good and Decimal(good))
    found = figures(db)
    assert {shop: getattr(found[shop, MONDAY], name) for shop, (name, _) in expected.items()} == {
        shop: number for shop, (_, number) in expected.items()
    }


def test_overtime_is_the_rules(erp: Erp, db: Connection) -> None:
    expected = {}
    for hours, is_workday, overtime in OVERTIME:
        shop, day = erp.workshop(), MONDAY if is_workday else SUNDAY
        order = erp.work_order(workshop_id=shop)
        for one in hours:
            erp.work_report(order, NOON + (day - MONDAY), work_hours=one)
        expected[shop, day] = Decimal(overtime)
    found = figures(db)
    assert {key: found[key].overtime_hours for key in expected} == expected
