"""Job 4 by the rulebook: each of its scans, and the defects it must not have."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.evidence import counted_statements, messages
from tests.factories import TODAY, Erp

JOB = "sales_reminder_scan"
SCANS = [
    "MILESTONE_UPCOMING", "MILESTONE_OVERDUE", "PAYMENT_OVERDUE", "GATE_TIMEOUT", "QUOTE_EXPIRING", "QUOTE_EXPIRED",
    "CONTRACT_EXPIRING", "APPROVAL_PENDING",
]  # fmt: skip
OVER = [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}]


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def at(offset: int = 0) -> str:
    return f"{TODAY + timedelta(days=offset)}T09:00+08:00"


def day(offset: int, *, on: date = TODAY) -> date:
    return on + timedelta(days=offset)


def instant(offset: int, clock: str = "10:00") -> datetime:
    return datetime.combine(day(offset), time.fromisoformat(clock), ZoneInfo("Asia/Shanghai"))


def told(db: Connection) -> list[tuple[str, str]]:
    """Type and severity of each message, in order."""
    return [(m["type"], m["severity"]) for m in messages(db)]


def recipients(db: Connection, type_: str | None = None) -> set[str]:
    query = "select unnest(recipients) from belfry.notifications where type = coalesce(cast(:t as text), type)"
    return set(db.execute(text(query), {"t": type_}).scalars())


def days_told(perform: Perform, db: Connection, first: int, last: int) -> list[int]:
    """The days, counted from today, whose run told something new."""
    days = []
    for offset in range(first, last + 1):
        before = len(told(db))
        assert perform(JOB, at(offset))["state"] == "succeeded"
        days += [offset] * (len(told(db)) - before)
    return days


def copies(db: Connection, plan: int, n: int) -> None:
    db.execute(text("""insert into erp.project_payment_plans (contract_id, payment_name, planned_amount, planned_date)
        select contract_id, payment_name, planned_amount, planned_date from erp.project_payment_plans, generate_series(1, :n) where id = :id"""),
        {"n": n, "id": plan})  # fmt: skip


def _spoil(erp: Erp, day: date) -> str:
    erp.lead(status="QUALIFYING", gate_submitted_at=None)
    return "LEAD"


def late_payment(erp: Erp, days: int, *, on: date = TODAY, **columns: Any) -> int:
    return erp.payment_plan(planned_date=on - timedelta(days=days), **columns)


CASES = [RowsJob(
    JOB, clock="09:00",
    arrange=lambda erp, first: late_payment(erp, 7, on=first),
    multiply=copies,
    made=lambda db: [m["dedupe_key"] for m in messages(db) if m["type"] == "PAYMENT_OVERDUE"],
    spoil=_spoil,
    reasons={"the_number_of_statements_does_not_depend_on_the_rows":
             "proved by test_the_number_of_statements_is_the_same_for_ten_rows_and_for_a_thousand: eight scans, each behind its savepoint"},
)]  # fmt: skip


# ---------------------------------------------------------------- milestones
def milestone(erp: Erp, offset: int, **columns: Any) -> int:
    return erp.milestone(planned_date=day(offset), **columns)


def test_a_milestone_is_told_once_each_at_7_3_1_and_0_days(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-49: neither every day, nor twice within three days; louder by the days that are really left."""
    milestone(erp, 8)
    assert days_told(perform, db, 0, 8) == [1, 5, 7, 8]
    assert told(db) == [("MILESTONE_UPCOMING", level) for level in ("INFO", "WARNING", "WARNING", "WARNING")]
    assert [m["facts"]["days_left"] for m in messages(db)] == [7, 3, 1, 0]


def test_an_overdue_milestone_is_told_daily_for_a_week_and_then_weekly(erp: Erp, db: Connection, perform: Perform) -> None:
    milestone(erp, -1)
    assert days_told(perform, db, 0, 21) == [0, 1, 2, 3, 4, 5, 6, 13, 20]
    assert set(told(db)) == {("MILESTONE_OVERDUE", "URGENT")}


