"""Job 37 by the rulebook: boundaries of 9.2, rates, locks, corrections, and the defects it must not have."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from shared import i18n
from tests.acceptance.cases import AlertJob, RowsJob
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import Erp
from tests.shared.rules import labor_cases

ID = "calculate_monthly_labor_cost"
MARCH = "2026-03-01T02:00+08:00"
APRIL = "2026-04-01T02:00+08:00"
FEBRUARY = date(2026, 2, 1)
ROWS = "project_id, source_id, source_type, source_no, period, hours, amount, cost_date, cost_type"


def worked(erp: Erp, day: date, hours: Any = 8, *, user: int, project: int | None, **columns: Any) -> int:
    row = {"status": "APPROVED", "approved_at": datetime(2026, 2, 28, tzinfo=UTC), **columns}
    return erp.timesheet(user_id=user, project_id=project, work_date=day, hours=hours, **row)


def _arrange(erp: Erp, first: date) -> int:
    """A project that eight hours of the last month take over its budget; the same again in this month."""
    user, project = erp.user(), erp.project(budget_amount=1000)
    erp.hourly_rate(scope="USER", user_id=user, hourly_rate=115)
    for day in (first - timedelta(days=1), first):
        worked(erp, day, user=user, project=project)
    return project


def _multiply(db: Connection, project: int, n: int) -> None:
    db.execute(text("""with made as (
          insert into erp.projects (project_code, project_name, status, budget_amount, pm_id)
          select project_code || '-' || c || '-' || g, project_name, status, budget_amount, pm_id
          from erp.projects, (select count(*) as c from erp.projects) o, generate_series(1, :n) g where id = :id returning id)
        insert into erp.timesheets (user_id, project_id, work_date, hours, status, approved_at)
        select t.user_id, made.id, t.work_date, t.hours, t.status, t.approved_at from made, erp.timesheets t where t.project_id = :id"""),
        {"n": n, "id": project})  # fmt: skip


def _spoil(erp: Erp, first: date) -> str:
    worked(erp, first - timedelta(days=1), user=erp.user(), project=erp.project())
    return "TIMESHEET"


def _budget(amount: int) -> Any:
    return lambda db, project: db.execute(text("update erp.projects set budget_amount = :b where id = :p"), {"b": amount, "p": project})


def _made(db: Connection) -> Sequence[Any]:
    return [*costs(db), *db.execute(text("select id, actual_cost from erp.projects order by 1")).all()]


_TICKS: dict[str, Any] = {"clock": "02:00", "day": date(2026, 3, 1), "every": timedelta(days=31)}
CASES = [
    RowsJob(job_id=ID, arrange=_arrange, multiply=_multiply, made=_made, spoil=_spoil, **_TICKS),
    AlertJob(
        ID, "COST_OVERRUN", violate=_arrange, clear=_budget(100_000), worsen=_budget(800), multiply=_multiply, spoil=_spoil, **_TICKS
    ),
]  # fmt: skip


def costs(db: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in db.execute(text(f"select {ROWS} from erp.project_costs where source_module = 'TIMESHEET' order by period, 1, 2, 3"))]


def amounts(db: Connection) -> dict[int, Decimal]:
    return {row.project_id: row.amount for row in db.execute(text("select project_id, sum(amount) as amount from erp.project_costs where source_module = 'TIMESHEET' group by 1"))}


def period(db: Connection, of: date = FEBRUARY) -> Any:
    return db.execute(text("select * from belfry.labor_cost_periods where period = :p"), {"p": of}).one_or_none()


def lock(db: Connection, of: date = FEBRUARY) -> None:
    db.execute(text("update belfry.labor_cost_periods set status = 'LOCKED' where period = :p"), {"p": of})


# ---------------------------------------------------------------- rates
def test_every_case_gets_the_rate_of_the_rule(db: Connection, perform: Perform) -> None:
    for number, (rates, expected) in enumerate(labor_cases.CASES):
        db.execute(text("truncate erp.timesheets, erp.hourly_rates, erp.project_costs, belfry.labor_cost_periods"))
        erp = Erp(db)
        ids = {"DEPT": erp.department(), "ROLE": erp.role("A"), "ROLE2": erp.role("B"), "NOROLE": erp.role("C"), "OTHER": erp.user()}
        user = erp.user(department_id=ids["DEPT"])
        for role in ("A", "B"):
            erp.role(role, users=[user])
        ids["USER"] = user
        for scope, whom, hourly, since, until, active in rates:
            column = {"USER": "user_id", "ROLE": "role_id", "DEPT": "dept_id"}.get(scope)
            key = {column: ids[whom]} if column else {}
            erp.hourly_rate(scope=scope, hourly_rate=hourly, effective_date=since, expiry_date=until, is_active=active, **key)
        project = erp.project()
        worked(erp, labor_cases.DAY, 1, user=user, project=project)
        answer = perform(ID, MARCH, kind="manual")
        assert amounts(db).get(project) == (expected and Decimal(expected)), number
        assert answer["state"] == ("succeeded" if expected else "partial"), number


def test_every_case_costs_the_money_of_the_rule(db: Connection, perform: Perform) -> None:
    erp, expected = Erp(db), {}
    for time, money in labor_cases.MONEY:
        user, project = erp.user(), erp.project()
        for number, (hours, rate, kind) in enumerate(time):
            day = date(2026, 2, 2) + timedelta(days=number)
            erp.hourly_rate(scope="USER", user_id=user, hourly_rate=rate, effective_date=day, expiry_date=day)
            worked(erp, day, Decimal(hours), user=user, project=project, overtime_type=kind)
        expected[project] = Decimal(money)
    perform(ID, MARCH, params={"factors": {kind: float(factor) for kind, factor in labor_cases.FACTORS.items()}}, kind="manual")
    assert amounts(db) == expected


# ---------------------------------------------------------------- 9.2
def test_a_rate_that_changes_within_the_month_counts_from_its_day(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user, project = erp.user(), erp.project()
    erp.hourly_rate(scope="USER", user_id=user, hourly_rate=100, expiry_date=date(2026, 2, 14))
    erp.hourly_rate(scope="USER", user_id=user, hourly_rate=120, effective_date=date(2026, 2, 15))
    for day in (1, 14, 15, 28):
        worked(erp, date(2026, 2, day), user=user, project=project)
    perform(ID, MARCH)
    assert costs(db) == [(project, user, "LABOR_COST", "2026-02", FEBRUARY, 32, 2 * 800 + 2 * 960, date(2026, 2, 28), "LABOR")]


def test_a_second_run_gives_the_same_totals_and_writes_nothing(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user, project = erp.user(roles=["FIN"]), erp.project()
    erp.hourly_rate()
    worked(erp, date(2026, 2, 3), user=user, project=project)
    perform(ID, MARCH)
    before = costs(db), tuple(period(db)), db.execute(text("select id, xmin::text from erp.project_costs")).all(), messages(db)
    counters = perform(ID, MARCH, kind="manual")["counters"]
    assert (counters["costs_created"], counters["costs_updated"], counters["costs_deleted"], counters["projects_updated"], counters["notified"]) == (0, 0, 0, 0, 0)
    assert (costs(db), tuple(period(db)), db.execute(text("select id, xmin::text from erp.project_costs")).all(), messages(db)) == before


def test_earlier_months_and_other_costs_are_untouched(db: Connection, perform: Perform) -> None:
    """D-46: upstream deleted the labor cost of every month first."""
    erp = Erp(db)
    user, project = erp.user(), erp.project()
    erp.hourly_rate()
    kept = {"project_id": project, "cost_type": "LABOR", "source_module": "TIMESHEET", "source_type": "LABOR_COST", "source_id": user}
    erp.cost(**kept, period=date(2026, 1, 1), amount=777, hours=7)
    erp.cost(**kept, period=date(2025, 12, 1), amount=555, hours=5)
    erp.cost(project_id=project, amount=1000)
    erp.cost(**{**kept, "source_module": "MANUAL"}, period=FEBRUARY, amount=50)
    worked(erp, date(2026, 2, 3), user=user, project=project)
    perform(ID, MARCH)
    assert [(row[4], row[6]) for row in costs(db)] == [(date(2025, 12, 1), 555), (date(2026, 1, 1), 777), (FEBRUARY, 800)]
    assert db.execute(text("select actual_cost from erp.projects where id = :p"), {"p": project}).scalar() == 555 + 777 + 1000 + 50 + 800


def test_january_calculates_december_of_last_year(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user, project = erp.user(), erp.project()
    erp.hourly_rate()
    for day in (date(2025, 11, 30), date(2025, 12, 1), date(2025, 12, 31), date(2026, 1, 1)):
        worked(erp, day, 2, user=user, project=project)
    perform(ID, "2026-01-01T02:00+08:00")
    assert [(row[4], row[5], row[7]) for row in costs(db)] == [(date(2025, 12, 1), 4, date(2025, 12, 31))]


# ---------------------------------------------------------------- what counts
def test_only_approved_time_of_the_month_counts_each_kind_by_its_factor(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user, project = erp.user(), erp.project()
    erp.hourly_rate(hourly_rate=10)
    for kind in ("NORMAL", "OVERTIME", "WEEKEND", "HOLIDAY"):
        worked(erp, date(2026, 2, 3), 1, user=user, project=project, overtime_type=kind)
    for status in ("DRAFT", "SUBMITTED", "REJECTED"):
        worked(erp, date(2026, 2, 3), 8, user=user, project=project, status=status)
    for day in (date(2026, 1, 31), date(2026, 3, 1)):
        worked(erp, day, 8, user=user, project=project)
    perform(ID, MARCH)
    assert amounts(db) == {project: 40}
    perform(ID, MARCH, kind="manual", params={"factors": {"NORMAL": 1, "OVERTIME": 1.5, "WEEKEND": 2, "HOLIDAY": 3}})
    assert amounts(db) == {project: 75}


def test_rows_are_one_a_project_and_person_and_follow_what_changes(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    one, two = erp.user(), erp.user()
    first, second = erp.project(), erp.project()
    erp.hourly_rate(hourly_rate=10)
    for user in (one, two):
        for project in (first, second):
            worked(erp, date(2026, 2, 3), user=user, project=project)
    perform(ID, MARCH)
    assert amounts(db) == {first: 160, second: 160}
    db.execute(text("update erp.timesheets set status = 'REJECTED' where project_id = :p"), {"p": second})
    db.execute(text("update erp.timesheets set hours = 4 where user_id = :u"), {"u": one})
    counters = perform(ID, MARCH, kind="manual")["counters"]
    assert (counters["costs_created"], counters["costs_updated"], counters["costs_deleted"]) == (0, 1, 2)
    assert amounts(db) == {first: 120}
    assert [tuple(row) for row in db.execute(text("select id, actual_cost from erp.projects order by 1"))] == [(first, 120), (second, 0)]


def test_time_without_a_project_is_overhead(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    erp.hourly_rate(hourly_rate=10)
    worked(erp, date(2026, 2, 3), user=erp.user(), project=None)
    perform(ID, MARCH)
    row = period(db)
    assert (costs(db), row.overhead_hours, row.overhead_amount, row.projects, row.status) == ([], 8, 80, 0, "CALCULATED")


def test_time_without_a_rate_fails_alone_and_keeps_what_was_booked(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    without, sound = erp.user(username="w"), erp.user()
    project = erp.project(project_code="PJ-1")
    erp.hourly_rate(scope="USER", user_id=sound, hourly_rate=10)
    erp.hourly_rate(scope="USER", user_id=without, hourly_rate=10, expiry_date=date(2026, 2, 3))
    for user in (without, sound):
        worked(erp, date(2026, 2, 3), user=user, project=project)
    perform(ID, MARCH)
    worked(erp, date(2026, 2, 4), user=without, project=project)
    worked(erp, date(2026, 2, 4), user=sound, project=project)
    answer = perform(ID, MARCH, kind="manual")
    assert (answer["state"], answer["counters"]["failed"]) == ("partial", 1)
    assert {row[1]: row[6] for row in costs(db)} == {without: 80, sound: 160}
    item = db.execute(text("select item_type, item_key, error from belfry.execution_items where status = 'failed'")).one()
    assert tuple(item) == ("TIMESHEET", "PJ-1/w/2026-02", "RATE_MISSING: no hourly rate on 1 of the days, the first 2026-02-04")


# ---------------------------------------------------------------- locked months
def test_a_locked_month_is_skipped(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user, project = erp.user(), erp.project()
    erp.hourly_rate()
    worked(erp, date(2026, 2, 3), user=user, project=project)
    perform(ID, MARCH)
    lock(db)
    before = costs(db)
    worked(erp, date(2026, 2, 4), user=user, project=project)
    answer = perform(ID, MARCH, kind="manual")
    assert (answer["state"], answer["counters"], costs(db), period(db).status) == ("succeeded", {"skipped": 1}, before, "LOCKED")


def test_a_late_approval_becomes_a_correction_in_the_next_open_month_once(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    user, project = erp.user(), erp.project()
    erp.hourly_rate(scope="USER", user_id=user, hourly_rate=10, expiry_date=date(2026, 2, 28))
    erp.hourly_rate(scope="USER", user_id=user, hourly_rate=20, effective_date=date(2026, 3, 1))
    worked(erp, date(2026, 2, 3), user=user, project=project)
    perform(ID, MARCH)
    lock(db)
    worked(erp, date(2026, 2, 4), 4, user=user, project=project, approved_at=datetime(2026, 3, 20, tzinfo=UTC))
    worked(erp, date(2026, 3, 4), 1, user=user, project=project)
    for _ in range(2):
        perform(ID, APRIL, kind="manual")
    march, april = date(2026, 3, 1), date(2026, 4, 1)
    booked = [(row[2], row[3], row[4], row[5], row[6]) for row in costs(db)]
    corrected = [("LABOR_COST", "2026-02", FEBRUARY, 8, 80), ("LABOR_CORRECTION", "2026-02", march, 4, 40), ("LABOR_COST", "2026-03", march, 1, 20)]
    assert sorted(booked) == sorted(corrected)
    assert (period(db, march).amount, period(db, march).hours) == (60, 5)
    lock(db, march)
    worked(erp, date(2026, 2, 5), 2, user=user, project=project, approved_at=datetime(2026, 4, 20, tzinfo=UTC))
    perform(ID, "2026-05-01T02:00+08:00")
    assert [(row[2], row[3], row[5], row[6]) for row in costs(db) if row[4] == april] == [("LABOR_CORRECTION", "2026-02", 2, 20)]


# ---------------------------------------------------------------- budget and message
def test_budgets_are_checked_once_a_project_and_only_of_the_months_projects(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    one, two = erp.user(), erp.user()
    erp.hourly_rate(hourly_rate=50)
    over, elsewhere = erp.project(budget_amount=700), erp.project(budget_amount=100)
    erp.cost(project_id=elsewhere, amount=5000)
    for user in (one, two):
        worked(erp, date(2026, 2, 3), user=user, project=over)
    perform(ID, MARCH)
    (alert,) = alerts(db)
    assert (alert["rule_code"], alert["target_id"], alert["base_level"], alert["facts"]["actual"]) == ("COST_OVERRUN", over, "CRITICAL", 800)
    db.execute(text("update erp.timesheets set status = 'REJECTED'"))
    perform(ID, MARCH, kind="manual")
    assert [alert["status"] for alert in alerts(db)] == ["RESOLVED"]


def test_finance_gets_totals_people_without_a_rate_and_time_not_approved(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    finance, user, without = erp.user("彭丽", roles=["FIN"]), erp.user("王芳"), erp.user("郑浩")
    project = erp.project(project_code="PJ-1", project_name="上料线")
    erp.hourly_rate(scope="USER", user_id=user, hourly_rate=10)
    worked(erp, date(2026, 2, 3), user=user, project=project)
    worked(erp, date(2026, 2, 3), 1, user=user, project=None)
    worked(erp, date(2026, 2, 3), 3, user=without, project=project)
    worked(erp, date(2026, 2, 4), 5, user=user, project=project, status="SUBMITTED")
    worked(erp, date(2026, 3, 4), 5, user=user, project=project, status="SUBMITTED")
    perform(ID, MARCH)
    (message,) = messages(db)
    assert set(message["told"]) == {f"{finance} system", f"{finance} email"}
    assert message["facts"] == {
        "period": "2026-02", "projects": 1, "users": 1, "hours": 8, "amount": 80, "overhead_hours": 1, "overhead_amount": 10, "corrections": 0,
        "corrected": 0, "dearest": [{"project_code": "PJ-1", "project_name": "上料线", "hours": 8, "amount": 80}], "missing_count": 1,
        "missing": [{"name": "郑浩", "hours": 3}], "submitted_count": 1, "submitted_hours": 5, "submitted": [{"name": "王芳", "hours": 5}],
    }  # fmt: skip
    page = i18n.render("LABOR_COST_DONE", "en", {"level": "INFO", **message["facts"]})
    assert page.html.count("<tr>") == 6
    due = db.execute(text("select min(next_attempt_at) from belfry.notification_deliveries")).scalar()
    assert due == datetime(2026, 2, 28, 23, 30, tzinfo=UTC)


def test_a_month_without_any_time_says_nothing(db: Connection, perform: Perform) -> None:
    perform(ID, MARCH)
    assert (messages(db), period(db).status, period(db).amount) == ([], "CALCULATED", 0)
