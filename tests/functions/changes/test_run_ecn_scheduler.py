"""What an engineering change waits for is alerted past its time, remembered for approvals, and reminded once a day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import alerts, everything, messages
from tests.factories import TODAY, Erp
from tests.shared.rules.ecn_cases import TASKS, WAITING

ID = "run_ecn_scheduler"
NINE = datetime.fromisoformat(f"{TODAY}T09:00+08:00")


def at(days: int = 0) -> str:
    return (NINE + timedelta(days=days)).isoformat()


def ago(*, days: int = 0, **time: int) -> datetime:
    return NINE - timedelta(days=days, **time)


def levels(db: Connection) -> dict[tuple[str, int], str]:
    """The level of each open alert, by what it is about."""
    found = db.execute(
        text("""select target_type, target_id, base_level from belfry.alert_records
                where status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING')""")
    )
    return {(row.target_type, row.target_id): row.base_level for row in found}


def overdue_approvals(db: Connection) -> dict[int, datetime]:
    found = db.execute(text("select approval_id, overdue_since from belfry.approval_overdue order by 1"))
    return {row.approval_id: row.overdue_since for row in found}


def told(db: Connection, user: int) -> list[tuple[str, str, str]]:
    """What a person was told in the inbox, in order."""
    mine = [m for m in messages(db) if f"{user} system" in (m["told"] or ())]
    return [(m["type"], m["reason"], m["severity"]) for m in mine]


def replan(db: Connection, task: int, end: date) -> None:
    db.execute(text("update erp.ecn_tasks set planned_end = :end where id = :id"), {"end": end, "id": task})


def spoil(erp: Erp, day: date) -> str:
    erp.ecn_evaluation(created_at=ago(days=9), due_at=ago(days=10))
    return "ECN_EVALUATION"


CASES = [
    AlertJob(
        ID, "ECN_OVERDUE", clock="09:00",
        violate=lambda erp, day: erp.ecn_task(planned_end=day - timedelta(days=1)),
        clear=lambda db, task: replan(db, task, TODAY + timedelta(days=30)),
        worsen=lambda db, task: replan(db, task, TODAY - timedelta(days=4)),
        spoil=spoil,
        multiply=copies_of(tables.ecn_tasks, "task_name"),
    ),
]  # fmt: skip


