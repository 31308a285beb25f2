"""Jobs 22 and 23 by the rulebook: boundaries of 9.2, and the defects D-47, D-57 and D-61 that they must not have."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from shared import i18n
from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.factories import TODAY, Erp

JOB = "generate_production_daily_reports"
FIVE = "2026-03-03T05:00+08:00"  # a Tuesday: yesterday is Monday, 2 March
MONDAY = TODAY


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def at(day: date, clock: str = "10:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo("Asia/Shanghai"))


def row(db: Connection, workshop: int | None = None, day: date = MONDAY) -> Any:
    query = "select * from belfry.production_daily_reports where report_date = :d and workshop_id is not distinct from cast(:w as bigint)"
    return db.execute(text(query), {"d": day, "w": workshop}).one_or_none()


# ---------------------------------------------------------------- what every job promises
def _arrange(erp: Erp, first: date) -> int:
    """Reported on the evening before: five past midnight is the day that tells of it."""
    return erp.work_report(erp.work_order(plan_start_date=None), at(first - timedelta(1), "18:00"), completed_qty=5, work_hours=8)


def _multiply(db: Connection, target: int, n: int) -> None:
    """As many reports again for the evening before, and for the evenings of the next two days."""
    db.execute(text("""insert into erp.work_reports (work_order_id, worker_id, report_type, report_time, work_hours, completed_qty)
      select work_order_id, worker_id, report_type, report_time + make_interval(days => mod(g, 3)), work_hours, completed_qty
      from erp.work_reports, generate_series(1, :n) g where id = :id"""), {"id": target, "n": n})


def _made(db: Connection) -> list[Any]:
    rows = db.execute(text("""select report_date, workshop_id, completed_qty, actual_hours, summary::text
        from belfry.production_daily_reports where actual_hours > 0 order by 1, 2 nulls first"""))
    return [tuple(one) for one in rows]


def _spoil(erp: Erp, first: date) -> str:
    erp.work_report(erp.work_order(plan_start_date=None), at(first - timedelta(1)), work_hours=-3, completed_qty=1)
    return "WORK_REPORT"


CASES = [RowsJob(JOB, clock="05:00", arrange=_arrange, multiply=_multiply, made=_made, spoil=_spoil)]


# ---------------------------------------------------------------- the plan
def test_a_five_day_order_of_ten_plans_two_a_day(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2, jobs 22 and 23; D-61: upstream counted all ten on each of its days."""
    shop = erp.workshop()
    erp.work_order(plan_qty=10, standard_hours=40, plan_start_date=MONDAY, plan_end_date=MONDAY + timedelta(4), workshop_id=shop)
    perform(JOB, FIVE)
    assert [(row(db, w).plan_qty, row(db, w).plan_hours) for w in (None, shop)] == [(2, 8), (2, 8)]


@pytest.mark.parametrize(("first", "last", "quantity", "planned"), [
    (0, 4, 10, 2), (0, 6, 10, 2), (-3, 0, 9, 3), (0, 0, 7, 7), (0, None, 7, 7), (1, 4, 10, 0), (-9, -1, 10, 0), (0, 4, None, Decimal("0.2")),
    (-4, 30, 1, Decimal("0.04")),
])
def test_a_plan_is_spread_over_its_workdays(first: int, last: int | None, quantity: int | None, planned: Any, erp: Erp, db: Connection, perform: Perform) -> None:
    """28 February 2026 is a Saturday that is worked, so Friday to Monday are three workdays."""
    end = None if last is None else MONDAY + timedelta(last)
    erp.work_order(plan_qty=quantity, plan_start_date=MONDAY + timedelta(first), plan_end_date=end)
    perform(JOB, FIVE)
    assert row(db).plan_qty == planned


def test_an_order_planned_for_rest_days_only_is_spread_over_them(erp: Erp, db: Connection, perform: Perform) -> None:
    saturday = date(2026, 3, 7)
    erp.work_order(plan_qty=10, plan_start_date=saturday, plan_end_date=saturday + timedelta(1))
    perform(JOB, "2026-03-09T05:00+08:00")
    assert [row(db, day=saturday + timedelta(n)).plan_qty for n in (-1, 0, 1)] == [0, 5, 5]


