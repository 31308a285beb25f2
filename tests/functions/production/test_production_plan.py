"""Job M3 by the rulebook: boundaries of 9.2, what the plan reads, writes and tells, and how far other plans are."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from shared.erp import tables
from tests.acceptance.cases import AlertJob, RowsJob
from tests.conftest import Perform
from tests.factories import TODAY, Erp

JOB = "production_plan"
TEN = "2026-03-02T22:00+08:00"
NEXT_TEN = "2026-03-03T22:00+08:00"
WEDNESDAY = date(2026, 3, 4)  # the day before it is worked, so an order may be released on it


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def made_of(erp: Erp, material: int, parts: Mapping[int, Any], **columns: Any) -> int:
    items = [{"material_id": part, "quantity": quantity} for part, quantity in parts.items()]
    return erp.bom(items, material_id=material, **columns)


def proposals(db: Connection, version: str = "2026-03-02") -> dict[int, Any]:
    rows = db.execute(text("select * from belfry.planned_orders where plan_version = :v and status = 'PROPOSED' order by id"), {"v": version})
    return {row.material_id: row for row in rows}


def exceptions(db: Connection, version: str = "2026-03-02") -> list[tuple[str, str]]:
    rows = db.execute(text("select code, subject from belfry.plan_exceptions where plan_version = :v order by 1, 2"), {"v": version})
    return [(row.code, row.subject) for row in rows]


# ---------------------------------------------------------------- what every job promises
def _violate(erp: Erp, first: date) -> int:
    """A key material whose order must be released by the day before: from that day on it is late."""
    material = erp.material(is_key_material=True, lead_time_days=1)
    erp.sales_order_line(material, 5, first)
    return material


def _clear(db: Connection, target: int) -> None:
    db.execute(text("delete from erp.sales_order_lines where material_id = :m"), {"m": target})


def _multiply(db: Connection, target: int, n: int) -> None:
    db.execute(text("""with made as (
          insert into erp.materials (material_code, material_name, unit, is_key_material, lead_time_days)
          select material_code || '-' || c || '-' || g, material_name, unit, is_key_material, lead_time_days
          from erp.materials, (select count(*) as c from erp.materials) k, generate_series(1, :n) g where id = :id returning id)
        insert into erp.sales_order_lines (order_no, line_no, material_id, open_qty, due_date)
        select 'SO-M-' || made.id, 1, made.id, l.open_qty, l.due_date from made, erp.sales_order_lines l where l.material_id = :id"""),
        {"n": n, "id": target})


def _spoil(erp: Erp, first: date) -> str:
    erp.sales_order_line(erp.material(), -3, first)
    return "SALES_ORDER_LINE"


def _made(db: Connection) -> list[Any]:
    rows = db.execute(text("""select plan_version, material_id, order_type, qty, release_date, due_date, status, pegging::text
        from belfry.planned_orders order by 1, 2, 5"""))
    return [tuple(row) for row in rows]


CASES = [
    AlertJob(
        JOB, "PLAN_EXCEPTION", clock="22:00", day=WEDNESDAY, violate=_violate, clear=_clear, multiply=_multiply, spoil=_spoil,
        reasons={"a_worse_level_upgrades_the_same_alert_and_tells_once": "one level: what should be released already is CRITICAL"},
    ),
    RowsJob(JOB, clock="22:00", day=WEDNESDAY, arrange=_violate, multiply=_multiply, made=_made, spoil=_spoil),
]


# ---------------------------------------------------------------- the plan
def test_two_levels_are_planned_from_sales_stock_and_purchases(erp: Erp, db: Connection, perform: Perform) -> None:
    table = erp.material(material_code="TABLE", material_type="MAKE", lead_time_days=2)
    leg = erp.material(material_code="LEG", lead_time_days=3, min_order_qty=10, safety_stock=2)
    board = erp.material(material_code="BOARD", material_type="OUTSOURCE", lead_time_days=1)
    made_of(erp, table, {leg: 4, board: 1})
    erp.sales_order_line(table, 6, day(11), order_no="SO-9")
    erp.stock(table, 5, reserved_qty=3, frozen_qty=1)
    erp.stock(leg, 5)
    erp.purchase_order([{"material_id": leg, "quantity": 9, "received_qty": 5, "promised_date": day(4)}])
    answer = perform(JOB, TEN)
    assert answer["state"] == "succeeded"
    found = proposals(db)
    assert (found[table].order_type, found[table].qty, found[table].release_date, found[table].due_date) == ("MAKE", 5, day(9), day(11))
    # twenty legs for five tables, less 3 above the safety stock, less 4 on their way: 13, in lots of ten
    assert (found[leg].order_type, found[leg].qty, found[leg].release_date, found[leg].due_date) == ("BUY", 20, day(4), day(9))
    assert (found[board].order_type, found[board].qty, found[board].due_date) == ("OUTSOURCE", 5, day(9))
    assert found[table].pegging == [{"for": "SALES_ORDER", "no": "SO-9/1", "qty": "5.0000", "due": str(day(11))}]
    assert found[leg].pegging == [{"for": "PLANNED_ORDER", "no": f"TABLE {day(11)}", "qty": "13.0000", "due": str(day(9))}]
    assert answer["counters"] | {"make": 1, "buy": 1, "outsource": 1, "added": 3} == answer["counters"]


def test_a_lead_time_over_a_holiday_week_starts_before_it(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2, M3: Qingming is a Monday, 6 April 2026; National Day rests from 1 to 7 October."""
    spring, autumn = (erp.material(lead_time_days=n) for n in (1, 3))
    erp.sales_order_line(spring, 1, date(2026, 4, 7))
    erp.sales_order_line(autumn, 1, date(2026, 10, 9))
    perform(JOB, TEN)
    assert proposals(db)[spring].release_date == date(2026, 4, 3)
    perform(JOB, "2026-08-31T22:00+08:00", kind="manual")
    assert proposals(db, "2026-08-31")[autumn].release_date == date(2026, 9, 29)