def test_an_evaluation_of_three_days_is_in_time_and_an_hour_later_it_is_not(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    erp.ecn_evaluation(created_at=ago(days=3))
    late = erp.ecn_evaluation(created_at=ago(days=3, hours=1))
    perform(ID, at())
    assert levels(db) == {("ECN_EVALUATION", late): "WARNING"}


@pytest.mark.parametrize("status", ["COMPLETED", "CLOSED", "CANCELLED", "REJECTED"])
def test_of_an_ecn_that_is_over_nothing_is_alerted(status: str, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    ecn = erp.ecn(status=status)
    erp.ecn_evaluation(ecn_id=ecn)
    erp.ecn_approval(ecn_id=ecn)
    erp.ecn_task(ecn_id=ecn, planned_end=date(2026, 1, 1))
    answer = perform(ID, at())
    assert (levels(db), overdue_approvals(db), answer["counters"]["checked"]) == ({}, {}, 0)


def test_evaluations_and_approvals_have_the_level_of_the_rule(db: Connection, perform: Perform) -> None:
    erp, expected = Erp(db), {}
    for minutes, level in WAITING:
        due = ago(minutes=minutes)
        expected["ECN_EVALUATION", erp.ecn_evaluation(created_at=due - timedelta(days=1), due_at=due)] = level
        expected["ECN_EVALUATION", erp.ecn_evaluation(created_at=due - timedelta(days=3))] = level
        expected["ECN_APPROVAL", erp.ecn_approval(created_at=due - timedelta(days=1), due_at=due)] = level
        expected["ECN_APPROVAL", erp.ecn_approval(created_at=due - timedelta(days=3))] = level
    perform(ID, at())
    found = levels(db)
    assert {item: found.get(item) for item in expected} == expected


def test_tasks_have_the_level_of_the_rule(db: Connection, perform: Perform) -> None:
    erp, expected = Erp(db), {}
    for days, level in TASKS:
        for status in ("PENDING", "IN_PROGRESS"):
            task = erp.ecn_task(planned_end=TODAY - timedelta(days=days), status=status)
            expected["ECN_TASK", task] = level
    perform(ID, at())
    found = levels(db)
    assert {item: found.get(item) for item in expected} == expected


def test_what_is_done_does_not_wait(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    erp.ecn_evaluation(status="COMPLETED")
    erp.ecn_approval(status="APPROVED")
    erp.ecn_task(status="COMPLETED", planned_end=date(2026, 1, 1))
    perform(ID, at())
    assert levels(db) == {}


def test_an_evaluation_an_approval_and_a_task_of_one_number_have_alerts_of_their_own(
    db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    items = [
        ("ECN_EVALUATION", erp.ecn_evaluation()), ("ECN_APPROVAL", erp.ecn_approval()),
        ("ECN_TASK", erp.ecn_task(planned_end=TODAY - timedelta(days=1))),
    ]  # fmt: skip
    assert {number for _, number in items} == {1}
    perform(ID, at())
    assert levels(db).keys() == set(items)
    # The evaluation cannot be judged any more, the approval is done: only the approval's alert ends.
    db.execute(text("update erp.ecn_evaluations set due_at = created_at - interval '1 hour'"))
    db.execute(text("update erp.ecn_approvals set status = 'APPROVED'"))
    assert perform(ID, at(1))["state"] == "partial"
    assert levels(db).keys() == {("ECN_EVALUATION", 1), ("ECN_TASK", 1)}


def test_an_overdue_approval_is_remembered_and_forgotten_when_it_is_not_overdue_any_more(
    db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    late, moved, done = (erp.ecn_approval(created_at=ago(days=9), due_at=ago(days=2)) for _ in range(3))
    erp.ecn_approval(created_at=ago(days=1))
    usual = erp.ecn_approval(created_at=ago(days=5))
    assert perform(ID, at())["counters"]["approvals_overdue"] == 4
    assert overdue_approvals(db) == {late: ago(days=2), moved: ago(days=2), done: ago(days=2), usual: ago(days=2)}
    db.execute(text("update erp.ecn_approvals set due_at = now() + interval '10 years' where id = :id"), {"id": moved})
    db.execute(text("update erp.ecn_approvals set status = 'APPROVED' where id = :id"), {"id": done})
    counters = perform(ID, at(0), kind="manual")["counters"]
    assert (counters["approvals_overdue"], counters["approvals_in_time"]) == (0, 2)
    assert overdue_approvals(db).keys() == {late, usual}


def test_a_second_run_of_the_same_state_writes_nothing(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    for _ in range(2):
        erp.ecn_approval()
        erp.ecn_evaluation()
    perform(ID, at())
    kept = lambda: {k: v for k, v in everything(db).items() if k.endswith(("approval_overdue", "alert_records", "notifications"))}  # noqa: E731
    before = kept()
    perform(ID, at(), kind="manual")
    assert kept() == before


@pytest.mark.parametrize(
    ("make", "named", "otherwise"),
    [("ecn_evaluation", "evaluator_id", "applicant"), ("ecn_approval", "approver_id", "role"),
     ("ecn_task", "assignee_id", "applicant")],
)  # fmt: skip
@pytest.mark.parametrize("is_named", [True, False])
def test_who_is_asked_is_told_or_whoever_stands_in(
    make: str, named: str, otherwise: str, is_named: bool, db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    people = {"asked": erp.user("罗敏"), "applicant": erp.user("周婷"), "role": erp.user("梁伟", roles=["QA"])}
    manager = erp.user("李强")
    ecn = erp.ecn(applicant_id=people["applicant"], project_id=erp.project(pm_id=manager))
    columns: dict[str, Any] = {"ecn_id": ecn, named: people["asked"] if is_named else None}
    columns |= {"planned_end": TODAY - timedelta(days=2)} if make == "ecn_task" else {"created_at": ago(days=5)}
    getattr(erp, make)(**columns)
    perform(ID, at())
    right = people["asked" if is_named else otherwise]
    assert {user: told(db, user) for user in (*people.values(), manager)} == {
        user: [("ECN_OVERDUE", "NEW", "WARNING")] if user == right else [] for user in (*people.values(), manager)
    }


def test_from_critical_on_the_project_manager_is_told_too(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    manager = erp.user("李强")
    erp.ecn_task(planned_end=TODAY - timedelta(days=3), ecn_id=erp.ecn(project_id=erp.project(pm_id=manager)))
    perform(ID, at())
    assert told(db, manager) == []
    perform(ID, at(1))
    assert told(db, manager) == [("ECN_OVERDUE", "UPGRADED", "CRITICAL")]


def test_a_person_is_reminded_once_a_day_of_all_that_waits(db: Connection, perform: Perform) -> None:
    """Upstream repeated every finding at every run."""
    erp = Erp(db)
    person = erp.user("梁伟", roles=["QA"])
    ecn = erp.ecn(ecn_no="ECN-7")
    erp.ecn_task(ecn_id=ecn, assignee_id=person, planned_end=TODAY - timedelta(days=1), task_name="改图")
    erp.ecn_approval(ecn_id=ecn, approver_id=None, created_at=ago(days=4, hours=1))
    perform(ID, at())
    assert [kind for kind, *_ in told(db, person)] == ["ECN_OVERDUE"] * 2
    for day in (1, 1, 2):
        perform(ID, at(day), kind="manual")
    said = [m for m in messages(db) if m["type"] == "ECN_OVERDUE_ALERT"]
    assert [(m["dedupe_key"], m["severity"]) for m in said] == [
        (f"ECN_OVERDUE_ALERT|{TODAY + timedelta(days=day)}|USER:{person}", "WARNING") for day in (1, 2)
    ]
    assert (said[0]["facts"]["count"], said[0]["facts"]["urgent"]) == (2, 0)
    assert {(item["kind"], item["days_overdue"]) for item in said[0]["facts"]["items"]} == {("TASK", 2), ("APPROVAL", 2)}


def test_over_seven_days_the_reminder_is_louder(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    person = erp.user("陈伟")
    erp.ecn_task(assignee_id=person, planned_end=TODAY - timedelta(days=8))
    perform(ID, at())
    perform(ID, at(1))
    assert told(db, person) == [("ECN_OVERDUE", "NEW", "URGENT"), ("ECN_OVERDUE_ALERT", "REMINDER", "CRITICAL")]


@pytest.mark.parametrize("change", ["status = 'IGNORED', mute_until = '2026-03-20'", "status = 'RESOLVED'"])
def test_what_is_muted_or_over_is_not_reminded_of(change: str, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    person = erp.user("陈伟")
    task = erp.ecn_task(assignee_id=person, planned_end=TODAY - timedelta(days=1))
    perform(ID, at())
    db.execute(text(f"update belfry.alert_records set {change}"))
    db.execute(text("update erp.ecn_tasks set status = 'COMPLETED' where id = :id"), {"id": task})
    perform(ID, at(1))
    assert [kind for kind, *_ in told(db, person)] == ["ECN_OVERDUE"]


@pytest.mark.parametrize("gone", [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}])
def test_nobody_is_told_of_a_project_that_is_over(gone: dict[str, Any], db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    erp.ecn_approval(ecn_id=erp.ecn(project_id=project))
    perform(ID, at())
    db.execute(tables.projects.update().values(**gone).where(tables.projects.c.id == project))
    perform(ID, at(1))
    assert [alert["status"] for alert in alerts(db)] == ["EXPIRED"]
    assert overdue_approvals(db) == {}


def test_an_ecn_without_a_project_is_alerted_too(db: Connection, perform: Perform) -> None:
    Erp(db).ecn_task(ecn_id=Erp(db).ecn(project_id=None), planned_end=TODAY - timedelta(days=9))
    perform(ID, at())
    assert list(levels(db).values()) == ["URGENT"]


def test_a_task_without_a_planned_end_is_counted(db: Connection, perform: Perform) -> None:
    Erp(db).ecn_task(planned_end=None)
    counters = perform(ID, at())["counters"]
    assert (counters["checked"], counters["no_planned_end"], counters["violations"]) == (1, 1, 0)


def test_an_operators_thresholds_are_the_ones_that_count(db: Connection, perform: Perform) -> None:
    evaluation = Erp(db).ecn_evaluation(created_at=ago(days=3))
    perform(ID, at(), params={"usual_days": 1, "critical_days": 2, "urgent_days": 3}, kind="manual")
    assert levels(db) == {("ECN_EVALUATION", evaluation): "CRITICAL"}


def test_the_alert_says_what_waits_for_whom_and_since_when(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(project_code="PJ-9", project_name="包装线")
    ecn = erp.ecn(ecn_no="ECN-9", ecn_title="改用国产气缸", project_id=project)
    erp.role("QA", role_name="质量")
    row = erp.ecn_approval(
        ecn_id=ecn, approver_id=erp.user("高翔"), created_at=ago(days=9), due_at=ago(days=5), approval_level=2
    )
    perform(ID, at())
    (alert,) = alerts(db)
    assert (alert["target_no"], alert["project_id"], alert["trigger_value"], alert["threshold_value"]) == (
        f"ECN-9/A{row}", project, 5, 4,
    )  # fmt: skip
    facts = alert["facts"]
    assert datetime.fromisoformat(facts.pop("due_at")).astimezone(UTC) == ago(days=5)
    assert facts == {
        "kind": "APPROVAL", "ecn_no": "ECN-9", "ecn_title": "改用国产气缸", "what": "质量", "approval_level": 2, "person": "高翔",
        "due_on": None, "days_overdue": 5, "project_code": "PJ-9", "project_name": "包装线",
    }  # fmt: skip
