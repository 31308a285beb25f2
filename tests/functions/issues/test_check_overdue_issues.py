"""Overdue issues are alerted by their days, told once a day, and fall silent by themselves."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import TODAY, Erp
from tests.shared.rules.issue_cases import OVERDUE

ID = "check_overdue_issues"


def overdue(erp: Erp, days: int = 1, *, on: date = TODAY, **columns: Any) -> int:
    return erp.issue(due_date=on - timedelta(days=days), **columns)


def levels(db: Connection) -> list[str]:
    return [alert["base_level"] for alert in alerts(db)]


def told(db: Connection, user: int) -> list[str]:
    """Why a person was told something in the inbox, in order."""
    return [m["reason"] for m in messages(db) if f"{user} system" in (m["told"] or ())]


def redate(db: Connection, issue: int, due: date) -> None:
    db.execute(text("update erp.issues set due_date = :due where id = :id"), {"due": due, "id": issue})


def spoil(erp: Erp, day: date) -> str:
    overdue(erp, on=day, closed_at=datetime(2026, 2, 27, 8, tzinfo=UTC))
    return "ISSUE"


CASES = [
    AlertJob(
        ID, "ISSUE_OVERDUE", clock="09:00",
        violate=lambda erp, day: overdue(erp, on=day),
        clear=lambda db, issue: redate(db, issue, TODAY + timedelta(days=30)),
        worsen=lambda db, issue: redate(db, issue, TODAY - timedelta(days=3)),
        spoil=spoil,
        multiply=copies_of(tables.issues, "issue_no"),
    ),
]  # fmt: skip


def test_the_job_gives_every_case_the_level_of_the_rule(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    expected = {overdue(erp, days, priority=priority): level for days, priority, level in OVERDUE}
    perform(ID)
    found = {alert["target_id"]: alert["base_level"] for alert in alerts(db)}
    assert {issue: found.get(issue) for issue in expected} == expected


@pytest.mark.parametrize("status", ["RESOLVED", "CLOSED", "CANCELLED", "DEFERRED", "DELETED"])
def test_only_open_issues_are_overdue(status: str, db: Connection, perform: Perform) -> None:
    overdue(Erp(db), status=status)
    overdue(Erp(db), status="PROCESSING")
    perform(ID)
    assert levels(db) == ["INFO"]


def test_an_operators_thresholds_are_the_ones_that_count(db: Connection, perform: Perform) -> None:
    overdue(Erp(db), 2)
    perform(ID, params={"warning_days": 2, "critical_days": 4}, kind="manual")
    assert levels(db) == ["WARNING"]


def test_the_alert_says_what_why_and_by_when(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(project_code="PJ-9", project_name="包装线")
    issue = overdue(erp, 4, project_id=project, issue_no="IS-9", title="气缸漏气", assignee_id=erp.user("陈伟"))
    perform(ID)
    (alert,) = alerts(db)
    assert (alert["target_id"], alert["target_no"], alert["project_id"]) == (issue, "IS-9", project)
    assert (alert["trigger_value"], alert["threshold_value"]) == (4, 3)
    assert alert["facts"] == {
        "due_date": "2026-02-26", "days_overdue": 4, "priority": "MEDIUM", "severity": "MINOR", "assignee": "陈伟",
        "project_code": "PJ-9", "project_name": "包装线",
    }  # fmt: skip


def test_assignee_and_project_manager_are_told(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    manager, assignee, reporter = erp.user("李强"), erp.user("陈伟"), erp.user("周婷")
    overdue(erp, project_id=erp.project(pm_id=manager), assignee_id=assignee, reporter_id=reporter)
    perform(ID)
    assert (told(db, manager), told(db, assignee), told(db, reporter)) == (["NEW"], ["NEW"], [])


def test_without_an_assignee_the_reporter_is_told_instead(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    manager, reporter = erp.user("李强"), erp.user("周婷")
    overdue(erp, project_id=erp.project(pm_id=manager), assignee_id=None, reporter_id=reporter)
    perform(ID)
    assert (told(db, manager), told(db, reporter)) == (["NEW"], ["NEW"])


def test_a_manager_who_is_the_assignee_is_told_once(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    manager = erp.user("李强")
    overdue(erp, project_id=erp.project(pm_id=manager), assignee_id=manager)
    perform(ID)
    assert told(db, manager) == ["NEW"]


def test_an_issue_without_a_project_is_alerted_too(db: Connection, perform: Perform) -> None:
    overdue(Erp(db), project_id=None)
    perform(ID)
    assert [alert["project_id"] for alert in alerts(db)] == [None]


@pytest.mark.parametrize("gone", [{"is_active": False}, {"is_archived": True}])
def test_nobody_is_told_of_a_project_that_is_put_away(gone: dict[str, bool], db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    overdue(erp, project_id=project)
    perform(ID, "2026-03-02T09:00+08:00")
    db.execute(tables.projects.update().values(**gone).where(tables.projects.c.id == project))
    perform(ID, "2026-03-02T10:00+08:00")
    assert [alert["status"] for alert in alerts(db)] == ["EXPIRED"]


def test_ten_runs_a_day_are_one_message(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    assignee = erp.user("陈伟")
    overdue(erp, assignee_id=assignee)
    for hour in range(8, 18):
        perform(ID, f"2026-03-02T{hour:02}:00+08:00")
    assert told(db, assignee) == ["NEW"]
    for hour in range(10):
        perform(ID, f"2026-03-03T{hour:02}:00+08:00")
    assert told(db, assignee) == ["NEW", "REMINDER"]


def test_the_reminder_waits_for_the_first_run_at_or_after_eight(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    assignee = erp.user("陈伟")
    overdue(erp, assignee_id=assignee)
    perform(ID, "2026-03-02T09:00+08:00")
    perform(ID, "2026-03-03T07:00+08:00")
    assert told(db, assignee) == ["NEW"]
    perform(ID, "2026-03-03T11:00+08:00")
    assert told(db, assignee) == ["NEW", "REMINDER"]


def test_several_issues_of_one_person_are_one_reminder_that_lists_them(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    assignee, manager = erp.user("陈伟"), erp.user("李强")
    project = erp.project(pm_id=manager)
    for number, days in (("IS-A", 1), ("IS-B", 12), ("IS-C", 8)):
        overdue(erp, days, project_id=project, assignee_id=assignee, issue_no=number)
    perform(ID, "2026-03-02T09:00+08:00")
    perform(ID, "2026-03-03T09:00+08:00")
    reminders = {m["dedupe_key"]: m["facts"] for m in messages(db) if m["reason"] == "REMINDER"}
    assert set(reminders) == {f"ISSUE_OVERDUE|2026-03-03|USER:{user}" for user in (assignee, manager)}
    for facts in reminders.values():
        assert facts["count"] == 3
        assert [(item["target_no"], item["days_overdue"]) for item in facts["items"]] == [
            ("IS-B", 13),
            ("IS-C", 9),
            ("IS-A", 2),
        ]


def test_who_was_told_of_an_upgrade_today_is_not_reminded_of_it_as_well(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    assignee = erp.user("陈伟")
    overdue(erp, 2, assignee_id=assignee)
    perform(ID, "2026-03-02T09:00+08:00")
    perform(ID, "2026-03-03T00:00+08:00")
    perform(ID, "2026-03-03T09:00+08:00")
    assert told(db, assignee) == ["NEW", "UPGRADED"]


def test_an_acknowledged_issue_is_still_reminded_of_and_a_muted_one_is_not(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    taken, muted = erp.user("陈伟"), erp.user("刘洋")
    overdue(erp, assignee_id=taken)
    quiet = overdue(erp, assignee_id=muted)
    perform(ID, "2026-03-02T09:00+08:00")
    db.execute(text("update belfry.alert_records set status = 'ACKNOWLEDGED', acknowledged_by = 1"))
    db.execute(
        text("update belfry.alert_records set status = 'IGNORED', mute_until = '2026-03-09' where target_id = :id"),
        {"id": quiet},
    )
    perform(ID, "2026-03-03T09:00+08:00")
    assert (told(db, taken), told(db, muted)) == (["NEW", "REMINDER"], ["NEW"])


def test_a_rule_that_is_switched_off_reminds_nobody(db: Connection, perform: Perform) -> None:
    overdue(Erp(db))
    perform(ID, "2026-03-02T09:00+08:00")
    db.execute(text("update belfry.alert_rules set is_enabled = false"))
    perform(ID, "2026-03-03T09:00+08:00")
    assert [m["reason"] for m in messages(db)] == ["NEW"]


def test_somebody_who_left_is_not_reminded(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    manager = erp.user("李强")
    overdue(erp, assignee_id=erp.user("方婷", is_active=False), project_id=erp.project(pm_id=manager))
    perform(ID, "2026-03-02T09:00+08:00")
    perform(ID, "2026-03-03T09:00+08:00")
    assert [m["told"] for m in messages(db)] == [[f"{manager} system"]] * 2


def test_a_reopened_issue_is_judged_by_its_status(db: Connection, perform: Perform) -> None:
    overdue(Erp(db), resolved_at=datetime(2026, 2, 27, 8, tzinfo=UTC))
    assert perform(ID)["state"] == "succeeded"
    assert levels(db) == ["INFO"]
