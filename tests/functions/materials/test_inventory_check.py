"""Job M1 by the rulebook: what a sheet freezes, when a class is due, what a count leads to, and what is alerted."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from shared.erp import stock_checks, tables
from tests.acceptance.cases import AlertJob, RowsJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import Erp

JOB = "inventory_check"
FIRST = date(2026, 3, 1)
AT = "2026-03-01T00:00+08:00"
NEXT = "2026-04-01T00:00+08:00"
RECENT = datetime(2026, 2, 20, 1, 0, tzinfo=UTC)


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def stock(erp: Erp, quantity: Any = 100, *, ledger: Any = "same", **columns: Any) -> int:
    """A stock row whose ledger says the same, unless `ledger` says otherwise (None: no movement)."""
    material = columns.pop("material_id", None) or erp.material(**columns.pop("material", {}))
    row = erp.stock(material, quantity, **columns)
    if ledger is not None:
        erp.movement(row, quantity if ledger == "same" else ledger, occurred_at=RECENT)
    return row


def levels(db: Connection, rule: str) -> dict[int, str]:
    return {a["target_id"]: a["base_level"] for a in alerts(db) if a["rule_code"] == rule and a["status"] == "PENDING"}


def sheets(db: Connection) -> list[Mapping[str, Any]]:
    return [dict(row) for row in db.execute(text("select * from belfry.inventory_checks order by id")).mappings()]


def lines(db: Connection) -> dict[int, Mapping[str, Any]]:
    found = db.execute(text("select * from belfry.inventory_check_lines order by check_id, inventory_id")).mappings()
    return {row["inventory_id"]: dict(row) for row in found}


def count(db: Connection, row: int, counted: Any, at: str = "2026-03-02T10:00+08:00", *, again: bool = False) -> None:
    db.execute(
        text("""update belfry.inventory_check_lines set counted_qty = :q, counted_at = :at, recounted = :again
                where inventory_id = :row"""),
        {"q": counted, "at": datetime.fromisoformat(at), "again": again, "row": row},
    )  # fmt: skip


def again(perform: Perform, at: str = "2026-03-03T08:00+08:00", **params: Any) -> dict[str, Any]:
    answer = perform(JOB, at, kind="manual", params=params or None)
    assert answer["state"] == "succeeded", answer
    return answer


# ---------------------------------------------------------------- what every job promises
def _set(assignments: str) -> Any:
    return lambda db, row: db.execute(text(f"update erp.inventories set {assignments} where id = :id"), {"id": row})


def _spoil(erp: Erp, day: date) -> str:
    erp.stock(erp.material(safety_stock=5), 1, reserved_qty=-1)
    return "INVENTORY"


def _more_materials(db: Connection, row: int, n: int) -> None:
    db.execute(text("""with made as (
          insert into erp.materials (material_code, material_name, safety_stock, buyer_id)
          select m.material_code || '-' || c.n || '-' || g, m.material_name, m.safety_stock, m.buyer_id
          from erp.materials m join erp.inventories i on i.material_id = m.id, generate_series(1, :n) g, (select count(*) as n from erp.materials) c
          where i.id = :id returning id)
        insert into erp.inventories (material_id, warehouse_id, quantity)
        select made.id, i.warehouse_id, i.quantity from made, erp.inventories i where i.id = :id"""), {"n": n, "id": row})  # fmt: skip


def _made(db: Connection) -> list[Any]:
    hidden = ("execution_id", "posted_at", "snapshot_at")
    return [[{k: v for k, v in row.items() if k not in hidden} for row in sheets(db)], *lines(db).values()]


_MONTHLY = {"clock": "00:00", "day": FIRST, "every": date(2026, 4, 1) - FIRST}
_NO_DAY = {"the_business_day_begins_at_local_midnight": "no day: stock is wrong or right whatever day it is"}
_ONE = {"a_worse_level_upgrades_the_same_alert_and_tells_once": "one level: there is no more or less wrong"}
CASES = [
    AlertJob(
        JOB, "STOCK_NEGATIVE", violate=lambda erp, day: stock(erp, -5, ledger=None), clear=_set("quantity = 1"),
        spoil=_spoil, multiply=copies_of(tables.inventories, "batch_no"), reasons=_NO_DAY | _ONE, **_MONTHLY,
    ),
    AlertJob(
        JOB, "STOCK_LEDGER_DIFF", violate=lambda erp, day: stock(erp, 10, ledger=8), clear=_set("quantity = 8"),
        spoil=_spoil, multiply=copies_of(tables.inventories, "batch_no"), reasons=_NO_DAY | _ONE, **_MONTHLY,
    ),
    AlertJob(
        JOB, "STOCK_BELOW_SAFETY", violate=lambda erp, day: stock(erp, 10, ledger=None, material={"safety_stock": 11}),
        clear=_set("quantity = 11"), spoil=_spoil, multiply=_more_materials, reasons=_NO_DAY,
        worsen=lambda db, row: db.execute(text("update erp.materials set is_key_material = true")), **_MONTHLY,
    ),
    RowsJob(
        JOB, arrange=lambda erp, day: stock(erp, 5, ledger=None), multiply=copies_of(tables.inventories, "batch_no"), made=_made,
        spoil=_spoil, **_MONTHLY,
    ),
]  # fmt: skip


# ---------------------------------------------------------------- sheets
def test_a_sheet_freezes_books_and_ledger_of_its_warehouse(erp: Erp, db: Connection, perform: Perform) -> None:
    keeper = erp.user()
    house, other, closed = erp.warehouse(keeper_id=keeper, warehouse_code="RAW"), erp.warehouse(), erp.warehouse(is_active=False)
    row = stock(erp, 10, ledger=None, warehouse_id=house)
    for quantity, kind in ((12, "IN"), (3, "OUT"), (-1, "OUT"), (2, "TRANSFER"), (-1, "ADJUST")):
        erp.movement(row, quantity, type=kind, occurred_at=RECENT)
    elsewhere, nowhere = stock(erp, 1, warehouse_id=other), stock(erp, 1, warehouse_id=closed)
    counters = perform(JOB, AT)["counters"]
    assert (counters["sheets"], counters["lines"], counters["checked"]) == (2, 2, 2)
    sheet = next(s for s in sheets(db) if s["warehouse_id"] == house)
    assert (sheet["check_no"], sheet["period_key"], sheet["scope"], sheet["status"]) == ("IC-2026-03-RAW-ALL", "2026-03", "all", "COUNTING")
    assert (sheet["owner_id"], sheet["lines"], sheet["snapshot_at"]) == (keeper, 1, datetime.fromisoformat(AT))
    assert (lines(db)[row]["book_qty"], lines(db)[row]["recomputed_qty"], lines(db)[row]["flags"]) == (10, 9, ["LEDGER_DIFF"])
    assert elsewhere in lines(db)
    assert nowhere not in lines(db)


def test_a_month_has_one_sheet_a_warehouse_and_scope(erp: Erp, db: Connection, perform: Perform) -> None:
    row = stock(erp, 10)
    perform(JOB, AT)
    db.execute(text("update erp.inventories set quantity = 99"))
    again(perform)
    assert (len(sheets(db)), lines(db)[row]["book_qty"]) == (1, 10)
    again(perform, scope="zero")
    perform(JOB, NEXT)
    assert [(s["period_key"], s["scope"]) for s in sheets(db)] == [("2026-03", "all"), ("2026-03", "zero"), ("2026-04", "all")]


def test_an_empty_warehouse_gets_a_sheet_that_is_closed_at_once(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.warehouse()
    perform(JOB, AT)
    (sheet,) = sheets(db)
    assert (sheet["lines"], sheet["status"], sheet["diff_lines"]) == (0, "POSTED", 0)
    assert messages(db) == []


def test_without_details_a_sheet_has_a_number_and_no_lines(erp: Erp, db: Connection, perform: Perform) -> None:
    stock(erp, 10)
    again(perform, AT, detailed=False)
    assert (sheets(db)[0]["lines"], sheets(db)[0]["status"], lines(db)) == (1, "DRAFT", {})


@pytest.mark.parametrize(("scope", "found"), [
    ("all", {"none", "zero", "minus", "a"}), ("zero", {"zero"}), ("negative", {"minus"}), ("A", {"a"}), ("B", set()),
])
def test_a_scope_says_which_rows_are_counted(scope: str, found: set[str], erp: Erp, db: Connection, perform: Perform) -> None:
    row = {"none": stock(erp, 5), "zero": stock(erp, 0), "minus": stock(erp, -1), "a": stock(erp, 5, material={"abc_class": "A"})}
    again(perform, AT, scope=scope)
    assert set(lines(db)) == {row[name] for name in found}


@pytest.mark.parametrize(("scope", "counted", "day", "due"), [
    ("A", None, "2026-03-01", True), ("A", "2026-02-01", "2026-03-01", True), ("A", "2026-02-02", "2026-03-01", False),
    ("B", "2025-12-01", "2026-03-01", True), ("B", "2025-12-02", "2026-03-01", False),
    ("C", "2025-09-01", "2026-03-01", True), ("C", "2025-09-02", "2026-03-01", False),
    ("A", "2028-01-31", "2028-02-29", True), ("A", "2028-01-31", "2028-02-28", False),  # the 31st of a leap February is its 29th
    ("A", "2028-02-29", "2028-03-29", True), ("A", "2028-02-29", "2028-03-28", False), ("C", "2027-08-31", "2028-02-29", True),
])
def test_a_class_is_counted_again_after_one_three_or_six_months(
    scope: str, counted: str | None, day: str, due: bool, erp: Erp, db: Connection, perform: Perform
) -> None:
    last = datetime.fromisoformat(f"{counted}T23:30+08:00") if counted else None
    row = stock(erp, 5, material={"abc_class": scope}, last_counted_at=last)
    again(perform, f"{day}T00:00+08:00", scope=scope)
    assert set(lines(db)) == ({row} if due else set())
    assert sheets(db)[0]["period_key"] == day[:7]


def test_one_warehouse_alone_may_be_asked_for(erp: Erp, db: Connection, perform: Perform) -> None:
    house, other = erp.warehouse(), erp.warehouse()
    row, _ = stock(erp, -1, warehouse_id=house), stock(erp, -1, warehouse_id=other)
    again(perform, AT, warehouse_id=house)
    assert ([s["warehouse_id"] for s in sheets(db)], set(lines(db))) == ([house], {row})
    assert levels(db, "STOCK_NEGATIVE") == {row: "CRITICAL"}


def test_a_sheet_is_due_in_three_workdays_over_a_holiday_week(erp: Erp, db: Connection, perform: Perform) -> None:
    stock(erp, 1)
    perform(JOB, AT)
    again(perform, "2026-10-01T00:00+08:00")  # the 1st to the 7th are holidays, the 10th is worked
    assert [s["due_date"] for s in sheets(db)] == [date(2026, 3, 4), date(2026, 10, 10)]


# ---------------------------------------------------------------- counting
def test_a_count_is_compared_with_the_book_and_the_movements_up_to_it(erp: Erp, db: Connection, perform: Perform) -> None:
    row = stock(erp, 100, material={"standard_price": Decimal("2.5")})
    perform(JOB, AT)
    for quantity, kind, at in ((10, "IN", "2026-03-02T09:00"), (4, "OUT", "2026-03-02T10:00"), (50, "IN", "2026-03-02T10:01")):
        erp.movement(row, quantity, type=kind, occurred_at=datetime.fromisoformat(f"{at}+08:00"))
    count(db, row, 105)
    assert again(perform)["counters"]["reviewed"] == 1
    assert [lines(db)[row][name] for name in ("diff_qty", "diff_value", "next_step")] == [-1, Decimal("-2.50"), None]
    (sheet,) = sheets(db)
    assert [sheet[n] for n in ("status", "diff_lines", "diff_value", "needs_approval")] == ["REVIEW", 1, Decimal("-2.50"), False]


def test_a_doubtful_line_is_counted_twice_and_a_dear_one_approved(erp: Erp, db: Connection, perform: Perform) -> None:
    doubtful, dear = stock(erp, 100), stock(erp, 1000, material={"standard_price": 100})
    perform(JOB, AT)
    count(db, doubtful, 97)
    count(db, dear, 890)
    assert again(perform)["counters"]["second_counts"] == 2
    assert sheets(db)[0]["status"] == "COUNTING"
    count(db, doubtful, 98, again=True)
    count(db, dear, 890, again=True)
    again(perform)
    assert [lines(db)[row]["next_step"] for row in (doubtful, dear)] == [None, "APPROVAL"]
    assert (sheets(db)[0]["status"], sheets(db)[0]["needs_approval"]) == ("REVIEW", True)


def test_a_sheet_is_posted_once_and_not_without_its_approval(erp: Erp, db: Connection, perform: Perform) -> None:
    row = stock(erp, 1000, material={"standard_price": 100})
    perform(JOB, AT)
    sheet = sheets(db)[0]["id"]
    with pytest.raises(DBAPIError, match="may not become POSTED"):
        db.execute(stock_checks.posted(sheet))
    count(db, row, 890, again=True)
    again(perform)
    with pytest.raises(DBAPIError, match="waits for an approval"):
        db.execute(stock_checks.posted(sheet))
    db.execute(text("update belfry.inventory_checks set approved_by = 7"))
    assert db.execute(stock_checks.posted(sheet)).scalar_one().startswith("IC-2026-03-")
    with pytest.raises(DBAPIError, match="is POSTED and may not change"):
        db.execute(stock_checks.posted(sheet))
    assert sheets(db)[0]["status"] == "POSTED"


def test_the_job_never_changes_stock(erp: Erp, db: Connection, perform: Perform) -> None:
    row = stock(erp, 10, ledger=8)
    before = db.execute(text("select * from erp.inventories")).all()
    perform(JOB, AT)
    count(db, row, 7, again=True)
    again(perform)
    assert db.execute(text("select * from erp.inventories")).all() == before


# ---------------------------------------------------------------- alerts
def test_negative_stock_is_critical_for_the_keeper(erp: Erp, db: Connection, perform: Perform) -> None:
    keeper = erp.user()
    row = stock(erp, -2, ledger=None, warehouse_id=erp.warehouse(keeper_id=keeper, warehouse_name="原料仓"),
                material={"material_code": "LG-2", "material_name": "直线导轨"}, batch_no="B7")  # fmt: skip
    stock(erp, 0, ledger=None)
    perform(JOB, AT)
    assert levels(db, "STOCK_NEGATIVE") == {row: "CRITICAL"}
    (alert,) = alerts(db)
    assert (alert["target_no"], alert["recipients"], alert["trigger_value"]) == ("LG-2/原料仓/B7", [f"USER:{keeper}"], -2)


def test_the_ledger_is_believed_where_there_is_one(erp: Erp, db: Connection, perform: Perform) -> None:
    silent = stock(erp, 10, ledger=None)
    assert perform(JOB, AT)["counters"]["ledger_kept"] == 0
    assert levels(db, "STOCK_LEDGER_DIFF") == {}
    wrong, right = stock(erp, 10, ledger=Decimal("9.9999")), stock(erp, 10)
    perform(JOB, NEXT)
    assert levels(db, "STOCK_LEDGER_DIFF") == {silent: "WARNING", wrong: "WARNING"}
    assert right


def test_safety_stock_is_of_the_material_and_reserved_and_frozen_do_not_count(erp: Erp, db: Connection, perform: Perform) -> None:
    enough, short, key = (erp.material(safety_stock=20, is_key_material=k) for k in (False, False, True))
    first = {m: stock(erp, 15, material_id=m) for m in (enough, short, key)}
    stock(erp, 5, material_id=enough)
    stock(erp, 9, material_id=short, reserved_qty=3, frozen_qty=2)
    stock(erp, 10**6, material={"safety_stock": 0})
    perform(JOB, AT)
    assert levels(db, "STOCK_BELOW_SAFETY") == {first[short]: "INFO", first[key]: "WARNING"}


def test_the_buyer_hears_of_stock_below_its_safety_level(erp: Erp, db: Connection, perform: Perform) -> None:
    keeper, buyer = erp.user(), erp.user()
    stock(erp, 1, warehouse_id=erp.warehouse(keeper_id=keeper), material={"safety_stock": 2, "buyer_id": buyer})
    perform(JOB, AT)
    assert alerts(db)[0]["recipients"] == [f"USER:{keeper}", f"USER:{buyer}"]


def test_slow_and_frozen_stock_is_flagged_on_the_sheet_only(erp: Erp, db: Connection, perform: Perform) -> None:
    old = datetime(2025, 8, 31, tzinfo=UTC)
    slow, adjusted, frozen = stock(erp, 5, ledger=None), stock(erp, 5, ledger=None), stock(erp, 5, frozen_qty=1)
    erp.movement(slow, 5, occurred_at=old)
    erp.movement(adjusted, 5, occurred_at=old)
    erp.movement(adjusted, 0, type="ADJUST", occurred_at=RECENT)
    perform(JOB, AT)
    assert [lines(db)[row]["flags"] for row in (slow, adjusted, frozen)] == [["NO_MOVE"], ["NO_MOVE"], ["FROZEN"]]
    assert alerts(db) == []


def test_a_row_that_is_gone_ends_its_alert_and_one_out_of_scope_keeps_it(erp: Erp, db: Connection, perform: Perform) -> None:
    gone, kept = stock(erp, -1, ledger=None), stock(erp, -1, ledger=None, material={"abc_class": "B"})
    perform(JOB, AT)
    db.execute(text("delete from belfry.inventory_check_lines"))
    db.execute(text("delete from erp.inventories where id = :id"), {"id": gone})
    db.execute(text("update erp.inventories set quantity = 5"))
    again(perform, scope="A")
    assert {a["target_id"]: a["status"] for a in alerts(db)} == {gone: "EXPIRED", kept: "PENDING"}
    again(perform, scope="B")
    assert {a["target_id"]: a["status"] for a in alerts(db)} == {gone: "EXPIRED", kept: "RESOLVED"}


def test_more_reserved_than_there_is_is_a_data_defect(erp: Erp, db: Connection, perform: Perform) -> None:
    stock(erp, 5, reserved_qty=6, material={"material_code": "LG-2"}, warehouse_id=erp.warehouse(warehouse_code="RAW"), batch_no="")
    answer = perform(JOB, AT)
    assert (answer["state"], answer["counters"]["data_defects"]) == ("succeeded", 1)
    item = db.execute(text("select item_type, item_key, error from belfry.execution_items")).one()
    assert item == ("INVENTORY", "LG-2/RAW", "reserved is 6, there is 5")


# ---------------------------------------------------------------- who is told
def test_the_keeper_gets_the_sheet_the_boss_the_overdue_one_and_finance_the_differences(
    erp: Erp, db: Connection, perform: Perform
) -> None:
    boss, finance = erp.user(), erp.user(roles=["FIN"])
    keeper = erp.user(manager_id=boss)
    row = stock(erp, 100, warehouse_id=erp.warehouse(keeper_id=keeper))

    def told() -> list[tuple[str, set[str]]]:
        return [(m["facts"]["stage"], {one.split()[0] for one in m["told"]}) for m in messages(db)]

    perform(JOB, AT)
    again(perform, "2026-03-04T08:00+08:00")  # due that day
    assert told() == [("NEW", {str(keeper)})]
    again(perform, "2026-03-05T08:00+08:00")
    again(perform, "2026-03-06T08:00+08:00")
    assert told()[1:] == [("OVERDUE", {str(boss)})]
    count(db, row, 99)
    again(perform, "2026-03-06T09:00+08:00")
    assert told()[2:] == [("DIFFERENCES", {str(finance)})]
    again(perform, "2026-03-09T09:00+08:00")
    assert len(told()) == 3


def test_a_count_without_differences_is_nobodys_news(erp: Erp, db: Connection, perform: Perform) -> None:
    row = stock(erp, 100, warehouse_id=erp.warehouse(keeper_id=erp.user()))
    perform(JOB, AT)
    count(db, row, 100)
    again(perform)
    assert [m["facts"]["stage"] for m in messages(db)] == ["NEW"]


def test_a_sheet_nobody_keeps_goes_to_the_stores(erp: Erp, db: Connection, perform: Perform) -> None:
    stores = erp.user(roles=["WH"])
    stock(erp, 1)
    perform(JOB, AT)
    assert {one.split()[0] for one in messages(db)[0]["told"]} == {str(stores)}
