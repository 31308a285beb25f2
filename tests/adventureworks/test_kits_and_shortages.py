"""Kits and shortages of 238 real bills of material: every row and alert against figures made from the files."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.adventureworks import adapter, oracle
from tests.conftest import Perform

DAYS = (date(2024, 1, 1), date(2024, 4, 27), date(2024, 9, 9), date(2025, 6, 1))
CHECK = ("total_items", "fulfilled_items", "in_transit_items", "shortage_items", "kit_rate", "start_kit_rate", "kit_status", "can_start")
SHORTAGE = ("required_qty", "available_qty", "in_transit_qty", "shortage_qty", "required_date", "eta_date", "est_delay_days", "impact_type")


def open_alerts(db: Connection, rule: str) -> dict[int, tuple[str, dict[str, Any]]]:
    """Level and facts by target."""
    rows = db.execute(text("""select a.target_id, a.alert_level, a.facts from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id
        where r.rule_code = :rule and a.status = 'PENDING'"""), {"rule": rule})
    return {row.target_id: (row.alert_level, row.facts) for row in rows}


def exact(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts with their numbers as Decimal; whole numbers of JSON are that already."""
    return {name: Decimal(str(value)) if isinstance(value, float) else value for name, value in facts.items()}


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_kit_check_item_and_alert(day: date, adventureworks: Connection, files: oracle.Files, perform: Perform) -> None:
    db = adventureworks
    adapter.as_of(db, day)
    answer = perform("daily_kit_check", f"{day}T06:00+08:00")
    expected = {number: items for number, items in oracle.kits(files, day).items() if number % 10 <= 7}
    assert (answer["state"], answer["counters"]["checked"]) == ("succeeded", len(expected))

    kept: dict[int, dict[int, Any]] = {}
    for row in db.execute(text("select c.work_order_id, i.* from belfry.kit_checks c join belfry.kit_check_items i on i.kit_check_id = c.id")):
        kept.setdefault(row.work_order_id, {})[row.material_id] = (
            row.required_qty, row.on_hand_alloc, row.in_transit_alloc, row.shortage_qty, row.eta_date, row.item_status)
    assert kept == {
        number: {material: (i.required, i.on_hand, i.in_time, i.short, i.eta, i.status) for material, i in items.items()}
        for number, items in expected.items()
    }

    checks = {number: oracle.check(items, number % 10) for number, items in expected.items()}
    rows = db.execute(text("select * from belfry.kit_checks where method = 'AUTO'"))
    assert {row.work_order_id: {name: getattr(row, name) for name in CHECK} for row in rows} == {
        number: {name: check[name] for name in CHECK} for number, check in checks.items()
    }
    alerts = open_alerts(db, "KIT_RATE_LOW")
    assert {n: level for n, (level, _) in alerts.items()} == {n: check["level"] for n, check in checks.items() if check["level"]}
    for number, (_, facts) in alerts.items():
        told = ("kit_rate", "start_kit_rate", "total_items", "fulfilled_items", "in_transit_items", "shortage_items", "can_start")
        assert {name: exact(facts)[name] for name in told} == {name: checks[number][name] for name in told}
        assert [exact(line) for line in facts["lines"]] == worst(files, expected[number])

    startable = sorted(f"WO-{files.products[n]['ProductNumber']}" for n, check in checks.items() if n % 10 == 0 and check["can_start"])
    (digest,) = db.execute(text("select facts from belfry.notifications where type = 'DIGEST_KIT'")).scalars()
    assert [order["work_order_no"] for order in digest["orders"]] == startable


@pytest.mark.parametrize("checked", [True, False], ids=["after the kit check", "without a kit check"])
@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_shortage_and_its_alert(day: date, checked: bool, adventureworks: Connection, files: oracle.Files, perform: Perform) -> None:
    db = adventureworks
    adapter.as_of(db, day)
    if checked:
        perform("daily_kit_check", f"{day}T06:00+08:00")
    answer = perform("generate_shortage_alerts", f"{day}T07:00+08:00")
    expected = oracle.shortages(files, day)
    assert answer["counters"]["checked"] == 238
    assert answer["counters"]["calculated"] == sum(number % 10 > 7 or not checked for number in oracle.kits(files, day))

    rows = db.execute(text("select * from belfry.material_shortages where status = 'OPEN'")).all()
    assert {(row.work_order_id, row.material_id): {name: getattr(row, name) for name in SHORTAGE} for row in rows} == {
        key: {name: found[name] for name in SHORTAGE} for key, found in expected.items()
    }
    alerts = open_alerts(db, "MATERIAL_SHORTAGE")
    assert set(alerts) == {row.id for row in rows}
    assert {(row.work_order_id, row.material_id): (alerts[row.id][0], exact(alerts[row.id][1])) for row in rows} == {
        (number, material): (found["level"], facts_of(files, day, number, material, found)) for (number, material), found in expected.items()
    }


def worst(files: oracle.Files, items: dict[int, oracle.Item]) -> list[dict[str, Any]]:
    """The ten lines that an alert lists: shortages first, then by share, then by code."""
    missing = [(files.products[m]["ProductNumber"], files.products[m]["Name"], i) for m, i in items.items() if i.status != "FULFILLED"]
    missing.sort(key=lambda line: (line[2].status != "SHORTAGE", -line[2].short / line[2].required, line[0]))
    return [
        {"material_code": code, "material_name": name, "unit": None, "status": i.status, "required": i.required, "short": i.short,
         "eta": i.eta and str(i.eta)} for code, name, i in missing[:10]
    ]


def facts_of(files: oracle.Files, day: date, number: int, material: int, found: dict[str, Any]) -> dict[str, Any]:
    order, product = files.products[number], files.products[material]
    return {
        "material_code": product["ProductNumber"], "material_name": product["Name"], "unit": None, "work_order_no": f"WO-{order['ProductNumber']}",
        "task_name": order["Name"], "plan_start": str(found["required_date"]), "project_code": None, "project_name": None,
        "workshop_name": "Assembly", "required_date": str(found["required_date"]), "days_left": (found["required_date"] - day).days,
        "required": found["required_qty"], "available": found["available_qty"], "in_transit": found["in_transit_qty"],
        "short": found["shortage_qty"], "eta": found["eta_date"] and str(found["eta_date"]), "impact": found["impact_type"],
        "delay_days": found["est_delay_days"],
    }


def test_the_data_brings_what_the_rules_must_tell_apart(files: oracle.Files) -> None:
    """Otherwise agreement would mean little."""
    statuses, shortage_levels, kit_levels, in_time, minor = set(), set(), set(), 0, 0
    for day in DAYS:
        kits = oracle.kits(files, day)
        assert len(kits) == 238
        statuses |= {item.status for items in kits.values() for item in items.values()}
        in_time += sum(bool(item.in_time) for items in kits.values() for item in items.values())
        kit_levels |= {oracle.check(items, number % 10)["level"] for number, items in kits.items() if number % 10 <= 7}
        shortages = oracle.shortages(files, day).values()
        shortage_levels |= {found["level"] for found in shortages}
        minor += sum(found["shortage_qty"] * 20 < found["required_qty"] for found in shortages)
    assert statuses == {"FULFILLED", "IN_TRANSIT", "SHORTAGE"}
    assert shortage_levels == {"INFO", "WARNING", "CRITICAL", "URGENT"}
    assert kit_levels == {None, "WARNING", "URGENT"}
    assert in_time
    assert minor
