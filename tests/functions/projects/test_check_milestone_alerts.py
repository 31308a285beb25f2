"""Milestones are alerted before and after their date, each by one alert whose level moves."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import TODAY, Erp
from tests.shared.rules.milestone_cases import CASES as LEVELS

ID = "check_milestone_alerts"
AT = "2026-03-02T08:00+08:00"


def due_in(erp: Erp, days: int, **columns: Any) -> int:
    return erp.milestone(**{"planned_date": TODAY + timedelta(days=days), "is_key": True, **columns})


def change(db: Connection, milestone: int, **columns: Any) -> None:
    table = tables.project_milestones
    db.execute(table.update().values(**columns).where(table.c.id == milestone))


def spoil(erp: Erp, day: date) -> str:
    due_in(erp, 0, reminder_days=-5)
    return "MILESTONE"


CASES = [
    AlertJob(
        ID, "MILESTONE_DUE", clock="08:00",
        violate=lambda erp, day: erp.milestone(planned_date=day + timedelta(days=3), is_key=True),
        clear=lambda db, milestone: change(db, milestone, planned_date=TODAY + timedelta(days=60)),
        worsen=lambda db, milestone: change(db, milestone, planned_date=TODAY - timedelta(days=1)),
        spoil=spoil,
        multiply=copies_of(tables.project_milestones, "milestone_code"),
    ),
]  # fmt: skip


def test_the_job_gives_every_case_the_level_of_the_rule(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    shared = {"project_id": erp.project(), "owner_id": erp.user("赵敏")}
    expected = {
        due_in(erp, days, is_key=is_key, reminder_days=window, **shared): level for days, is_key, window, level in LEVELS
    }
    perform(ID, AT)
    found = {alert["target_id"]: alert["base_level"] for alert in alerts(db)}
    assert {milestone: found.get(milestone) for milestone in expected} == expected


@pytest.mark.parametrize(
    ("columns", "raised"),
    [
        ({"status": "IN_PROGRESS"}, 1),
        ({"status": "DELAYED"}, 1),
        ({"status": "COMPLETED"}, 0),
        ({"status": "CANCELLED"}, 0),
    ],
)
def test_finished_milestones_are_silent(columns: dict[str, Any], raised: int, db: Connection, perform: Perform) -> None:
    due_in(Erp(db), -2, **columns)
    perform(ID, AT)
    assert len(alerts(db)) == raised


@pytest.mark.parametrize(
    "gone", [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}], ids=str
)
def test_the_alert_expires_with_its_project(gone: dict[str, Any], db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    due_in(erp, -2, project_id=project)
    due_in(erp, -2, project_id=erp.project(**gone))
    perform(ID, AT)
    assert [alert["project_id"] for alert in alerts(db)] == [project]
    db.execute(tables.projects.update().values(**gone).where(tables.projects.c.id == project))
    perform(ID, "2026-03-03T08:00+08:00")
    assert [alert["status"] for alert in alerts(db)] == ["EXPIRED"]


def test_upcoming_and_overdue_are_one_alert_that_rises(db: Connection, perform: Perform) -> None:
    due_in(Erp(db), 2)
    for day in range(2, 14):
        perform(ID, f"2026-03-{day:02}T08:00+08:00")
    (alert,) = alerts(db)
    assert (alert["base_level"], alert["facts"]["days_late"]) == ("URGENT", 9)
    assert [m["severity"] for m in messages(db)] == ["WARNING", "CRITICAL", "URGENT"]


def test_owner_and_manager_are_told_and_pmo_once_it_is_overdue(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    owner, manager, pmo = erp.user("赵敏"), erp.user("李强"), erp.user("何静", roles=["PMO"])
    people = {"owner_id": owner, "project_id": erp.project(pm_id=manager)}
    near, late = due_in(erp, 1, is_key=False, **people), due_in(erp, -1, is_key=False, **people)
    perform(ID, AT)
    told = {m["alert_id"]: {int(t.split()[0]) for t in m["told"]} for m in messages(db)}
    ids = {alert["target_id"]: alert["id"] for alert in alerts(db)}
    assert told == {ids[near]: {owner, manager}, ids[late]: {owner, manager, pmo}}


def test_one_that_was_reached_but_left_open_counts_as_done_and_is_listed(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    due_in(erp, -2, actual_date=TODAY - timedelta(days=2), milestone_code="MS-7")
    answer = perform(ID, AT)
    assert (answer["state"], alerts(db)) == ("succeeded", [])
    (item,) = db.execute(text("select item_key, status, error from belfry.execution_items")).all()
    assert (item.status, item.error) == ("defect", "status is PENDING, but it was reached on 2026-02-28")
    assert "MS-7" in item.item_key


def test_a_date_that_somebody_expects_to_reach_it_on_does_not_silence_it(db: Connection, perform: Perform) -> None:
    due_in(Erp(db), -2, actual_date=TODAY + timedelta(days=1))
    perform(ID, AT)
    assert [alert["base_level"] for alert in alerts(db)] == ["CRITICAL"]


def test_the_alert_says_what_and_by_when(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(project_code="PJ-9", project_name="包装线")
    due_in(erp, -3, project_id=project, milestone_code="MS-9", milestone_name="出厂验收", owner_id=erp.user("赵敏"))
    perform(ID, AT)
    (alert,) = alerts(db)
    assert (alert["target_no"], alert["project_id"], alert["trigger_value"], alert["threshold_value"]) == (
        "MS-9",
        project,
        3,
        0,
    )
    assert alert["facts"] == {
        "planned_date": "2026-02-27", "days_late": 3, "is_key": True, "owner": "赵敏", "project_code": "PJ-9", "project_name": "包装线",
    }  # fmt: skip
