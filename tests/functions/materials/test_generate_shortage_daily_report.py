"""Job 24 by the rulebook: every figure as of the end of the day before, and who reads of it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared import i18n
from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.evidence import messages
from tests.factories import TODAY, Erp

JOB = "generate_shortage_daily_report"
AT = "2026-03-02T05:15+08:00"
YESTERDAY = TODAY - timedelta(days=1)
MATERIALS = count(1_000_000)


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def moment(clock: str, day: date = YESTERDAY) -> datetime:
    """A wall-clock time in Shanghai."""
    return datetime.fromisoformat(f"{day}T{clock}+08:00")


def shortage(db: Connection, material: int | None = None, **columns: Any) -> int:
    row = {
        "material_id": material or next(MATERIALS), "required_qty": 10, "available_qty": 0, "shortage_qty": 10,
        "required_date": TODAY + timedelta(days=5), "created_at": moment("07:00", date(2026, 2, 1)), **columns,
    }  # fmt: skip
    return insert(db, "material_shortages", row)


def alert(db: Connection, since: datetime, *, target: int | None = None, **columns: Any) -> int:
    """A shortage alert with its shortage, open unless `status` says otherwise."""
    target = target or shortage(db)
    row = {
        "alert_no": f"AL-{target}-{since:%m%d%H%M}", "dedupe_key": f"MATERIAL_SHORTAGE|{target}", "target_type": "MATERIAL_SHORTAGE",
        "target_id": target, "base_level": "WARNING", "alert_level": "WARNING", "triggered_at": since,
        "level_changed_at": since, "status": "PENDING", **columns,
    }  # fmt: skip
    row["rule_id"] = db.execute(
        text("select id from belfry.alert_rules where rule_code = 'MATERIAL_SHORTAGE'")
    ).scalar_one()
    return insert(db, "alert_records", row)


def event(db: Connection, alert_id: int, name: str, at: datetime, **columns: Any) -> None:
    insert(db, "alert_events", {"alert_id": alert_id, "event": name, "at": at, **columns})


def insert(db: Connection, table: str, row: Mapping[str, Any]) -> int:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    found = db.execute(text(f"insert into belfry.{table} ({names}) values ({values}) returning id"), dict(row))
    return int(found.scalar_one())


def report(db: Connection, day: date = YESTERDAY) -> dict[str, Any]:
    found = db.execute(text("select * from belfry.shortage_daily_reports where report_date = :day"), {"day": day})
    return dict(found.mappings().one())


def figures(db: Connection, *names: str) -> tuple[Any, ...]:
    found = report(db)
    return tuple(found[name] for name in names)


def kit(db: Connection, order: int, rate: Any, clock: str = "06:00", *, day: date = YESTERDAY, method: str = "AUTO") -> None:
    status = "NO_BOM" if rate is None else "COMPLETE" if rate == 100 else "SHORTAGE"
    insert(db, "kit_checks", {
        "work_order_id": order, "check_date": day, "check_time": moment(clock, day), "method": method, "total_items": 4,
        "fulfilled_items": 2, "in_transit_items": 0, "shortage_items": 2, "kit_rate": rate, "kit_status": status,
    })  # fmt: skip


# ---------------------------------------------------------------- what every job promises
def _arrange(erp: Erp, day: date) -> int:
    return alert(erp.conn, moment("07:00", day - timedelta(days=1)))


def _multiply(db: Connection, target: int, n: int) -> None:
    db.execute(text("""with short as (
          insert into belfry.material_shortages (material_id, required_qty, available_qty, shortage_qty)
          select (select max(material_id) from belfry.material_shortages) + g, 1, 0, 1 from generate_series(1, :n) g returning id)
        insert into belfry.alert_records (alert_no, rule_id, dedupe_key, target_type, target_id, base_level, alert_level,
          triggered_at, level_changed_at)
        select a.alert_no || '-' || s.id, a.rule_id, 'MATERIAL_SHORTAGE|' || s.id, a.target_type, s.id, a.base_level, a.alert_level,
               a.triggered_at, a.triggered_at from belfry.alert_records a, short s where a.id = :id"""),
        {"n": n, "id": target})  # fmt: skip


def _spoil(erp: Erp, day: date) -> str:
    order = erp.purchase_order([{"quantity": 5}])
    line = erp.conn.execute(text("select id from erp.purchase_order_items where order_id = :o"), {"o": order}).scalar_one()
    erp.goods_receipt(order, [{"order_item_id": line, "received_qty": -1}], receipt_date=day - timedelta(days=1))
    return "GOODS_RECEIPT_ITEM"


def _made(db: Connection) -> list[Any]:
    rows = db.execute(text("select * from belfry.shortage_daily_reports order by report_date")).mappings()
    return [{name: row[name] for name in row if name not in ("execution_id", "calculated_at")} for row in rows]


CASES = [RowsJob(JOB, arrange=_arrange, multiply=_multiply, made=_made, spoil=_spoil, clock="05:15")]


# ---------------------------------------------------------------- alerts, as of the end of the day
def test_new_resolved_and_pending_are_those_of_the_day(db: Connection, perform: Perform) -> None:
    alert(db, moment("00:00"))
    alert(db, moment("23:59"))
    alert(db, moment("23:59", YESTERDAY - timedelta(days=1)))
    alert(db, moment("00:00", TODAY))
    alert(db, moment("08:00", date(2026, 2, 10)), status="RESOLVED", resolved_at=moment("10:00"))
    alert(db, moment("08:00", date(2026, 2, 10)), status="RESOLVED", resolved_at=moment("10:00", date(2026, 2, 20)))
    perform(JOB, AT)
    assert figures(db, "new_alerts", "resolved_alerts", "pending_alerts") == (2, 1, 3)


@pytest.mark.parametrize("status", ["RESOLVED", "CLOSED", "IGNORED", "EXPIRED"])
def test_pending_counts_exclude_what_is_over_of_any_time(status: str, db: Connection, perform: Perform) -> None:
    over = moment("10:00", date(2026, 2, 20))
    alert(db, moment("08:00", date(2026, 2, 10)), status=status, resolved_at=over if status in ("RESOLVED", "EXPIRED") else None)
    perform(JOB, AT)
    assert figures(db, "pending_alerts", "level2_count", "overdue_alerts", "resolved_alerts") == (0, 0, 0, 0)


def test_a_shortage_that_opened_and_closed_on_the_day_is_new_and_resolved(db: Connection, perform: Perform) -> None:
    alert(db, moment("07:00"), status="RESOLVED", resolved_at=moment("15:00"))
    perform(JOB, AT)
    assert figures(db, "new_alerts", "resolved_alerts", "pending_alerts", "avg_resolve_hours") == (1, 1, 0, 8)


def test_what_ended_or_rose_after_midnight_counts_as_it_stood_at_midnight(db: Connection, perform: Perform) -> None:
    resolved = alert(db, moment("07:00"), status="CLOSED", resolved_at=moment("01:00", TODAY))
    event(db, resolved, "RESOLVED", moment("01:00", TODAY))
    event(db, resolved, "CLOSED", moment("02:00", TODAY))
    ignored = alert(db, moment("07:00"), status="IGNORED")
    event(db, ignored, "IGNORED", moment("00:30", TODAY))
    risen = alert(db, moment("07:00"), alert_level="URGENT")
    event(db, risen, "ESCALATED", moment("20:10"), from_level="INFO", to_level="WARNING")
    event(db, risen, "ESCALATED", moment("00:10", TODAY), from_level="WARNING", to_level="CRITICAL")
    event(db, risen, "UPGRADED", moment("01:10", TODAY), from_level="CRITICAL", to_level="URGENT")
    perform(JOB, AT)
    assert figures(db, "pending_alerts", "resolved_alerts", "level2_count", "level3_count", "level4_count") == (3, 0, 3, 0, 0)


def test_levels_one_to_four_are_info_to_urgent(db: Connection, perform: Perform) -> None:
    for number, level in enumerate(("INFO", "WARNING", "CRITICAL", "URGENT"), 1):
        for _ in range(number):
            alert(db, moment("07:00"), alert_level=level)
    perform(JOB, AT)
    assert figures(db, *(f"level{number}_count" for number in range(1, 5))) == (1, 2, 3, 4)


@pytest.mark.parametrize(("required", "overdue"), [(-2, 1), (-1, 0), (0, 0), (None, 0)])
def test_a_pending_shortage_is_overdue_once_its_day_was_past(
    required: int | None, overdue: int, db: Connection, perform: Perform
) -> None:
    needed = None if required is None else TODAY + timedelta(days=required)
    alert(db, moment("07:00"), target=shortage(db, required_date=needed))
    perform(JOB, AT)
    assert figures(db, "overdue_alerts", "pending_alerts") == (overdue, 1)


def test_the_mean_response_is_of_the_days_alerts_and_their_first_handling(db: Connection, perform: Perform) -> None:
    alert(db, moment("08:00"), acknowledged_at=moment("08:30"), handle_start_at=moment("09:00"))
    alert(db, moment("08:00"), status="RESOLVED", resolved_at=moment("09:31"), resolved_by=7)
    alert(db, moment("08:00"), status="RESOLVED", resolved_at=moment("08:01"))  # by the next scan: nobody handled it
    alert(db, moment("08:00"), acknowledged_at=moment("07:00", TODAY))  # after the day
    alert(db, moment("08:00", date(2026, 2, 27)), acknowledged_at=moment("20:00"))
    perform(JOB, AT)
    assert figures(db, "avg_response_minutes") == (61,)  # 60.5 minutes


def test_other_rules_are_not_counted(db: Connection, perform: Perform) -> None:
    target = alert(db, moment("07:00"))
    db.execute(text("update belfry.alert_records set rule_id = (select id from belfry.alert_rules where rule_code = 'KIT_RATE_LOW')"))
    perform(JOB, AT)
    assert target
    assert figures(db, "new_alerts", "pending_alerts") == (0, 0)


# ---------------------------------------------------------------- reports by hand, kits, arrivals, stoppages
def test_reports_by_hand_are_counted_by_their_local_day(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.shortage_report(report_time=moment("00:00"))
    erp.shortage_report(report_time=moment("23:59"), resolved_at=moment("23:59"))
    erp.shortage_report(report_time=moment("00:00", TODAY))
    erp.shortage_report(report_time=moment("12:00", date(2026, 2, 1)), resolved_at=moment("00:00"))
    perform(JOB, AT)
    assert figures(db, "new_reports", "resolved_reports") == (2, 2)


def test_without_a_kit_check_its_figures_are_unknown_and_not_zero(db: Connection, perform: Perform) -> None:
    alert(db, moment("07:00"))
    kit(db, 1, 100, day=TODAY)
    perform(JOB, AT)
    assert figures(db, "total_work_orders", "kit_complete_count", "kit_rate") == (None, None, None)


def test_a_kit_check_that_found_no_order_says_zero(db: Connection, perform: Perform) -> None:
    perform("daily_kit_check", f"{YESTERDAY}T06:00+08:00")
    perform(JOB, AT)
    assert figures(db, "total_work_orders", "kit_complete_count", "kit_rate") == (0, 0, None)


def test_the_last_check_of_an_order_counts_and_the_mean_leaves_out_orders_without_a_bill(
    db: Connection, perform: Perform
) -> None:
    kit(db, 1, 40)
    kit(db, 1, 100, "15:00", method="MANUAL")
    kit(db, 2, Decimal("50.50"))
    kit(db, 3, None)
    kit(db, 4, 0, day=YESTERDAY - timedelta(days=1))
    perform(JOB, AT)
    assert figures(db, "total_work_orders", "kit_complete_count", "kit_rate") == (3, 1, Decimal("75.25"))


def test_expected_are_lines_due_that_day_and_still_open_when_it_began(erp: Erp, db: Connection, perform: Perform) -> None:
    before, after = YESTERDAY - timedelta(days=1), TODAY
    for line in (
        {"promised_date": YESTERDAY, "required_date": before}, {"required_date": YESTERDAY}, {},  # three
        {"promised_date": before, "required_date": YESTERDAY}, {"required_date": after}, {"required_date": YESTERDAY, "received_qty": 10},
    ):  # fmt: skip
        erp.purchase_order([line], promised_date=YESTERDAY, required_date=before)
    erp.purchase_order([{}], required_date=YESTERDAY, status="CANCELLED")
    erp.purchase_order([{}], required_date=YESTERDAY, status="DRAFT")
    came = erp.purchase_order([{"received_qty": 10}], required_date=YESTERDAY, status="RECEIVED")
    receive(erp, came, 10)  # it came that day: expected, and arrived
    perform(JOB, AT)
    assert figures(db, "expected_arrivals", "actual_arrivals", "delayed_arrivals", "on_time_rate") == (4, 1, 0, 100)


def receive(erp: Erp, order: int, quantity: Any, day: date = YESTERDAY, **columns: Any) -> None:
    line = erp.conn.execute(text("select id from erp.purchase_order_items where order_id = :o"), {"o": order}).scalar_one()
    erp.goods_receipt(order, [{"order_item_id": line, "received_qty": quantity, **columns}], receipt_date=day)


def test_arrivals_of_the_day_are_late_after_the_day_they_were_due(erp: Erp, db: Connection, perform: Perform) -> None:
    before = YESTERDAY - timedelta(days=1)
    receive(erp, erp.purchase_order([{"required_date": YESTERDAY}]), 1)
    receive(erp, erp.purchase_order([{"required_date": before}]), 1)  # late
    receive(erp, erp.purchase_order([{"required_date": before}]), 1, expected_date=YESTERDAY)
    receive(erp, erp.purchase_order([{}], required_date=before), 1)  # late
    receive(erp, erp.purchase_order([{}]), 1)  # nobody said when
    receive(erp, erp.purchase_order([{"required_date": before}]), 1, TODAY)  # another day's
    perform(JOB, AT)
    assert figures(db, "actual_arrivals", "delayed_arrivals", "on_time_rate") == (5, 2, 60)


def test_without_arrivals_nobody_was_late_or_in_time(db: Connection, perform: Perform) -> None:
    perform(JOB, AT)
    assert figures(db, "actual_arrivals", "on_time_rate") == (0, None)


def test_a_stop_costs_its_days_times_the_workshops_hours(erp: Erp, db: Connection, perform: Perform) -> None:
    order = erp.work_order(workshop_id=erp.workshop(daily_hours=Decimal("10.5")))
    created = moment("07:00")
    shortage(db, 1, work_order_id=order, impact_type="STOP", est_delay_days=4, created_at=created)
    shortage(db, 2, impact_type="STOP", est_delay_days=2, created_at=created)  # no workshop known: 8 hours
    shortage(db, 3, impact_type="STOP", created_at=created)  # nobody knows how long
    shortage(db, 4, impact_type="DELAY", est_delay_days=9, created_at=created)
    shortage(db, 5, impact_type="STOP", est_delay_days=9, created_at=moment("07:00", TODAY))
    perform(JOB, AT)
    assert figures(db, "stoppage_count", "stoppage_hours") == (3, 58)


def test_no_number_of_stoppages_overflows_the_report(db: Connection, perform: Perform) -> None:
    for material in range(1, 4):
        shortage(db, material, impact_type="STOP", est_delay_days=2_000_000_000, created_at=moment("07:00"))
    perform(JOB, AT)
    assert figures(db, "stoppage_hours") == (48_000_000_000,)


def test_shortages_that_the_jobs_themselves_find_are_in_the_report(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-54: upstream nothing fills what the report reads."""
    bom = erp.bom([{"material_id": erp.material(), "quantity": 4}])
    erp.work_order(bom_id=bom, plan_start_date=TODAY, status="PENDING")
    perform("daily_kit_check", f"{YESTERDAY}T06:00+08:00")
    perform("generate_shortage_alerts", f"{YESTERDAY}T07:00+08:00")
    perform(JOB, AT)
    assert figures(db, "new_alerts", "pending_alerts", "total_work_orders", "kit_complete_count", "kit_rate") == (1, 1, 1, 0, 0)