def test_a_cancelled_order_plans_nothing(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.work_order(plan_qty=10, plan_end_date=MONDAY, status="CANCELLED")
    perform(JOB, FIVE)
    assert row(db).plan_qty == 0


# ---------------------------------------------------------------- reports
def test_eight_hours_earned_in_ten_are_80_percent(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2, jobs 22 and 23; D-61"""
    order = erp.work_order(plan_qty=10, standard_hours=20, plan_end_date=MONDAY)
    erp.work_report(order, at(MONDAY), completed_qty=4, work_hours=10)
    perform(JOB, FIVE)
    assert (row(db).earned_hours, row(db).actual_hours, row(db).efficiency, row(db).completion_rate) == (8, 10, 80, 40)


def test_a_report_at_half_past_midnight_belongs_to_the_new_day(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2, jobs 22 and 23; D-57"""
    order = erp.work_order(plan_start_date=None)
    for day, clock, quantity in ((MONDAY, "00:00", 1), (MONDAY, "00:30", 2), (MONDAY, "23:59", 4), (MONDAY + timedelta(1), "00:00", 8), (MONDAY - timedelta(1), "23:59", 16)):
        erp.work_report(order, at(day, clock), completed_qty=quantity)
    perform(JOB, FIVE)
    assert (row(db).completed_qty, row(db, day=MONDAY - timedelta(1)).completed_qty) == (7, 16)


@pytest.mark.parametrize(("status", "counts"), [("PENDING", True), ("APPROVED", True), ("REJECTED", False)])
def test_rejected_reports_do_not_count(status: str, counts: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    erp.work_report(erp.work_order(), at(MONDAY), completed_qty=5, work_hours=8, status=status)
    perform(JOB, FIVE)
    assert (row(db).completed_qty, row(db).actual_hours, row(db).actual_attend) == ((5, 8, 1) if counts else (0, 0, 0))


@pytest.mark.parametrize(("report", "total", "completed", "passed"), [
    ({"completed_qty": 9, "qualified_qty": 8, "defect_qty": 2}, 10, 9, 80),
    ({"completed_qty": 9}, 9, 9, None),
    ({"qualified_qty": 8, "defect_qty": 2}, 10, 10, 80),
    ({"completed_qty": 9, "qualified_qty": 0, "defect_qty": 3}, 3, 9, 0),
    ({}, 0, 0, 0),
])
def test_what_was_made_and_how_well(report: dict[str, int], total: int, completed: int, passed: int | None, erp: Erp, db: Connection, perform: Perform) -> None:
    erp.work_report(erp.work_order(), at(MONDAY), **report)
    perform(JOB, FIVE)
    assert (row(db).total_qty, row(db).completed_qty, row(db).pass_rate) == (total, completed, passed)


def test_no_rate_overflows(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-47"""
    order = erp.work_order(plan_qty="0.0001", standard_hours=99_999_999, plan_end_date=MONDAY)
    erp.work_report(order, at(MONDAY), completed_qty=9_999_999_999, work_hours="0.01")
    assert perform(JOB, FIVE)["state"] == "succeeded"
    assert row(db).completion_rate == Decimal("999.99")


# ---------------------------------------------------------------- people
def test_overtime_is_by_worker_and_a_helper_is_one_person_in_the_plant(erp: Erp, db: Connection, perform: Perform) -> None:
    first, second = erp.workshop(), erp.workshop()
    helper, other = (erp.worker(workshop_id=first) for _ in range(2))
    for shop, worker, hours in ((first, helper, 6), (second, helper, 5), (first, other, 7)):
        erp.work_report(erp.work_order(workshop_id=shop), at(MONDAY), worker_id=worker, work_hours=hours)
    perform(JOB, FIVE)
    assert [(row(db, w).actual_attend, row(db, w).overtime_hours) for w in (None, first, second)] == [(2, 3), (2, 0), (1, 0)]


def test_all_hours_of_a_rest_day_are_overtime(erp: Erp, db: Connection, perform: Perform) -> None:
    sunday = MONDAY - timedelta(1)
    erp.work_report(erp.work_order(), at(sunday), work_hours=5)
    perform(JOB, "2026-03-02T05:00+08:00")
    assert (row(db, day=sunday).overtime_hours, row(db, day=sunday).should_attend) == (5, 0)


@pytest.mark.parametrize(("columns", "leave", "should", "away"), [
    ({}, None, 1, 0), ({"entry_date": MONDAY}, None, 1, 0), ({"entry_date": MONDAY + timedelta(1)}, None, 0, 0),
    ({"leave_date": MONDAY, "status": "RESIGNED"}, None, 1, 0), ({"leave_date": MONDAY - timedelta(1), "status": "RESIGNED"}, None, 0, 0),
    ({"leave_date": MONDAY - timedelta(1)}, None, 0, 0), ({"status": "RESIGNED"}, None, 0, 0), ({"status": "LEAVE"}, None, 1, 0),
    ({}, 8, 0, 1), ({}, 4, 1, 0),
])
def test_who_should_have_been_there(columns: dict[str, Any], leave: int | None, should: int, away: int, erp: Erp, db: Connection, perform: Perform) -> None:
    worker = erp.worker(**columns)
    if leave:
        erp.worker_leave(worker, MONDAY, hours=leave)
        erp.worker_leave(worker, MONDAY - timedelta(2), hours=leave)
    perform(JOB, FIVE)
    assert (row(db).should_attend, row(db).leave_count) == (should, away)


def test_exceptions_count_on_the_day_they_come_and_on_the_day_they_end(erp: Erp, db: Connection, perform: Perform) -> None:
    shop = erp.workshop()
    erp.production_exception(at(MONDAY, "00:10"), workshop_id=shop)
    erp.production_exception(at(MONDAY - timedelta(9)), resolved_at=at(MONDAY, "23:50"), work_order_id=erp.work_order(workshop_id=shop))
    erp.production_exception(at(MONDAY - timedelta(9)))
    perform(JOB, FIVE)
    for place in (None, shop):
        assert (row(db, place).new_exception_count, row(db, place).resolved_exception_count) == (1, 1)


# ---------------------------------------------------------------- the rows
def test_the_plant_each_active_workshop_and_one_that_reported_get_a_row(erp: Erp, db: Connection, perform: Perform) -> None:
    active, idle, closed = erp.workshop(), erp.workshop(is_active=False), erp.workshop(is_active=False)
    erp.work_report(erp.work_order(workshop_id=closed), at(MONDAY), completed_qty=1, worker_id=erp.worker(workshop_id=None))
    assert perform(JOB, FIVE)["counters"]["created"] == 7
    assert [row(db, w) is not None for w in (None, active, idle, closed)] == [True, True, False, True]
    assert row(db, closed, MONDAY - timedelta(1)) is None


def test_the_plant_is_worked_out_for_itself(erp: Erp, db: Connection, perform: Perform) -> None:
    for shop, planned, done in ((erp.workshop(), 10, 10), (erp.workshop(), 30, 0), (None, 60, 30)):
        erp.work_report(erp.work_order(workshop_id=shop, plan_qty=planned, plan_end_date=MONDAY), at(MONDAY), completed_qty=done)
    perform(JOB, FIVE)
    assert (row(db).plan_qty, row(db).completed_qty, row(db).completion_rate) == (100, 40, 40)


def test_a_late_report_changes_the_two_days_before_and_no_more(erp: Erp, db: Connection, perform: Perform) -> None:
    order, worker = erp.work_order(plan_start_date=None), erp.worker(workshop_id=None)
    perform(JOB, FIVE)
    for days in range(4):
        erp.work_report(order, at(MONDAY - timedelta(days)), completed_qty=3, worker_id=worker)
    answer = perform(JOB, "2026-03-04T05:00+08:00")  # Tuesday's report; Monday and Sunday again
    assert [row(db, day=MONDAY - timedelta(days)).completed_qty for days in range(3)] == [3, 3, 0]
    assert row(db, day=MONDAY - timedelta(3)) is None
    assert (answer["counters"]["created"], answer["counters"]["updated"]) == (2, 4)  # of the plant and the order's workshop


def test_a_report_that_says_the_same_is_not_written_again(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.work_report(erp.work_order(), at(MONDAY), completed_qty=3, worker_id=erp.worker(workshop_id=None))
    perform(JOB, FIVE)
    before = db.execute(text("select ctid::text, xmin::text from belfry.production_daily_reports order by 1")).all()
    answer = perform(JOB, FIVE, kind="manual")
    assert db.execute(text("select ctid::text, xmin::text from belfry.production_daily_reports order by 1")).all() == before
    assert (answer["counters"]["created"], answer["counters"]["updated"], answer["counters"]["checked"]) == (0, 0, 6)


def test_a_confirmed_report_stays_and_its_difference_is_recorded(erp: Erp, db: Connection, perform: Perform) -> None:
    order, worker = erp.work_order(plan_qty=10, plan_end_date=MONDAY), erp.worker()
    erp.work_report(order, at(MONDAY), completed_qty=3, worker_id=worker)
    perform(JOB, FIVE)
    db.execute(text("update belfry.production_daily_reports set status = 'CONFIRMED' where workshop_id is null"))
    erp.work_report(order, at(MONDAY, "11:00"), completed_qty=2, worker_id=worker)
    answer = perform(JOB, FIVE, kind="manual")
    assert (answer["state"], answer["counters"]["data_defects"]) == ("succeeded", 1)
    assert row(db).completed_qty == 3
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert item[:3] == ("PRODUCTION_DAILY_REPORT", "2026-03-02/plant", "defect")
    assert item.error.startswith("confirmed, and would now say completed_qty 3 -> 5, completion_rate 30 -> 50")


@pytest.mark.parametrize(("make", "key", "error"), [
    (lambda erp: erp.work_order(work_order_no="WO-X", plan_qty=0, plan_end_date=MONDAY), "WO-X", "plan quantity is 0"),
    (lambda erp: erp.work_order(work_order_no="WO-X", plan_end_date=MONDAY - timedelta(3)), "WO-X", "planned from 2026-03-02 to 2026-02-27"),
    (lambda erp: erp.work_order(work_order_no="WO-X", plan_end_date=date(2099, 1, 1)), "WO-X", "planned from 2026-03-02 to 2099-01-01"),
])
def test_a_plan_that_contradicts_itself_is_listed(make: Any, key: str, error: str, erp: Erp, db: Connection, perform: Perform) -> None:
    make(erp)
    erp.work_order(plan_qty=4, plan_end_date=MONDAY)
    assert perform(JOB, FIVE)["state"] == "partial"
    assert db.execute(text("select item_key, error from belfry.execution_items")).one() == (key, error)
    assert row(db).plan_qty == 4


# ---------------------------------------------------------------- the digest
def test_workshops_production_and_the_general_manager_read_it_at_half_past_seven(erp: Erp, db: Connection, perform: Perform) -> None:
    foreman, head, chief = erp.user("吴刚"), erp.user("郑凯", roles=["PROD"]), erp.user("林国栋", roles=["GM"])
    shop = erp.workshop(manager_id=foreman, workshop_name="总装 & 调试")
    order = erp.work_order(plan_qty=10, standard_hours=20, plan_end_date=MONDAY, workshop_id=shop)
    erp.work_report(order, at(MONDAY), completed_qty=4, work_hours=10, worker_id=erp.worker(workshop_id=shop))
    perform(JOB, FIVE)
    told = db.execute(text("""select n.dedupe_key, n.facts, n.severity, array_agg(d.user_id || d.channel order by 1) as sent
        from belfry.notifications n join belfry.notification_deliveries d on d.notification_id = n.id group by n.id order by n.id""")).all()
    keys = [f"DIGEST_PRODUCTION|WORKSHOP|{shop}|2026-03-02|{foreman}", "DIGEST_PRODUCTION|PLANT|2026-03-02"]
    assert [one.dedupe_key for one in told] == keys
    reached = {"system", "email"}
    assert set(told[0].sent) == {f"{foreman}{channel}" for channel in reached}
    assert set(told[1].sent) == {f"{person}{channel}" for person in (head, chief) for channel in reached}
    plant = told[1].facts
    assert (plant["own"]["completed_qty"], plant["own"]["efficiency"]) == (4, 80)
    assert [shop["workshop_name"] for shop in plant["workshops"]] == ["总装 & 调试"]
    assert [point["day"] for point in plant["trend"]] == ["2026-02-28", "2026-03-01", "2026-03-02"]
    page = i18n.render_html("zh", i18n.render("DIGEST_PRODUCTION", "zh", {"level": "INFO", **plant}), level="INFO", link=None, reference=None)
    assert page.count('<table class="bars"') == 2
    assert page.count('<table class="report"') == 1
    assert "总装 &amp; 调试" in page
    due = db.execute(text("select distinct not_before from belfry.notifications")).scalar_one()
    assert due == at(date(2026, 3, 3), "07:30")


def test_a_rest_day_on_which_nobody_worked_has_a_row_of_zeros_and_no_message(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.worker()
    perform(JOB, "2026-03-02T05:00+08:00")  # yesterday was a Sunday
    sunday = row(db, day=MONDAY - timedelta(1))
    assert (sunday.plan_qty, sunday.should_attend, sunday.completion_rate, sunday.efficiency) == (0, 0, 0, None)
    assert db.execute(text("select count(*) from belfry.notifications")).scalar_one() == 0
    perform(JOB, FIVE)  # and yesterday a workday on which nobody did anything
    assert db.execute(text("select count(*) from belfry.notifications")).scalar_one() == 2


def test_the_sentence_is_in_both_languages(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.work_report(erp.work_order(plan_qty=4, plan_end_date=MONDAY), at(MONDAY), completed_qty=3, work_hours="2.5")
    perform(JOB, FIVE)
    assert row(db).summary == {
        "zh": "全厂 2026-03-02 计划 4 件，完成 3 件（75%），实际工时 2.5 小时，效率 0%，新增异常 0 起。",
        "en": "Plant 2026-03-02: planned 4, completed 3 (75 %), 2.5 hours worked, efficiency 0 %, new exceptions 0.",
    }
