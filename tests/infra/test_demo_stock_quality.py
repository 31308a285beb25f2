"""The jobs of stock, quality and outsourcing, over the demo factory, find exactly what its titles promise."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from infra.local.demo import populate
from tests.conftest import Perform
from tests.evidence import messages
from tests.infra.test_demo_jobs import DAYS, NONE, levels, morning, promised, promises

__all__ = ["morning"]


def test_outsourcing_orders(morning: Any, db: Connection) -> None:
    morning("check_outsourcing_delivery_alerts", "15:00")
    assert levels(db, "OUTSOURCING_DELIVERY") == promises(db, "outsourcing_orders", "order_title")


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_shortage_report_of_yesterday(day: date, db: Connection, perform: Perform) -> None:
    populate(db, day)
    yesterday = day - timedelta(days=1)
    perform("daily_kit_check", f"{yesterday}T06:00+08:00")
    perform("generate_shortage_alerts", f"{yesterday}T07:00+08:00")
    perform("generate_shortage_daily_report", f"{day}T05:15+08:00")
    report = db.execute(text("select * from belfry.shortage_daily_reports")).one()
    cases = db.execute(text("select report_no from erp.shortage_reports")).scalars().all()
    assert report.new_reports == sum("昨日新增" in case for case in cases)
    assert report.resolved_reports == sum("解决）" in case and "计入昨日" in case and "不计入" not in case for case in cases)
    assert report.new_alerts == report.pending_alerts > 10
    assert all((report.level4_count, report.level3_count, report.level2_count, report.stoppage_count, report.kit_rate))
    assert [message["type"] for message in messages(db)].count("DIGEST_SHORTAGE") == 1


def test_specifications(morning: Any, db: Connection) -> None:
    morning("daily_spec_match_check", "09:00")
    requirement = text("""select r.requirement_id, a.base_level from belfry.alert_records a join belfry.spec_match_records r
        on r.match_target_id = a.target_id and r.match_type || '_ITEM' = a.target_type where a.status = 'PENDING'""")
    assert {row.requirement_id: row.base_level for row in db.execute(requirement)} == promises(db, "spec_requirements", "material_name")


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_stock_take(day: date, db: Connection, perform: Perform) -> None:
    populate(db, day)
    first = day.replace(day=1)
    perform("inventory_check", f"{day}T00:00+08:00", kind="manual")
    case_of = {
        row.id: row.specification
        for row in db.execute(text("""select i.id, m.specification from erp.inventories i join erp.materials m on m.id = i.material_id
            where m.material_code like 'KC-%' or m.material_code = 'ZJ-22'"""))
    }
    for rule, word in (("STOCK_NEGATIVE", "负"), ("STOCK_LEDGER_DIFF", "流水"), ("STOCK_BELOW_SAFETY", "安全")):
        wanted = {row: promised(case) for row, case in case_of.items() if word in case and promised(case) != NONE}
        if rule == "STOCK_NEGATIVE":
            wanted |= {row: "CRITICAL" for row, case in case_of.items() if case == "账面为负"}
        assert levels(db, rule) == wanted
    sheets = db.execute(text("select period_key, status from belfry.inventory_checks")).all()
    assert sheets == [(f"{first:%Y-%m}", "COUNTING")] * 2
    flagged = db.execute(text("select distinct unnest(flags) from belfry.inventory_check_lines")).scalars()
    assert set(flagged) == {"NEGATIVE", "LEDGER_DIFF", "BELOW_SAFETY", "NO_MOVE", "FROZEN"}