# ---------------------------------------------------------------- the row, and its readers
def test_the_row_is_of_yesterday_and_a_second_run_writes_what_was_booked_late(
    erp: Erp, db: Connection, perform: Perform
) -> None:
    alert(db, moment("07:00"))
    perform(JOB, AT)
    before = report(db)
    perform(JOB, AT, kind="manual")
    assert report(db) == before
    erp.shortage_report(report_time=moment("16:00"))
    perform(JOB, AT, kind="manual")
    after = report(db)
    assert (after["new_reports"], after["new_alerts"]) == (1, 1)
    assert after["execution_id"] != before["execution_id"]
    assert len(messages(db)) == 1


def test_procurement_and_the_pmo_read_of_it_at_half_past_seven(erp: Erp, db: Connection, perform: Perform) -> None:
    people = {erp.user(roles=["PROC"]), erp.user(roles=["PMO"])}
    erp.user(roles=["QA"])
    material = erp.material(material_code="ZJ-08", material_name="定制凸轮")
    target = shortage(db, material, work_order_id=erp.work_order(work_order_no="WO-8"), shortage_qty=3, required_date=YESTERDAY)
    alert(db, moment("07:00"), target=target, alert_level="URGENT")
    alert(db, moment("07:00"))
    perform(JOB, AT)
    (told,) = messages(db)
    assert {tuple(one.split()) for one in told["told"]} == {(str(p), c) for p in people for c in ("system", "email")}
    due = db.execute(text("select distinct next_attempt_at, state from belfry.notification_deliveries where channel = 'system'")).one()
    assert due == (datetime(2026, 3, 1, 23, 30, tzinfo=UTC), "deferred")
    assert told["facts"]["worst"][0] == {
        "material_code": "ZJ-08", "material_name": "定制凸轮", "unit": "件", "short": 3, "work_order_no": "WO-8",
        "project_name": None, "required_date": "2026-03-01", "eta_date": None, "level": "URGENT",
    }  # fmt: skip
    assert told["facts"]["trend"] == [{"day": "2026-03-01", "new": 2, "pending": 2}]