def test_a_loop_in_a_bill_fails_as_an_item_and_the_rest_is_planned(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2, M3"""
    whole, first, second, bolt = (erp.material(material_code=code, material_type="MAKE", lead_time_days=1) for code in ("W", "A", "B", "BOLT"))
    for one, parts in ((whole, {first: 1, bolt: 2}), (first, {second: 1}), (second, {first: 1})):
        made_of(erp, one, parts)
    erp.sales_order_line(whole, 3, day(10))
    answer = perform(JOB, TEN)
    assert (answer["state"], answer["counters"]["loops"]) == ("partial", 1)
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert item == ("MATERIAL", "A", "failed", "its bill of material leads back to it: A > B > A")
    assert {m: row.qty for m, row in proposals(db).items()} == {whole: 3, bolt: 6}


def test_open_work_orders_need_the_parts_of_what_is_not_made_yet(erp: Erp, db: Connection, perform: Perform) -> None:
    part, machine = erp.material(lead_time_days=1), erp.machine()
    own, of_machine = erp.bom([{"material_id": part, "quantity": 2}]), erp.bom([{"material_id": part, "quantity": 1}], machine_id=machine)
    assert of_machine
    erp.work_order(bom_id=own, plan_qty=10, completed_qty=4, plan_start_date=day(3), status="STARTED", work_order_no="WO-1")
    erp.work_order(machine_id=machine, plan_qty=None, plan_start_date=day(3), work_order_no="WO-2")
    for status in ("COMPLETED", "APPROVED", "CANCELLED"):
        erp.work_order(bom_id=own, status=status)
    erp.work_order(bom_id=own, project_id=erp.project(is_archived=True))
    perform(JOB, TEN)
    assert proposals(db)[part].qty == 13
    assert [(peg["no"], peg["qty"]) for peg in proposals(db)[part].pegging] == [("WO-1", "12.0000"), ("WO-2", "1.0000")]


def test_work_orders_and_outsourcing_bring_what_they_make(erp: Erp, db: Connection, perform: Perform) -> None:
    made, outside = erp.material(material_type="MAKE", lead_time_days=1), erp.material(material_type="OUTSOURCE", lead_time_days=1)
    bill = made_of(erp, made, {})
    erp.work_order(bom_id=bill, plan_qty=8, completed_qty=2, plan_end_date=day(5))
    order = db.execute(text("insert into erp.outsourcing_orders (order_no, status, required_date) values ('OS-1', 'IN_PROGRESS', :d) returning id"), {"d": day(4)}).scalar_one()
    db.execute(insert(tables.outsourcing_order_items).values(order_id=order, material_id=outside, quantity=7, received_qty=3))
    for material in (made, outside):
        erp.sales_order_line(material, 10, day(8))
    perform(JOB, TEN)
    assert {m: row.qty for m, row in proposals(db).items()} == {made: 4, outside: 6}


def test_orders_at_the_wrong_time_and_gaps_in_the_data_are_told(erp: Erp, db: Connection, perform: Perform) -> None:
    soon, later, nobody, bill, lead = (
        erp.material(material_code=code, material_type=kind, lead_time_days=days)
        for code, kind, days in (("SOON", "PURCHASE", 1), ("LATER", "PURCHASE", 1), ("NOBODY", "PURCHASE", 1), ("NOBILL", "MAKE", 1), ("NOLEAD", "PURCHASE", 0))
    )
    for material, comes, wanted in ((soon, 20, 10), (later, 3, 11), (nobody, 5, None), (bill, None, 10), (lead, None, 10)):
        if comes is not None:
            erp.purchase_order([{"material_id": material, "quantity": 5, "promised_date": day(comes)}], order_no=f"PO-{comes}")
        if wanted is not None:
            erp.sales_order_line(material, 5, day(wanted))
    answer = perform(JOB, TEN)
    found = [(code, subject.split("/")[0]) for code, subject in exceptions(db)]
    assert found == [
        ("CANCEL", "PURCHASE_ORDER PO-5"), ("DEFER", "PURCHASE_ORDER PO-3"), ("EXPEDITE", "PURCHASE_ORDER PO-20"),
        ("NO_BOM", f"MAKE NOBILL {day(10)}"), ("NO_LEAD_TIME", f"BUY NOLEAD {day(10)}"),
    ]
    assert answer["counters"]["exceptions"] == 5
    assert {m: row.exception_code for m, row in proposals(db).items()} == {bill: "NO_BOM", lead: "NO_LEAD_TIME"}


def test_a_workshop_with_more_hours_than_people_is_told(erp: Erp, db: Connection, perform: Perform) -> None:
    shop = erp.workshop(workshop_code="ZZ", daily_hours=8)
    for _ in range(2):
        erp.worker(workshop_id=shop)
    away = erp.worker(workshop_id=shop)
    erp.worker_leave(away, day(1), hours=8)
    # 80 hours over the five days of the week: 16 a day, and on Tuesday 9 more than 16 there
    erp.work_order(workshop_id=shop, standard_hours=80, plan_start_date=day(0), plan_end_date=day(4))
    erp.work_order(workshop_id=shop, standard_hours=18, plan_qty=2, completed_qty=1, plan_start_date=day(0), plan_end_date=day(1))
    perform(JOB, TEN)
    assert exceptions(db) == [("CAPACITY", f"ZZ {day(1)}")]
    row = db.execute(text("select qty, facts from belfry.plan_exceptions")).one()
    assert (row.qty, row.facts) == (Decimal("20.5"), {"hours": 16, "percent": 128.1})


# ---------------------------------------------------------------- versions
def test_firmed_and_released_orders_are_inputs_and_never_changed(erp: Erp, db: Connection, perform: Perform) -> None:
    made, part = erp.material(material_type="MAKE", lead_time_days=1), erp.material(lead_time_days=1)
    made_of(erp, made, {part: 2})
    erp.sales_order_line(made, 10, day(10))
    perform(JOB, TEN)
    db.execute(text("update belfry.planned_orders set status = 'FIRMED', qty = 6 where material_id = :m"), {"m": made})
    perform(JOB, TEN, kind="manual")
    rows = db.execute(text("select material_id, status, qty, due_date from belfry.planned_orders where status <> 'SUPERSEDED' order by 1, 2")).all()
    # the firmed one has its day; the four that are still missing are due a workday earlier
    assert [tuple(row) for row in rows] == [
        (made, "FIRMED", 6, day(10)), (made, "PROPOSED", 4, day(9)), (part, "PROPOSED", 20, day(9)),
    ]
    perform(JOB, NEXT_TEN)
    assert db.execute(text("select status, qty from belfry.planned_orders where plan_version = '2026-03-02' and material_id = :m order by 1"), {"m": made}).all() == [("FIRMED", 6), ("SUPERSEDED", 4)]
    assert proposals(db, "2026-03-03")[made].qty == 4


def test_a_released_order_counts_until_its_day(erp: Erp, db: Connection, perform: Perform) -> None:
    material = erp.material(lead_time_days=1)
    erp.sales_order_line(material, 10, day(10))
    for version, due, quantity in (("2026-02-20", day(-1), 3), ("2026-02-21", day(0), 4)):
        db.execute(text("""insert into belfry.planned_orders (plan_version, material_id, order_type, qty, release_date, due_date, status)
            values (:v, :m, 'BUY', :q, :d, :d, 'RELEASED')"""), {"v": version, "m": material, "q": quantity, "d": due})
    perform(JOB, TEN)
    assert proposals(db)[material].qty == 6


def test_the_next_night_supersedes_and_a_plan_without_needs_does_too(erp: Erp, db: Connection, perform: Perform) -> None:
    material = erp.material(lead_time_days=1)
    erp.sales_order_line(material, 10, day(10))
    perform(JOB, TEN)
    db.execute(text("delete from erp.sales_order_lines"))
    answer = perform(JOB, NEXT_TEN)
    assert answer["counters"]["superseded"] == 1
    assert db.execute(text("select status from belfry.planned_orders")).scalars().all() == ["SUPERSEDED"]


def test_a_plan_of_an_earlier_night_does_not_stand_beside_the_later_one(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.sales_order_line(erp.material(lead_time_days=1), 10, day(10))
    perform(JOB, NEXT_TEN)
    perform(JOB, TEN, kind="backfill", now=NEXT_TEN)
    versions = db.execute(text("select plan_version, status from belfry.planned_orders order by 1")).all()
    assert [tuple(row) for row in versions] == [("2026-03-02", "SUPERSEDED"), ("2026-03-03", "PROPOSED")]


def test_a_second_run_of_the_night_writes_only_what_is_different(erp: Erp, db: Connection, perform: Perform) -> None:
    first, second = (erp.material(lead_time_days=1) for _ in range(2))
    for material in (first, second):
        erp.sales_order_line(material, 10, day(10))
    perform(JOB, TEN)
    written = "select material_id, xmin::text from belfry.planned_orders order by 1"
    before = db.execute(text(written)).all()
    perform(JOB, TEN, kind="manual")
    assert db.execute(text(written)).all() == before
    db.execute(text("update erp.sales_order_lines set open_qty = 12 where material_id = :m"), {"m": first})
    answer = perform(JOB, TEN, kind="manual")
    assert (answer["counters"]["added"], answer["counters"]["changed"]) == (0, 1)
    assert db.execute(text(written)).all()[1] == before[1]


def test_old_superseded_proposals_are_forgotten(erp: Erp, db: Connection, perform: Perform) -> None:
    material = erp.material()
    for version, status in (("2025-12-01", "SUPERSEDED"), ("2025-12-01", "FIRMED"), ("2025-12-03", "SUPERSEDED")):
        db.execute(text("""insert into belfry.planned_orders (plan_version, material_id, order_type, qty, release_date, due_date, status)
            values (:v, :m, :t, 1, :v, :v, :s)"""), {"v": version, "m": material, "t": "BUY" if status == "FIRMED" else "MAKE", "s": status})
    perform(JOB, "2026-03-02T22:00+08:00")
    left = db.execute(text("select plan_version, status from belfry.planned_orders order by 1")).all()
    assert [tuple(row) for row in left] == [("2025-12-01", "FIRMED"), ("2025-12-03", "SUPERSEDED")]


# ---------------------------------------------------------------- who is told
def test_a_late_key_material_is_critical_and_production_reads_the_summary_in_the_morning(erp: Erp, db: Connection, perform: Perform) -> None:
    planner = erp.user("郑凯", roles=["PROD"])
    key, other = (erp.material(material_code=code, is_key_material=code == "KEY", lead_time_days=10) for code in ("KEY", "OTHER"))
    for material in (key, other):
        erp.sales_order_line(material, 5, day(4), order_no=f"SO-{material}")
    perform(JOB, TEN)
    alert = db.execute(text("select * from belfry.alert_records")).one()
    assert (alert.target_id, alert.target_type, alert.base_level, alert.recipients) == (key, "MATERIAL", "CRITICAL", ["ROLE:PROD"])
    assert (alert.facts["count"], alert.facts["orders"][0]["release"], alert.trigger_value) == (1, "2026-02-14", 16)
    told = db.execute(text("select type, facts, not_before from belfry.notifications where alert_id is null")).one()
    assert told.not_before.isoformat() == "2026-03-02T23:30:00+00:00"
    assert (told.facts["orders"], told.facts["exceptions"]) == ({"BUY": 2}, {"RELEASE_LATE": 2})
    assert [item["material_code"] for item in told.facts["late"]] == ["KEY", "OTHER"]
    reached = db.execute(text("select distinct user_id from belfry.notification_deliveries")).scalars().all()
    assert reached == [planner]


def test_a_night_without_anything_to_plan_tells_nobody(erp: Erp, db: Connection, perform: Perform) -> None:
    assert perform(JOB, TEN)["state"] == "succeeded"
    assert db.execute(text("select count(*) from belfry.notifications")).scalar_one() == 0


@pytest.mark.parametrize(("make", "key", "error"), [
    (lambda erp: erp.sales_order_line(erp.material(), -2, day(1), order_no="SO-X"), "SO-X/1", "open quantity is -2"),
    (lambda erp: erp.work_order(plan_qty=0, work_order_no="WO-X"), "WO-X", "plan quantity is 0"),
])
def test_what_contradicts_itself_is_listed(make: Any, key: str, error: str, erp: Erp, db: Connection, perform: Perform) -> None:
    make(erp)
    assert perform(JOB, TEN)["state"] == "partial"
    assert db.execute(text("select item_key, error from belfry.execution_items")).one() == (key, error)


# ---------------------------------------------------------------- the plans that people made
@pytest.mark.parametrize(("status", "orders", "progress", "becomes"), [
    ("PUBLISHED", [("PENDING", 10, 0)], 0, "PUBLISHED"),
    ("PUBLISHED", [("STARTED", 10, 0), ("PENDING", 10, 0)], 0, "EXECUTING"),
    ("PUBLISHED", [("COMPLETED", 10, 10)], 100, "COMPLETED"),
    ("EXECUTING", [("COMPLETED", 10, 10), ("STARTED", 30, 5)], "37.5", "EXECUTING"),
    ("EXECUTING", [("COMPLETED", 10, 10), ("APPROVED", 30, 30)], 100, "COMPLETED"),
    ("EXECUTING", [("COMPLETED", 10, 10), ("CANCELLED", 30, 0)], 100, "COMPLETED"),
    ("EXECUTING", [("COMPLETED", 10, 13)], 100, "COMPLETED"),
    ("EXECUTING", [], 42, "EXECUTING"),
    ("APPROVED", [("STARTED", 10, 5)], 42, "APPROVED"),
])
def test_plans_roll_on_with_their_work_orders(status: str, orders: list[tuple[str, int, int]], progress: Any, becomes: str, erp: Erp, db: Connection, perform: Perform) -> None:
    plan = erp.production_plan(status=status, progress=42)
    for state, planned, done in orders:
        erp.work_order(production_plan_id=plan, status=state, plan_qty=planned, completed_qty=done)
    perform(JOB, TEN)
    assert db.execute(text("select progress, status from erp.production_plans")).one() == (Decimal(progress), becomes)
    before = db.execute(text("select xmin::text from erp.production_plans")).scalar_one()
    perform(JOB, TEN, kind="manual")
    assert db.execute(text("select xmin::text from erp.production_plans")).scalar_one() == before


def test_the_plan_is_read_before_its_transaction_begins(erp: Erp, db: Connection, perform: Perform) -> None:
    """Computing must not hold a transaction open: idle_in_transaction_session_timeout would end it."""
    from shared.db import engine
    from tests.statements import statements_of

    erp.sales_order_line(erp.material(lead_time_days=1), 1, day(9))
    perform(JOB, TEN, kind="manual")
    with statements_of(engine()) as seen:
        perform(JOB, TEN, kind="manual")
    reads = next(n for n, one in enumerate(seen) if "plan_rows" in one)
    writes = next(n for n, one in enumerate(seen) if "jsonb_to_recordset" in one and "planned_orders" in one)
    begins = [n for n, one in enumerate(seen) if "begin" in one.lower()[:300] and reads < n <= writes]
    assert reads < writes, json.dumps(seen)[:500]
    assert begins
