"""Rows of other systems come in page by page, once; what is bad waits, what is too much stops, what fails is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp.side_tables import sync_sources
from tests.acceptance.cases import AlertJob, RowsJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import alerts, everything
from tests.factories import TODAY, Erp
from tests.factories.rows import number
from tests.systems import Systems, source, supplier, systems

ID = "data_sync"
NINE = datetime.fromisoformat("2026-03-02T09:00+08:00")
served: Systems


@contextmanager
def other_systems(db: Connection) -> Iterator[None]:
    global served
    with systems() as served:
        yield


@pytest.fixture
def mdm(db: Connection) -> Iterator[Systems]:
    """Another system called mdm with a hundred suppliers, and an entry that pulls them."""
    with systems() as other:
        other.rows["mdm"] = [supplier(n) for n in range(100)]
        source(db, url=other.url, batch_size=30)
        yield other


def sync(perform: Perform, minutes: int = 0, day: date = TODAY, **params: Any) -> dict[str, Any]:
    """One tick, so many minutes after nine of a day."""
    at = NINE + (day - TODAY) + timedelta(minutes=minutes)
    return perform(ID, at.isoformat(), kind="manual" if params else "scheduled", params=params or None)


def entry(db: Connection, code: str = "MDM") -> Any:
    return db.execute(text("select * from belfry.sync_sources where source_code = :c"), {"c": code}).one()


def suppliers(db: Connection) -> dict[str, str]:
    return {r.supplier_code: r.supplier_name for r in db.execute(text("select * from erp.suppliers order by id"))}


def errors(db: Connection) -> dict[str, Any]:
    return {r.external_key: r for r in db.execute(text("select * from belfry.sync_errors order by id"))}


def brought(db: Connection) -> list[Any]:
    return [
        db.execute(text("select supplier_code, supplier_name from erp.suppliers order by 1")).all(),
        db.execute(text("select external_key, row_hash, is_deleted from belfry.sync_external_refs order by 1")).all(),
    ]


# ---------------------------------------------------------------- what every job promises
def _arrange(erp: Erp, day: date) -> int:
    served.rows["mdm"] = [supplier(1)]
    return source(erp.conn, url=served.url, batch_size=10_000)


def _more(db: Connection, target: int, n: int) -> None:
    rows = served.rows["mdm"]
    rows += [supplier(len(rows) + more) for more in range(1, n + 1)]


def _unknown_entity(erp: Erp, day: date) -> str:
    source(erp.conn, "ODD", entity="planets")
    return "SYNC_SOURCE"


CASES = [
    RowsJob(
        ID, clock="09:00", every=timedelta(minutes=15), around=other_systems,
        arrange=_arrange, multiply=_more, made=brought, spoil=_unknown_entity,
        reasons={
            "the_business_day_begins_at_local_midnight":
                "proved by test_sunday_begins_at_local_midnight: only the comparison of all keys knows a day",
            "the_number_of_statements_does_not_depend_on_the_rows": "works in steps: a page a step",
        },
    ),
    AlertJob(
        ID, "SYNC_FAILED", clock="09:00", every=timedelta(minutes=15),
        violate=lambda erp, day: source(erp.conn, number("SRC"), stopped_at=NINE, stop_reason="21 of 100 would go"),
        clear=lambda db, target: db.execute(sync_sources.update().values(enabled=False)) and None,
        worsen=lambda db, target: db.execute(sync_sources.update().values(watermark_at=NINE - timedelta(hours=3))) and None,
        spoil=_unknown_entity,
        multiply=copies_of(sync_sources, "source_code"),
        reasons={"the_business_day_begins_at_local_midnight": "no day: failed runs and hours of lag decide",
                 "the_number_of_statements_does_not_depend_on_the_rows": "works in steps: a source at least one"},
    ),
]  # fmt: skip


# ---------------------------------------------------------------- what comes in
def test_all_pages_come_in_and_the_watermark_moves(mdm: Systems, db: Connection, perform: Perform) -> None:
    mdm.rows["mdm"][99]["changed_at"] = "2026-03-01T20:00:00"  # no zone: the source's own
    answer = sync(perform)
    assert (answer["state"], answer["counters"]["pages"], answer["counters"]["created"]) == ("succeeded", 4, 100)
    assert suppliers(db)["SUP-7"] == "供应商 7"
    stored = entry(db)
    assert datetime.fromisoformat(stored.watermark) == datetime.fromisoformat("2026-03-01T20:00+08:00")
    assert (stored.watermark_at, stored.last_full_at, stored.failed_runs) == (NINE, NINE, 0)


def test_the_same_pages_again_change_nothing(mdm: Systems, db: Connection, perform: Perform) -> None:
    sync(perform)
    before = everything(db)
    answer = sync(perform, full=["MDM"])
    assert (answer["counters"]["read"], answer["counters"]["unchanged"]) == (100, 100)
    changed = {name for name, checksum in everything(db).items() if checksum != before[name]}
    assert not {"erp.suppliers", "belfry.sync_external_refs", "belfry.sync_errors"} & changed


def test_only_what_changed_is_asked_for_with_five_minutes_before(mdm: Systems, db: Connection, perform: Perform) -> None:
    sync(perform)
    mdm.rows["mdm"][3] = supplier(3, name="新名称", at="2026-03-02T09:01:00")
    mdm.rows["mdm"].append(supplier(200, at="2026-03-01T07:56:00"))  # committed late, within the overlap
    mdm.requests.clear()
    counters = sync(perform, 15)["counters"]
    assert (counters["updated"], counters["created"]) == (1, 1)
    assert mdm.requests[0][2]["since"] == "2026-03-01T07:55:00+08:00"
    assert suppliers(db)["SUP-3"] == "新名称"


@pytest.mark.parametrize(("skew", "watermark"), [(30, "2026-03-02T09:15+08:00"), (-30, "2026-03-02T08:40+08:00")])
def test_a_clock_that_is_wrong_loses_no_row(
    skew: int, watermark: str, mdm: Systems, db: Connection, perform: Perform
) -> None:
    mdm.fail("mdm", skew_minutes=skew)
    sync(perform)
    mdm.rows["mdm"].append(supplier(200, at="2026-03-02T09:10:00"))
    assert sync(perform, 15)["counters"]["created"] == 1
    assert datetime.fromisoformat(entry(db).watermark) == datetime.fromisoformat(watermark)
    mdm.rows["mdm"].append(supplier(201, at="2026-03-02T09:12:00"))
    assert sync(perform, 30)["counters"]["created"] == 1


def test_a_leap_day_is_a_day(mdm: Systems, db: Connection, perform: Perform) -> None:
    mdm.rows["mdm"] = [supplier(1, at="2028-02-29T23:59:59")]
    sync(perform, day=date(2028, 3, 1))
    mdm.rows["mdm"].append(supplier(2, at="2028-02-29T23:56:00"))
    assert sync(perform, 15, day=date(2028, 3, 1))["counters"]["created"] == 1


def test_rows_point_to_what_came_before_them(db: Connection, perform: Perform) -> None:
    with systems() as other:
        other.rows["plm"] = [{"key": "M-1", "changed_at": "2026-03-01T08:00:00", "data": {
            "code": "NEW-1", "name": "支架", "type": "PURCHASE", "safety_stock": "2.5", "lead_time_days": 7,
            "min_order_qty": 1, "price": 12.5, "supplier": "SUP-1", "active": True}}]  # fmt: skip
        other.rows["mdm"] = [supplier(1)]
        source(db, "PLM", url=other.url, entity="materials", position=20)
        source(db, "MDM", url=other.url, position=10)
        assert sync(perform)["state"] == "succeeded"
    row = db.execute(text("""select m.*, s.supplier_code from erp.materials m
        join erp.suppliers s on s.id = m.default_supplier_id""")).one()
    assert (row.material_code, row.safety_stock, row.lead_time_days, row.supplier_code) == ("NEW-1", 2.5, 7, "SUP-1")


# ---------------------------------------------------------------- both sides changed a row
STOCK = {"key": "W-1", "changed_at": "2026-03-01T08:00:00", "data": {}}


@pytest.mark.parametrize(("policy", "theirs", "ours", "quantity"), [
    ("SOURCE_WINS", "09:05", "09:09", 8), ("LOCAL_WINS", "09:09", "09:05", 7),
    ("NEWEST", "09:09", "09:05", 8), ("NEWEST", "09:05", "09:09", 7), ("NEWEST", "09:05", "09:05", 7),
])  # fmt: skip
def test_a_row_that_both_sides_changed_is_the_policys(
    policy: str, theirs: str, ours: str, quantity: int, db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    material = erp.material(material_code="M-1")
    db.execute(text("insert into erp.warehouses (warehouse_code, warehouse_name) values ('W-1', '一号库')"))
    with systems() as other:
        def says(quantity: int, at: str) -> None:
            other.rows["wms"] = [{"key": "W-1", "changed_at": at, "data": {
                "material": "M-1", "warehouse": "W-1", "quantity": quantity, "reserved": 0}}]  # fmt: skip

        says(5, "2026-03-01T08:00:00")
        source(db, "WMS", url=other.url, entity="stock", conflict_policy=policy)
        sync(perform)
        says(6, "2026-03-02T09:01:00")
        assert sync(perform, 1)["counters"]["updated"] == 1  # nobody touched it here
        changed = datetime.fromisoformat(f"2026-03-02T{ours}+08:00")
        db.execute(text("update erp.inventories set quantity = 7, updated_at = :at"), {"at": changed})
        says(8, f"2026-03-02T{theirs}:00")
        sync(perform, 15)
        sync(perform, 30)
    stored = db.execute(text("select quantity from erp.inventories where material_id = :m"), {"m": material})
    assert stored.scalar_one() == quantity


def test_a_row_that_was_here_before_is_linked_and_not_doubled(mdm: Systems, db: Connection, perform: Perform) -> None:
    db.execute(text("insert into erp.suppliers (supplier_code, supplier_name) values ('SUP-1', '供应商 1'), ('SUP-2', '旧名')"))
    counters = sync(perform)["counters"]
    assert (counters["linked"], counters["updated"], counters["created"]) == (1, 1, 98)
    assert (len(suppliers(db)), suppliers(db)["SUP-2"]) == (100, "供应商 2")


def test_two_keys_for_one_row_are_an_error_of_the_second(mdm: Systems, db: Connection, perform: Perform) -> None:
    mdm.rows["mdm"] += [{**supplier(5), "key": "TWIN"}, supplier(100, at="2026-03-01T20:00:00")]
    sync(perform)
    assert errors(db)["TWIN"].error == "SUP-5 belongs to S-5"
    mdm.rows["mdm"].append({**supplier(6, at="2026-03-02T09:05:00"), "key": "LATER"})
    sync(perform, 15)
    assert errors(db)["LATER"].error == "the row here belongs to S-6"
    assert len(suppliers(db)) == 101


# ---------------------------------------------------------------- bad rows
def test_a_bad_row_waits_and_the_others_come_in(mdm: Systems, db: Connection, perform: Perform) -> None:
    mdm.rows["mdm"][3]["data"]["name"] = " "
    answer = sync(perform)
    assert (answer["state"], answer["counters"]["created"], answer["counters"]["bad"]) == ("succeeded", 99, 1)
    (bad,) = errors(db).values()
    assert (bad.error, bad.payload["key"], bad.attempts) == ("name is no text:  ", "S-3", 1)
    assert bad.next_retry_at == NINE + timedelta(minutes=5)


@pytest.mark.parametrize(("bad", "stops"), [(10, False), (11, True)])
def test_more_than_ten_percent_bad_rows_stop_the_source_with_nothing_applied(
    bad: int, stops: bool, mdm: Systems, db: Connection, perform: Perform
) -> None:
    mdm.fail("mdm", bad_percent=bad)
    answer = sync(perform)
    assert (answer["state"], len(suppliers(db))) == (("partial", 0) if stops else ("succeeded", 90))
    assert (entry(db).stop_reason or "").startswith("11 of 100 rows are bad") is stops
    assert len(errors(db)) == (0 if stops else 10)


def test_one_bad_row_alone_never_stops_a_source(mdm: Systems, db: Connection, perform: Perform) -> None:
    mdm.rows["mdm"] = [supplier(1, name="")]
    assert sync(perform)["state"] == "succeeded"
    assert errors(db)["S-1"].error == "name is missing"


def test_a_bad_row_is_tried_after_5_15_30_and_60_minutes_and_then_waits_for_a_person(
    db: Connection, perform: Perform
) -> None:
    with systems() as other:
        other.rows["plm"] = [{"key": "M-1", "changed_at": "2026-03-01T08:00:00", "data": {
            "code": "NEW-1", "name": "支架", "type": "PURCHASE", "safety_stock": 0, "lead_time_days": 7,
            "min_order_qty": 1, "supplier": "SUP-1", "active": True}}]  # fmt: skip
        source(db, "PLM", url=other.url, entity="materials")
        waits = []
        for minutes in (0, 15, 30, 60, 120, 180):
            sync(perform, minutes)
            (bad,) = errors(db).values()
            assert bad.error == "supplier SUP-1 is not known here"
            waits.append((bad.attempts, bad.next_retry_at and (bad.next_retry_at - NINE) // timedelta(minutes=1)))
        assert waits == [(1, 5), (2, 30), (3, 60), (4, 120), (5, None), (5, None)]


def test_a_row_set_aside_comes_in_when_what_it_points_to_has_come(db: Connection, perform: Perform) -> None:
    with systems() as other:
        other.rows["wms"] = [{"key": "W-1", "changed_at": "2026-03-01T08:00:00", "data": {
            "material": "LATE", "warehouse": "W-1", "quantity": 3, "reserved": 0}}]  # fmt: skip
        db.execute(text("insert into erp.warehouses (warehouse_code, warehouse_name) values ('W-1', '一号库')"))
        source(db, "WMS", url=other.url, entity="stock")
        sync(perform)
        assert errors(db)["W-1"].resolved_at is None
        Erp(db).material(material_code="LATE")
        assert sync(perform, 15)["counters"]["created"] == 1
    assert errors(db)["W-1"].resolved_at is not None


# ---------------------------------------------------------------- deletions
@pytest.mark.parametrize(("gone", "stops"), [(20, False), (21, True)])
def test_more_than_twenty_percent_vanished_keys_stop_the_source_with_nothing_applied(
    gone: int, stops: bool, mdm: Systems, db: Connection, perform: Perform
) -> None:
    sync(perform)
    before = brought(db)
    mdm.fail("mdm", vanish_percent=gone)
    answer = sync(perform, day=date(2026, 3, 8))  # the next Sunday
    if stops:
        assert (answer["state"], entry(db).stop_reason) == ("partial", "21 of 100 rows would be deleted")
        assert brought(db) == before
    else:
        assert (answer["state"], answer["counters"]["retired"]) == ("succeeded", 20)
    deleted = db.execute(text("select count(*) from belfry.sync_external_refs where is_deleted")).scalar_one()
    assert deleted == (0 if stops else 20)


def test_a_stopped_source_stands_still_until_somebody_accepts_it(mdm: Systems, db: Connection, perform: Perform) -> None:
    sync(perform)
    mdm.fail("mdm", vanish_percent=50)
    sync(perform, full=["MDM"])
    mdm.requests.clear()
    answer = sync(perform, 15)
    assert (answer["counters"]["stopped"], mdm.requests) == (1, [])
    assert [(a["base_level"], a["target_no"]) for a in alerts(db)] == [("WARNING", "MDM")]
    answer = sync(perform, 30, accept=["MDM"], full=["MDM"])
    assert (answer["state"], answer["counters"]["retired"]) == ("succeeded", 50)
    assert entry(db).stopped_at is None
    assert [a["status"] for a in alerts(db)] == ["RESOLVED"]


def test_deletions_that_the_source_tells_are_guarded_too(mdm: Systems, db: Connection, perform: Perform) -> None:
    sync(perform)
    for n in range(21):
        mdm.rows["mdm"][n] = {"key": f"S-{n}", "changed_at": "2026-03-02T09:01:00", "deleted": True}
    assert sync(perform, 15)["state"] == "partial"
    assert entry(db).stop_reason == "21 of 100 rows would be deleted"


@pytest.mark.parametrize("policy", ["SOURCE_WINS", "LOCAL_WINS"])
def test_a_deleted_material_is_switched_off_and_comes_back_alive(
    policy: str, db: Connection, perform: Perform
) -> None:
    data = {"code": "NEW-1", "name": "支架", "type": "MAKE", "safety_stock": 0, "lead_time_days": 7, "min_order_qty": 1,
            "active": True}  # fmt: skip
    with systems() as other:
        source(db, "PLM", url=other.url, entity="materials", conflict_policy=policy)
        active = []
        for minutes, row in ((0, {"data": data}), (15, {"deleted": True}), (30, {"data": data})):
            other.rows["plm"] = [{"key": "M-1", "changed_at": f"2026-03-02T09:{minutes:02}:00", **row}]
            sync(perform, minutes)
            active.append(db.execute(text("select is_active from erp.materials")).scalar_one())
    assert active == [True, False, True]


@pytest.mark.parametrize(("clock", "compared"), [("2026-03-07T23:45+08:00", False), ("2026-03-08T00:00+08:00", True)])
def test_sunday_begins_at_local_midnight(
    clock: str, compared: bool, mdm: Systems, db: Connection, perform: Perform
) -> None:
    sync(perform)
    mdm.requests.clear()
    perform(ID, clock)
    assert ("since" not in mdm.requests[0][2]) is compared


# ---------------------------------------------------------------- what goes wrong over there
@pytest.mark.parametrize(("fault", "said"), [
    ({"http_status": 503}, "HTTP 503"), ({"cut": True}, "the answer is not JSON"), ({"http_status": 302}, "HTTP 302"),
])  # fmt: skip
def test_a_system_that_fails_is_an_item_and_the_others_go_on(
    fault: dict[str, Any], said: str, mdm: Systems, db: Connection, perform: Perform
) -> None:
    mdm.rows["second"] = [supplier(500)]
    source(db, "SECOND", url=mdm.url, position=200)
    mdm.fail("mdm", **fault)
    assert sync(perform)["state"] == "partial"
    (item,) = db.execute(text("select item_key, error from belfry.execution_items where status = 'failed'"))
    assert item == ("MDM", said)
    assert (entry(db).failed_runs, list(suppliers(db))) == (1, ["SUP-500"])


def test_a_system_that_does_not_answer_in_time_fails(mdm: Systems, db: Connection, perform: Perform) -> None:
    mdm.fail("mdm", hang=True)
    sync(perform, answer_seconds=1)
    assert entry(db).last_error == "no answer (ReadTimeout)"


def test_a_failure_in_the_middle_keeps_whole_pages_and_the_next_run_goes_on(
    mdm: Systems, db: Connection, perform: Perform
) -> None:
    for n, row in enumerate(mdm.rows["mdm"]):
        row["changed_at"] = f"2026-03-01T08:{n // 30:02}:{n % 30:02}"
    mdm.fail("mdm", http_status=500, after_pages=2)
    sync(perform)
    assert (len(suppliers(db)), entry(db).last_full_at) == (60, None)
    assert datetime.fromisoformat(entry(db).watermark) == datetime.fromisoformat("2026-03-01T08:01:29+08:00")
    mdm.fail("mdm")
    assert sync(perform, 15)["state"] == "succeeded"
    assert len(suppliers(db)) == 100


def test_a_system_that_asks_for_patience_is_left_alone_so_long_and_that_is_no_failure(
    mdm: Systems, db: Connection, perform: Perform
) -> None:
    mdm.fail("mdm", retry_after=20 * 60)
    assert sync(perform)["state"] == "succeeded"
    assert (entry(db).failed_runs, entry(db).next_try_at) == (0, NINE + timedelta(minutes=20))
    mdm.fail("mdm")
    assert sync(perform, 15)["counters"]["put_off"] == 1
    assert sync(perform, 30)["counters"]["created"] == 100


def test_a_secret_is_never_in_a_table_and_a_missing_one_fails_the_run(
    mdm: Systems, db: Connection, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIAL_TEST_SYSTEM")
    answer = sync(perform)
    assert answer["state"] == "partial"
    assert entry(db).last_error == "CREDENTIAL_TEST_SYSTEM must be set, without white space around it"


def test_what_the_tables_refuse_is_one_sources_trouble(mdm: Systems, db: Connection, perform: Perform) -> None:
    db.execute(text("alter table erp.suppliers add check (supplier_name <> '供应商 42')"))
    db.execute(text("insert into erp.warehouses (warehouse_code, warehouse_name) values ('W-1', '一号库')"))
    Erp(db).material(material_code="M-1")
    mdm.rows["wms"] = [{"key": "W-1", "changed_at": "2026-03-01T08:00:00", "data": {
        "material": "M-1", "warehouse": "W-1", "quantity": 3, "reserved": 0}}]  # fmt: skip
    source(db, "WMS", url=mdm.url, entity="stock", position=200)
    assert sync(perform)["state"] == "partial"
    assert "check constraint" in entry(db).last_error
    assert len(suppliers(db)) == 30  # whole pages, each with its watermark
    assert db.execute(text("select quantity from erp.inventories")).scalar_one() == 3


def test_rows_out_of_order_are_refused_for_they_would_be_lost_behind_the_watermark(
    mdm: Systems, db: Connection, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mdm, "_since", lambda system, since, faults: mdm.rows[system])
    mdm.rows["mdm"] = [supplier(1, at="2026-03-01T09:00:00"), supplier(2, at="2026-03-01T08:00:00")]
    assert sync(perform)["state"] == "partial"
    assert entry(db).last_error == "S-2 is out of order: rows come by changed_at"
    assert suppliers(db) == {}


# ---------------------------------------------------------------- who is told
@pytest.mark.parametrize(("failed", "minutes", "stopped", "level"), [
    (2, 0, False, None), (3, 0, False, "WARNING"), (0, 0, True, "WARNING"), (0, 120, False, None),
    (0, 121, False, "CRITICAL"), (5, 121, True, "CRITICAL"),
])  # fmt: skip
def test_trouble_has_the_level_of_the_rule(
    failed: int, minutes: int, stopped: bool, level: str | None, db: Connection, perform: Perform
) -> None:
    from shared.rules.sync import trouble

    source(
        db, failed_runs=failed, stopped_at=NINE if stopped else None, watermark_at=NINE - timedelta(minutes=minutes),
        next_try_at=NINE + timedelta(hours=1),
    )  # fmt: skip
    sync(perform)
    assert [a["base_level"] for a in alerts(db)] == [level] * (level is not None)
    assert trouble(failed, timedelta(minutes=minutes), stopped, most_failed_runs=3, most_lag_hours=2) == level


def test_three_failed_runs_are_told_to_the_owner_and_the_administrators_and_end_with_a_good_one(
    mdm: Systems, db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    owner, admin = erp.user("叶帆"), erp.user(roles=["SYS_ADMIN"])
    db.execute(text("update belfry.sync_sources set owner_id = :o"), {"o": owner})
    mdm.fail("mdm", http_status=500)
    for minutes in (0, 15, 30):
        assert alerts(db) == []
        sync(perform, minutes)
    (alert,) = alerts(db)
    assert (alert["base_level"], alert["recipients"]) == ("WARNING", [f"USER:{owner}"])
    told = db.execute(text("select user_id from belfry.notification_deliveries where channel = 'system'")).scalars()
    assert set(told) == {owner, admin}
    mdm.fail("mdm")
    sync(perform, 45)
    assert [a["status"] for a in alerts(db)] == ["RESOLVED"]


# ---------------------------------------------------------------- what goes out
@pytest.fixture
def srm(db: Connection) -> Iterator[Systems]:
    """Another system that takes shortages, and seven of them."""
    erp = Erp(db)
    for n in range(7):
        db.execute(
            text("""insert into belfry.material_shortages (material_id, required_qty, available_qty, shortage_qty, updated_at)
                    values (:m, 10, :have, 10 - :have, '2026-03-02T08:00+08:00')"""),
            {"m": erp.material(material_code=f"M-{n}"), "have": n},
        )
    with systems() as other:
        source(db, "SRM", url=other.url, direction="PUSH", entity="shortages", batch_size=3)
        yield other


def test_changed_rows_go_out_once(srm: Systems, db: Connection, perform: Perform) -> None:
    assert sync(perform)["counters"]["sent"] == 7
    assert srm.received["srm"]["SHORTAGE-1"]["material"] == "M-0"
    before = brought(db)
    srm.requests.clear()
    assert sync(perform, 15)["counters"]["sent"] == 0
    assert (srm.requests, brought(db)) == ([], before)
    db.execute(text("""update belfry.material_shortages set status = 'RESOLVED', updated_at = '2026-03-02T09:20+08:00'
                       where id = 1"""))
    assert sync(perform, 30)["counters"]["sent"] == 1
    assert srm.received["srm"]["SHORTAGE-1"]["status"] == "RESOLVED"


def test_a_page_whose_answer_was_lost_is_sent_again_and_changes_nothing_there(
    srm: Systems, db: Connection, perform: Perform
) -> None:
    srm.fail("srm", hang=True)
    sync(perform, answer_seconds=1)
    assert (len(srm.received["srm"]), entry(db, "SRM").failed_runs) == (3, 1)
    taken = dict(srm.received["srm"])
    srm.fail("srm")
    sync(perform, 15)
    assert {key: srm.received["srm"][key] for key in taken} == taken
    assert len(srm.received["srm"]) == 7


def test_refused_rows_wait_and_are_sent_again(srm: Systems, db: Connection, perform: Perform) -> None:
    srm.fail("srm", reject_percent=34)  # the first of three
    answer = sync(perform, accept=["SRM"])
    assert (answer["counters"]["sent"], answer["counters"]["refused"]) == (5, 2)
    assert [e.error for e in errors(db).values()] == ["told to refuse"] * 2
    srm.fail("srm")
    assert sync(perform, 15)["counters"]["sent"] == 2
    assert all(e.resolved_at for e in errors(db).values())


def test_a_dry_run_sends_nothing(srm: Systems, db: Connection, perform: Perform) -> None:
    answer = perform(ID, NINE.isoformat(), dry_run=True)
    assert answer["counters"]["sent"] == 3  # the first page
    assert (srm.requests, srm.received) == ([], {})


def test_an_entry_that_asks_for_what_is_not_there_says_so(db: Connection, perform: Perform) -> None:
    source(db, "A", entity="planets")
    source(db, "B", conflict_policy="NEWEST")
    source(db, "C", time_zone="Beijing")
    sync(perform)
    said = {c: entry(db, c).last_error for c in "ABC"}
    assert said["A"] == "entity planets: materials, stock, suppliers are known"
    assert said["B"] == "conflict_policy NEWEST: suppliers do not say when somebody changed them here"
    assert said["C"] == "time_zone Beijing: an IANA name is expected"