@pytest.mark.parametrize(("columns", "told"), [
    ({}, True), ({"status": "RESOLVED", "resolved_at": moment("10:00")}, False),
])
def test_nobody_is_told_of_a_day_without_new_or_pending_shortages(
    columns: dict[str, Any], told: bool, db: Connection, perform: Perform
) -> None:
    alert(db, moment("07:00", date(2026, 2, 20)), **columns)
    perform(JOB, AT)
    assert bool(messages(db)) is told
    assert report(db)


def test_its_mail_has_a_table_and_pictures(erp: Erp, db: Connection, perform: Perform) -> None:
    material = erp.material(material_name="<b>凸轮</b>")
    alert(db, moment("07:00", date(2026, 2, 27)), target=shortage(db, material), alert_level="CRITICAL")
    perform(JOB, "2026-03-01T05:15+08:00")
    perform(JOB, AT)
    facts = {"level": "INFO", **messages(db)[-1]["facts"]}
    for language, word in (("zh", "待处理缺料按级别"), ("en", "Pending shortages by level")):
        words = i18n.render("DIGEST_SHORTAGE", language, facts, reason="DIGEST")
        page = i18n.render_html(language, words, level="INFO", link=None, reference=None)
        assert word in page
        assert page.count('<table class="bars"') == 2
        assert page.count('<table class="report"') == 2
        assert "&lt;b&gt;凸轮" in page
