"""Blocking issues are alerted by their hours, and the projects they block change colour in the same run."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import Erp
from tests.shared.rules.issue_cases import BLOCKING

ID = "check_blocking_issues"
NOW = datetime(2026, 3, 2, 9, 5, tzinfo=ZoneInfo("Asia/Shanghai"))
AT = "2026-03-02T09:05+08:00"


def blocking(erp: Erp, since: timedelta = timedelta(hours=1), **columns: Any) -> int:
    return erp.issue(**{"is_blocking": True, "created_at": NOW - since, **columns})


def from_day(erp: Erp, day: date) -> int:
    """An issue raised in the first minute of that day."""
    return erp.issue(is_blocking=True, created_at=datetime.combine(day, time(0, 1), NOW.tzinfo))


def change(db: Connection, issue: int, **columns: Any) -> None:
    db.execute(tables.issues.update().values(**columns).where(tables.issues.c.id == issue))


def spoil(erp: Erp, day: date) -> str:
    blocking(erp, closed_at=datetime(2026, 2, 27, 8, tzinfo=UTC))
    return "ISSUE"


def colours(db: Connection, project: int) -> tuple[str, str]:
    """As the company's system shows it and as Belfry keeps it."""
    return tuple(
        db.execute(
            text("""select p.health, h.health as kept from erp.projects p join belfry.project_health h on h.project_id = p.id
                    where p.id = :id"""),
            {"id": project},
        ).one()
    )


CASES = [
    AlertJob(
        ID, "BLOCKING_ISSUE", clock="09:05",
        violate=from_day,
        clear=lambda db, issue: change(db, issue, status="RESOLVED"),
        worsen=lambda db, issue: change(db, issue, created_at=NOW - timedelta(hours=24)),
        spoil=spoil,
        multiply=copies_of(tables.issues, "issue_no"),
    ),
]  # fmt: skip


def test_the_job_gives_every_case_the_level_of_the_rule(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    expected = {blocking(erp, timedelta(minutes=minutes)): level for minutes, level in BLOCKING}
    perform(ID, AT)
    assert {alert["target_id"]: alert["base_level"] for alert in alerts(db)} == expected


@pytest.mark.parametrize(
    ("columns", "raised"),
    [
        ({"is_blocking": False, "issue_type": "BLOCKER"}, 1), ({"is_blocking": True, "issue_type": "RISK"}, 1),
        ({"is_blocking": False, "issue_type": "DEFECT"}, 0), ({"status": "PROCESSING"}, 1), ({"status": "RESOLVED"}, 0),
        ({"status": "DEFERRED"}, 0), ({"status": "DELETED"}, 0), ({"created_at": NOW + timedelta(minutes=1)}, 0),
    ],
)  # fmt: skip
def test_flag_or_type_of_an_open_issue_makes_it_blocking(
    columns: dict[str, Any], raised: int, db: Connection, perform: Perform
) -> None:
    blocking(Erp(db), **columns)
    perform(ID, AT)
    assert len(alerts(db)) == raised


def test_two_new_blocking_issues_in_one_run_get_alerts_of_their_own(db: Connection, perform: Perform) -> None:
    for _ in range(2):
        blocking(Erp(db))
    assert perform(ID, AT)["counters"]["created"] == 2


def test_pmo_is_told_from_critical_on(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    assignee, manager, pmo, reporter = (
        erp.user("陈伟"),
        erp.user("李强"),
        erp.user("何静", roles=["PMO"]),
        erp.user("周婷"),
    )
    people = {"assignee_id": assignee, "reporter_id": reporter, "project_id": erp.project(pm_id=manager)}
    young = blocking(erp, timedelta(hours=23), **people)
    old = blocking(erp, timedelta(hours=24), **people)
    perform(ID, AT)
    inbox = {alert["target_id"]: set() for alert in alerts(db)}
    targets = {alert["id"]: alert["target_id"] for alert in alerts(db)}
    for message in messages(db):
        inbox[targets[message["alert_id"]]] |= {
            int(told.split()[0]) for told in message["told"] if told.endswith("system")
        }
    assert inbox == {young: {assignee, manager}, old: {assignee, manager, pmo}}


def test_an_issue_without_a_project_is_told_to_assignee_and_reporter(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    assignee, reporter = erp.user("陈伟"), erp.user("周婷")
    blocking(erp, project_id=None, assignee_id=assignee, reporter_id=reporter)
    perform(ID, AT)
    (alert,) = alerts(db)
    assert (alert["project_id"], alert["recipients"]) == (None, [f"USER:{assignee}", f"USER:{reporter}"])


def test_an_issue_that_nobody_works_on_is_told_to_its_reporter(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    manager, reporter = erp.user("李强"), erp.user("周婷")
    blocking(erp, project_id=erp.project(pm_id=manager), assignee_id=None, reporter_id=reporter)
    perform(ID, AT)
    assert alerts(db)[0]["recipients"] == [f"USER:{reporter}", f"USER:{manager}"]


def test_the_alert_changes_once_a_day_not_every_hour(db: Connection, perform: Perform) -> None:
    blocking(Erp(db), timedelta(hours=30))
    perform(ID, AT)
    (first,) = alerts(db)
    assert (first["trigger_value"], first["threshold_value"]) == (24, 24)
    assert {key: first["facts"][key] for key in ("since", "days_blocked")} == {
        "since": "2026-02-28T19:05:00+00:00",
        "days_blocked": 1,
    }
    perform(ID, "2026-03-02T10:05+08:00")
    assert alerts(db) == [first]
    perform(ID, "2026-03-03T09:05+08:00")
    assert alerts(db)[0]["facts"]["days_blocked"] == 2


def test_the_project_turns_red_in_the_same_run(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    blocking(erp, project_id=project, issue_no="IS-7")
    counters = perform(ID, AT)["counters"]
    assert (counters["projects_checked"], counters["projects_coloured"]) == (1, 1)
    assert colours(db, project) == ("H3", "H3")
    (reason,) = db.execute(text("select reasons from belfry.project_health")).scalar_one()
    assert (reason["code"], reason["count"], reason["sample"][0]["name"]) == ("ISSUE_BLOCKING", 1, "IS-7")


@pytest.mark.parametrize("relief", [{"is_blocking": False}, {"status": "RESOLVED"}, {"status": "CANCELLED"}])
def test_the_project_recovers_in_the_run_that_sees_the_block_gone(
    relief: dict[str, Any], db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    project = erp.project()
    issue = blocking(erp, project_id=project)
    perform(ID, AT)
    change(db, issue, **relief)
    perform(ID, "2026-03-02T10:05+08:00")
    assert [alert["status"] for alert in alerts(db)] == ["RESOLVED"]
    assert colours(db, project) == ("H1", "H1")
    logged = db.execute(text("select old_health, new_health from belfry.project_status_logs order by id")).all()
    assert [tuple(row) for row in logged] == [("H1", "H3"), ("H3", "H1")]


def test_projects_that_no_issue_blocks_are_left_alone(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    erp.project(status="ST14")
    blocking(erp, project_id=erp.project(is_archived=True))
    assert perform(ID, AT)["counters"]["projects_checked"] == 0
    assert db.execute(text("select health from erp.projects order by id")).scalars().all() == ["H1", "H1"]