@pytest.mark.parametrize("columns", [{"status": "IN_PROGRESS"}, {"status": "COMPLETED"}, {"status": "CANCELLED"}, {"actual_date": date(2026, 2, 20)}])
@pytest.mark.parametrize("offset", [-1, 1])
def test_only_pending_milestones_that_are_not_done_are_told(offset: int, columns: dict[str, Any], erp: Erp, db: Connection, perform: Perform) -> None:
    milestone(erp, offset, **columns)
    perform(JOB, at())
    assert told(db) == []


def test_a_milestone_near_tells_its_owner_or_else_the_project_manager(erp: Erp, db: Connection, perform: Perform) -> None:
    owner, manager = erp.user("赵敏"), erp.user("李强")
    milestone(erp, 1, owner_id=owner, project_id=erp.project(pm_id=erp.user("王磊")))
    milestone(erp, 1, owner_id=None, project_id=erp.project(pm_id=manager))
    milestone(erp, 1, owner_id=None, project_id=erp.project(pm_id=None))
    perform(JOB, at())
    assert recipients(db) == {f"USER:{owner}", f"USER:{manager}", "ROLE:SALES_MGR"}


def test_a_milestone_overdue_tells_both(erp: Erp, db: Connection, perform: Perform) -> None:
    owner, manager = erp.user("赵敏"), erp.user("李强")
    milestone(erp, -1, owner_id=owner, project_id=erp.project(pm_id=manager))
    perform(JOB, at())
    assert recipients(db) == {f"USER:{owner}", f"USER:{manager}"}


