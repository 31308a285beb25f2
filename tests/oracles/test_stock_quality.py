"""Over random rows, the jobs of stock, quality and outsourcing find what the rulebook says, and nothing else."""

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.oracles import stock_quality as oracle

SEEDS = [1, 2]


def found(db: Connection, rule: str) -> dict[int, tuple[str, set[str]]]:
    """The open alerts of a rule: level and recipients by target."""
    query = text("""select a.target_id, a.base_level, a.recipients from belfry.alert_records a
        join belfry.alert_rules r on r.id = a.rule_id where r.rule_code = :rule and a.status = 'PENDING'""")
    return {row.target_id: (row.base_level, set(row.recipients)) for row in db.execute(query, {"rule": rule})}


@pytest.mark.parametrize("seed", SEEDS)
def test_outsourcing_deliveries(seed: int, db: Connection, perform: Perform) -> None:
    oracle.make_outsourcing(Erp(db), random.Random(seed), TODAY)
    perform("check_outsourcing_delivery_alerts", f"{TODAY}T15:00+08:00")
    expected = oracle.outsourcing(db, TODAY)
    assert found(db, "OUTSOURCING_DELIVERY") == expected
    assert len(expected) > 30


@pytest.mark.parametrize("seed", SEEDS)
def test_the_shortage_report(seed: int, db: Connection, perform: Perform) -> None:
    yesterday = TODAY - timedelta(days=1)
    oracle.make_shortage_day(Erp(db), random.Random(seed), yesterday)
    expected = oracle.shortage_day(db, yesterday)
    perform("generate_shortage_daily_report", f"{TODAY}T05:15+08:00")
    row: dict[str, Any] = dict(db.execute(text("select * from belfry.shortage_daily_reports")).mappings().one())
    assert {name: row[name] for name in expected} == expected
    assert all(expected.values()), "a figure that is nothing proves nothing"


@pytest.mark.parametrize("seed", SEEDS)
def test_specification_matches(seed: int, db: Connection, perform: Perform) -> None:
    oracle.make_specifications(Erp(db), random.Random(seed), TODAY)
    perform("daily_spec_match_check", f"{TODAY}T09:00+08:00")
    kept, told = oracle.specifications(db)
    stored = db.execute(text("select * from belfry.spec_match_records"))
    assert {(r.match_type, r.match_target_id): (r.requirement_id, r.match_status, r.match_score) for r in stored} == kept
    alerts = db.execute(text("select target_type, target_id, base_level, recipients from belfry.alert_records"))
    kinds = {"PURCHASE_ORDER_ITEM": "PURCHASE_ORDER", "BOM_ITEM": "BOM"}
    assert {(kinds[a.target_type], a.target_id): (a.base_level, set(a.recipients)) for a in alerts} == told
    assert {status for _, status, _ in kept.values()} == {"MATCHED", "MISMATCHED", "UNKNOWN"}
    assert len(told) > 20


@pytest.mark.parametrize("scope", ["all", "A", "C", "zero", "negative"])
@pytest.mark.parametrize("seed", SEEDS)
def test_stock_takes(seed: int, scope: str, db: Connection, perform: Perform) -> None:
    at = oracle.midnight(TODAY.replace(day=1))
    oracle.make_stock(Erp(db), random.Random(seed), TODAY.replace(day=1))
    lines, alerts = oracle.stock_take(db, at, scope)
    perform("inventory_check", at.isoformat(), kind="manual", params={"scope": scope})
    stored = db.execute(text("select * from belfry.inventory_check_lines"))
    assert {row.inventory_id: (row.book_qty, row.recomputed_qty, row.flags) for row in stored} == lines
    assert {rule: found(db, rule) for rule in alerts} == alerts
    sheets = db.execute(text("select status, lines from belfry.inventory_checks")).all()
    assert (len(sheets), sum(sheet.lines for sheet in sheets)) == (4, len(lines))
    assert all((sheet.status == "POSTED") == (sheet.lines == 0) for sheet in sheets)
    assert len(lines) > 5