# ---------------------------------------------------------------- payments
def test_an_overdue_payment_is_told_on_days_7_15_30_60_and_then_every_30(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-50: not every day from the seventh on."""
    late_payment(erp, 5, contract_id=erp.contract(delivery_deadline=None))
    assert [offset + 5 for offset in days_told(perform, db, 0, 116)] == [7, 15, 30, 60, 90, 120]
    assert [severity for _, severity in told(db)] == ["INFO", "WARNING", "WARNING", "URGENT", "URGENT", "URGENT"]


def test_a_payment_that_is_due_soon_is_the_payment_reminders_business(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.payment_plan(planned_date=day(3))
    perform(JOB, at())
    assert told(db) == []


@pytest.mark.parametrize("columns", [{"status": "COMPLETED"}, {"status": "CANCELLED"}, {"actual_amount": 100000}])
def test_payments_that_are_in_are_silent(columns: dict[str, Any], erp: Erp, db: Connection, perform: Perform) -> None:
    late_payment(erp, 20, **columns)
    perform(JOB, at())
    assert told(db) == []


def test_an_overdue_payment_tells_owner_project_manager_finance_and_sales_managers(erp: Erp, db: Connection, perform: Perform) -> None:
    owner, manager = erp.user("贾磊"), erp.user("李强")
    late_payment(erp, 7, contract_id=erp.contract(owner_id=owner, project_id=erp.project(pm_id=manager)))
    perform(JOB, at())
    assert recipients(db) == {f"USER:{owner}", f"USER:{manager}", "ROLE:FIN", "ROLE:SALES_MGR"}


# ---------------------------------------------------------------- gates
def test_a_gate_is_told_every_day_from_the_third_on_and_to_sales_managers_from_the_seventh(erp: Erp, db: Connection, perform: Perform) -> None:
    owner = erp.user("贾磊")
    erp.lead(status="QUALIFYING", gate_submitted_at=instant(0), owner_id=owner)
    assert days_told(perform, db, 2, 6) == [3, 4, 5, 6]
    assert recipients(db) == {f"USER:{owner}"}
    assert days_told(perform, db, 7, 8) == [7, 8]
    assert recipients(db) == {f"USER:{owner}", "ROLE:SALES_MGR"}
    assert set(told(db)) == {("GATE_TIMEOUT", "WARNING")}
    assert [m["facts"]["days"] for m in messages(db)] == [3, 4, 5, 6, 7, 8]


def test_the_gate_of_an_opportunity_counts_from_its_submission_and_not_from_the_last_edit(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.opportunity(gate_status="PENDING", gate_code="G2", gate_submitted_at=instant(-3), opp_code="OP-1")
    erp.opportunity(gate_status="PASS", gate_code="G2", gate_submitted_at=instant(-9))
    erp.opportunity(gate_status="PENDING", gate_code="G2", gate_submitted_at=instant(-9), stage="LOST")
    erp.lead(status="NEW", gate_submitted_at=instant(-9))
    erp.lead(status="QUALIFYING", gate_submitted_at=instant(-2), updated_at=instant(-30))
    perform(JOB, at())
    assert [(m["facts"]["kind"], m["facts"]["code"], m["facts"]["gate"], m["facts"]["days"]) for m in messages(db)] == [("OPPORTUNITY", "OP-1", "G2", 3)]


def test_a_gate_that_waits_since_nobody_knows_when_is_listed(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.lead(status="QUALIFYING", lead_code="LD-1")
    erp.opportunity(gate_status="PENDING", opp_code="OP-1")
    assert perform(JOB, at())["state"] == "partial"
    found = db.execute(text("select item_type, item_key from belfry.execution_items where status = 'failed' order by 1")).all()
    assert [tuple(row) for row in found] == [("LEAD", "LD-1"), ("OPPORTUNITY", "OP-1")]


# ---------------------------------------------------------------- quotes
@pytest.mark.parametrize("status", ["SENT", "IN_REVIEW"])
def test_a_quote_is_told_at_7_3_and_1_days_and_weekly_for_a_month_after(status: str, erp: Erp, db: Connection, perform: Perform) -> None:
    erp.quote(valid_until=day(8), status=status)
    assert [offset - 8 for offset in days_told(perform, db, 0, 50)] == [-7, -3, -1, 1, 8, 15, 22, 29]
    assert told(db)[:4] == [("QUOTE_EXPIRING", "INFO"), ("QUOTE_EXPIRING", "WARNING"), ("QUOTE_EXPIRING", "URGENT"), ("QUOTE_EXPIRED", "WARNING")]
    assert {type_ for type_, _ in told(db)[4:]} == {"QUOTE_EXPIRED"}


@pytest.mark.parametrize("status", ["DRAFT", "APPROVED", "EXPIRED", "REJECTED"])
def test_quotes_that_are_not_on_offer_are_silent(status: str, erp: Erp, db: Connection, perform: Perform) -> None:
    for offset in (-1, 1):
        erp.quote(valid_until=day(offset), status=status)
    perform(JOB, at())
    assert told(db) == []


def test_quotes_tell_their_owner_or_else_sales_managers(erp: Erp, db: Connection, perform: Perform) -> None:
    owner = erp.user("贾磊")
    erp.quote(valid_until=day(1), owner_id=owner)
    erp.quote(valid_until=day(-1), owner_id=None)
    perform(JOB, at())
    assert (recipients(db, "QUOTE_EXPIRING"), recipients(db, "QUOTE_EXPIRED")) == ({f"USER:{owner}"}, {"ROLE:SALES_MGR"})


# ---------------------------------------------------------------- contracts
def test_a_contract_is_told_at_30_15_and_7_days_before_its_delivery(erp: Erp, db: Connection, perform: Perform) -> None:
    owner, manager = erp.user("贾磊"), erp.user("李强")
    erp.contract(delivery_deadline=day(32), owner_id=owner, project_id=erp.project(pm_id=manager))
    assert [32 - offset for offset in days_told(perform, db, 0, 40)] == [30, 15, 7]
    assert told(db) == [("CONTRACT_EXPIRING", level) for level in ("INFO", "WARNING", "URGENT")]
    assert recipients(db) == {f"USER:{owner}", f"USER:{manager}"}


@pytest.mark.parametrize(("status", "live"), [("DRAFT", 0), ("IN_REVIEW", 0), ("SIGNED", 1), ("ACTIVE", 1), ("CLOSED", 0), ("CANCELLED", 0)])
def test_only_contracts_in_force_are_told(status: str, live: int, erp: Erp, db: Connection, perform: Perform) -> None:
    erp.contract(delivery_deadline=day(5), status=status)
    perform(JOB, at())
    assert len(told(db)) == live


def test_a_contract_without_an_owner_tells_the_sales_managers(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.contract(delivery_deadline=day(5), owner_id=None, project_id=None)
    perform(JOB, at())
    assert recipients(db) == {"ROLE:SALES_MGR"}


# ---------------------------------------------------------------- approvals
@pytest.mark.parametrize(("hours", "due_hours", "severity"), [
    (23.99, None, None), (24, None, "INFO"), (47.99, None, "INFO"), (48, None, "WARNING"), (8, 8, "INFO"), (7.99, 8, None), (48, 72, None), (72, 72, "WARNING"),
])
def test_an_approval_is_told_after_a_day_or_its_own_hours(hours: float, due_hours: int | None, severity: str | None, erp: Erp, db: Connection, perform: Perform) -> None:
    since = datetime.fromisoformat(at()).astimezone(UTC) - timedelta(hours=hours)
    erp.approval(status="PENDING", step_started_at=since, due_hours=due_hours)
    perform(JOB, at())
    assert told(db) == ([("APPROVAL_PENDING", severity)] if severity else [])


def test_an_approval_is_told_every_day_until_it_is_given(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.approval(status="PENDING", step_started_at=instant(-1, "08:00"))
    assert days_told(perform, db, 0, 2) == [0, 1, 2]
    db.execute(text("update erp.approval_records set status = 'APPROVED'"))
    assert days_told(perform, db, 3, 4) == []


def test_an_approval_tells_its_approver_or_else_the_role(erp: Erp, db: Connection, perform: Perform) -> None:
    approver = erp.user("蔡明")
    since = instant(-3)
    erp.approval(status="PENDING", step_started_at=since, approver_id=approver, approver_role="FIN")
    erp.approval(status="PENDING", step_started_at=since, approver_id=None, approver_role="GM")
    erp.approval(status="PENDING", step_started_at=since, approver_id=None)
    perform(JOB, at())
    assert recipients(db) == {f"USER:{approver}", "ROLE:GM", "ROLE:SALES_MGR"}


def test_an_approval_names_what_is_to_be_approved(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.approval(status="PENDING", step_started_at=instant(-3), entity_id=erp.quote(quote_code="QT-1"))
    erp.approval(status="PENDING", step_started_at=instant(-3), entity_type="CONTRACT", entity_id=erp.contract(contract_code="HT-1"))
    erp.approval(status="PENDING", step_started_at=instant(-3), entity_type="PAYMENT_REQUEST", entity_id=7)
    perform(JOB, at())
    assert [m["facts"]["entity_code"] for m in messages(db)] == ["QT-1", "HT-1", None]


def test_a_step_of_negative_hours_is_listed(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.approval(status="PENDING", step_started_at=instant(-3), due_hours=-1)
    assert perform(JOB, at())["state"] == "partial"
    assert db.execute(text("select item_type from belfry.execution_items where status = 'failed'")).scalar_one() == "APPROVAL"
    assert told(db) == []


# ---------------------------------------------------------------- all of them
def one_of_each(erp: Erp) -> None:
    milestone(erp, 1)
    milestone(erp, -1)
    late_payment(erp, 7)
    erp.lead(status="QUALIFYING", gate_submitted_at=instant(-3))
    erp.quote(valid_until=day(1))
    erp.quote(valid_until=day(-1))
    erp.contract(delivery_deadline=day(5))
    erp.approval(status="PENDING", step_started_at=instant(-3))


@pytest.mark.parametrize("columns", OVER)
def test_nothing_is_told_of_projects_that_are_over(columns: dict[str, Any], erp: Erp, db: Connection, perform: Perform) -> None:
    project = erp.project(**columns)
    milestone(erp, 1, project_id=project)
    milestone(erp, -1, project_id=project)
    late_payment(erp, 7, contract_id=erp.contract(project_id=project))
    erp.contract(delivery_deadline=day(5), project_id=project)
    perform(JOB, at())
    assert told(db) == []


def test_every_scan_is_an_item_of_the_run_and_its_words_can_be_read(erp: Erp, db: Connection, perform: Perform) -> None:
    from shared import i18n

    one_of_each(erp)
    assert perform(JOB, at())["counters"]["notified"] == 8
    assert [type_ for type_, _ in told(db)] == SCANS
    found = db.execute(text("select item_key, status from belfry.execution_items where item_type = 'part'")).all()
    assert {tuple(row) for row in found} == {(scan, "succeeded") for scan in SCANS}
    for message in messages(db):
        for language in i18n.LANGUAGES:
            words = i18n.render(message["type"], language, {"level": message["severity"], **message["facts"]}, reason=message["reason"])
            assert "None" not in words.title + words.body + words.sms


BREAKS: list[tuple[str, str]] = [
    ("alter table erp.leads rename column gate_submitted_at to gone", "GATE_TIMEOUT"),
    ("alter table erp.approval_records rename column due_hours to gone", "APPROVAL_PENDING"),
    ("alter table erp.contracts rename column contract_amount to gone", "CONTRACT_EXPIRING"),
]


@pytest.mark.parametrize(("break_", "scan"), BREAKS)
def test_a_scan_that_raises_is_recorded_and_the_others_are_stored(break_: str, scan: str, erp: Erp, db: Connection, perform: Perform) -> None:
    """D-51, D-41: a column that is not there costs the reminders of its own scan and no others."""
    one_of_each(erp)
    db.execute(text(break_))
    answer = perform(JOB, at())
    assert (answer["state"], answer["counters"]["failed"], answer["counters"]["notified"]) == ("partial", 1, 7)
    assert [type_ for type_, _ in told(db)] == [one for one in SCANS if one != scan]
    item = db.execute(text("select item_type, item_key, error from belfry.execution_items where status = 'failed'")).one()
    assert (item.item_type, item.item_key) == ("part", scan)
    assert "does not exist" in item.error


def _more(db: Connection, n: int) -> None:
    inserts: list[Callable[[], str]] = [
        lambda: """insert into erp.project_milestones (project_id, milestone_code, milestone_name, planned_date)
                   select project_id, milestone_code || g, milestone_name, planned_date from erp.project_milestones, generate_series(1, :n) g""",
        lambda: """insert into erp.project_payment_plans (contract_id, payment_name, planned_amount, planned_date)
                   select contract_id, payment_name, planned_amount, planned_date from erp.project_payment_plans, generate_series(1, :n)""",
        lambda: """insert into erp.leads (lead_code, status, gate_submitted_at, updated_at)
                   select lead_code || '-' || :n || g, status, gate_submitted_at, updated_at from erp.leads, generate_series(1, :n) g""",
        lambda: """insert into erp.approval_records (entity_type, entity_id, status, step_started_at)
                   select entity_type, entity_id, status, step_started_at from erp.approval_records, generate_series(1, :n)""",
    ]
    for insert in inserts:
        db.execute(text(insert()), {"n": n})


def test_the_number_of_statements_is_the_same_for_ten_rows_and_for_a_thousand(erp: Erp, db: Connection, perform: Perform) -> None:
    perform(JOB, at(-1))
    one_of_each(erp)
    with counted_statements(db) as few:
        assert perform(JOB, at())["counters"]["notified"] == 8
    _more(db, 200)
    with counted_statements(db) as many:
        assert perform(JOB, at(1))["counters"]["notified"] > 800
    assert few == many
    assert len(many) <= 30, many
