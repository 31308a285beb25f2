"""Milestones that come soon are alerted while their work is behind, louder when something stands in the way."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp import side_tables, tables
from tests.acceptance.cases import AlertJob
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import TODAY, Erp
from tests.shared.rules import milestone_risk_cases

ID = "check_milestone_risk_alerts"
AT = "2026-03-02T08:10+08:00"


def at_risk(erp: Erp, days: int, *, first: date = TODAY, done: int = 0, todo: int = 1, **columns: Any) -> int:
    """A milestone so many days ahead with tasks done and still to do."""
    project = columns.pop("project_id", None) or erp.project()
    milestone = erp.milestone(planned_date=first + timedelta(days=days), project_id=project, **columns)
    for number in range(done + todo):
        erp.task(project_id=project, milestone_id=milestone, status="DONE" if number < done else "TODO")
    return milestone


def change(db: Connection, milestone: int, **columns: Any) -> None:
    table = tables.project_milestones
    db.execute(table.update().values(**columns).where(table.c.id == milestone))


def shortage(erp: Erp, project: int, required: date | None, **columns: Any) -> None:
    row = {"required_qty": 2, "available_qty": 0, "shortage_qty": 2, "status": "OPEN", **columns}
    erp.conn.execute(side_tables.material_shortages.insert().values(
        project_id=project, material_id=erp.material(), required_date=required, **row))  # fmt: skip


def _multiply(db: Connection, milestone: int, n: int) -> None:
    db.execute(text("""with made as (
          insert into erp.project_milestones (project_id, milestone_code, milestone_name, planned_date, owner_id)
          select project_id, milestone_code || '-' || c || '-' || g, milestone_name, planned_date, owner_id
          from erp.project_milestones, (select count(*) as c from erp.project_milestones) o, generate_series(1, :n) g where id = :id
          returning id, project_id)
        insert into erp.project_tasks (project_id, milestone_id, task_name, status, owner_id)
        select made.project_id, made.id, t.task_name, t.status, t.owner_id from made, erp.project_tasks t where t.milestone_id = :id"""),
        {"n": n, "id": milestone})  # fmt: skip


CASES = [
    AlertJob(
        ID, "MILESTONE_RISK", clock="08:10",
        violate=lambda erp, day: at_risk(erp, 7, first=day),
        clear=lambda db, milestone: db.execute(text("update erp.project_tasks set status = 'DONE' where milestone_id = :m"), {"m": milestone}),
        worsen=lambda db, milestone: change(db, milestone, planned_date=TODAY + timedelta(days=3)),
        multiply=_multiply,
        reasons={"a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
                 "all can be judged: a milestone is judged by its date and the states of its tasks, which the contract gives no null; a weight that says nothing counts one"},
    )
]  # fmt: skip


def levels(db: Connection) -> dict[int, str]:
    return {alert["target_id"]: alert["base_level"] for alert in alerts(db) if alert["status"] == "PENDING"}


def test_the_job_gives_every_case_the_level_of_the_rule(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    expected = {}
    for days, is_key, tasks, hindered, level in milestone_risk_cases.CASES:
        project = erp.project()
        milestone = erp.milestone(planned_date=TODAY + timedelta(days=days), project_id=project, is_key=is_key, owner_id=None)
        expected[milestone] = level
        for status, weight in tasks:
            erp.task(project_id=project, milestone_id=milestone, status=status, weight=Decimal(weight))
        if hindered:
            erp.issue(project_id=project, is_blocking=True)
    perform(ID, AT)
    found = levels(db)
    assert {milestone: found.get(milestone) for milestone in expected} == expected


# ---------------------------------------------------------------- 9.2
def test_eighty_percent_done_is_no_risk_and_seventy_nine_point_nine_is(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    found = {}
    for share in ("80", "79.9"):
        found[share] = erp.milestone(planned_date=TODAY + timedelta(days=5), project_id=project)
        for status, weight in (("DONE", Decimal(share)), ("TODO", 100 - Decimal(share))):
            erp.task(project_id=project, milestone_id=found[share], status=status, weight=weight)
    perform(ID, AT)
    assert levels(db) == {found["79.9"]: "WARNING"}


@pytest.mark.parametrize(("days", "level"), [(3, "CRITICAL"), (4, "WARNING")])
def test_three_days_left_are_critical(days: int, level: str, db: Connection, perform: Perform) -> None:
    milestone = at_risk(Erp(db), days)
    perform(ID, AT)
    assert levels(db) == {milestone: level}


def test_an_overdue_milestone_belongs_to_the_other_alert(db: Connection, perform: Perform) -> None:
    milestone = at_risk(Erp(db), 0)
    perform(ID, AT)
    assert levels(db) == {milestone: "CRITICAL"}
    perform(ID, "2026-03-03T08:10+08:00")
    assert [alert["status"] for alert in alerts(db)] == ["RESOLVED"]


# ---------------------------------------------------------------- what raises the level
@pytest.mark.parametrize("what", ["task", "issue", "blocker", "shortage", "all"])
def test_anything_in_the_way_raises_by_one_level_and_is_listed(what: str, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    milestone = at_risk(erp, 5, project_id=project)
    codes = []
    if what in ("task", "all"):
        erp.task(project_id=project, milestone_id=milestone, status="BLOCKED")
        codes.append("TASK_BLOCKED")
    if what in ("issue", "blocker", "all"):
        erp.issue(project_id=project, **({"issue_type": "BLOCKER"} if what == "blocker" else {"is_blocking": True}))
        codes.append("ISSUE_BLOCKING")
    if what in ("shortage", "all"):
        shortage(erp, project, TODAY + timedelta(days=4), status="HANDLING")
        codes.append("SHORTAGE")
    perform(ID, AT)
    (alert,) = alerts(db)
    assert (alert["base_level"], [reason["code"] for reason in alert["facts"]["reasons"]]) == ("CRITICAL", codes)


def test_what_does_not_stand_in_the_way_does_not_raise(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    milestone = at_risk(erp, 5, project_id=project)
    erp.task(project_id=project, status="BLOCKED")  # of no milestone
    erp.issue(project_id=project, is_blocking=True, status="RESOLVED")
    erp.issue(project_id=project, priority="URGENT")
    erp.issue(is_blocking=True)  # of another project
    shortage(erp, project, TODAY + timedelta(days=5))  # with the milestone, not before it
    shortage(erp, project, None)
    shortage(erp, project, TODAY, status="RESOLVED")
    perform(ID, AT)
    assert levels(db) == {milestone: "WARNING"}
    assert alerts(db)[0]["facts"]["reasons"] == []


def test_blocked_work_alone_is_no_risk_once_enough_is_done(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    milestone = at_risk(erp, 2, done=4, todo=0, project_id=project)
    erp.task(project_id=project, milestone_id=milestone, status="BLOCKED")
    perform(ID, AT)
    assert alerts(db) == []


# ---------------------------------------------------------------- which milestones
@pytest.mark.parametrize("columns", [
    {"status": "COMPLETED"}, {"status": "CANCELLED"}, {"actual_date": TODAY - timedelta(days=1)},
])  # fmt: skip
def test_finished_milestones_are_silent(columns: dict[str, Any], db: Connection, perform: Perform) -> None:
    at_risk(Erp(db), 2, **columns)
    perform(ID, AT)
    assert alerts(db) == []


@pytest.mark.parametrize("gone", [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}], ids=str)
def test_the_alert_expires_with_its_project(gone: dict[str, Any], db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    at_risk(erp, 5, project_id=project)
    at_risk(erp, 5, project_id=erp.project(**gone))
    perform(ID, AT)
    assert [alert["project_id"] for alert in alerts(db)] == [project]
    db.execute(tables.projects.update().values(**gone).where(tables.projects.c.id == project))
    perform(ID, "2026-03-03T08:10+08:00")
    assert [alert["status"] for alert in alerts(db)] == ["EXPIRED"]


def test_a_milestone_that_is_replanned_resolves(db: Connection, perform: Perform) -> None:
    milestone = at_risk(Erp(db), 5)
    perform(ID, AT)
    change(db, milestone, planned_date=TODAY + timedelta(days=40))
    perform(ID, "2026-03-03T08:10+08:00")
    assert [alert["status"] for alert in alerts(db)] == ["RESOLVED"]


# ---------------------------------------------------------------- people and facts
def test_owner_manager_and_in_the_inbox_those_whose_tasks_are_unfinished_are_told(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    owner, manager, one, two, done = (erp.user(wechat_userid=f"u{number}") for number in range(5))
    project = erp.project(pm_id=manager)
    milestone = at_risk(erp, 2, todo=0, owner_id=owner, project_id=project)
    for person, status in ((one, "TODO"), (one, "BLOCKED"), (two, "IN_PROGRESS"), (done, "DONE"), (owner, "TODO"), (manager, "TODO")):
        erp.task(project_id=project, milestone_id=milestone, owner_id=person, status=status, task_name=f"{person} {status}", plan_end=TODAY)
    for _ in range(2):
        perform(ID, AT, kind="manual")
    loud, *quiet = messages(db)
    assert {told.split()[0] for told in loud["told"]} == {str(owner), str(manager)}
    assert {told.split()[1] for told in loud["told"]} >= {"system", "email", "wechat"}
    assert [told for m in quiet for told in m["told"]] == [f"{one} system", f"{two} system"]
    assert quiet[0]["facts"]["own_count"] == 2
    assert quiet[0]["facts"]["own_tasks"][0] == {"name": f"{one} TODO", "plan_end": "2026-03-02", "blocked": False}


def test_task_owners_are_told_again_when_the_level_rises_and_not_while_the_rule_is_off(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    person = erp.user()
    milestone = at_risk(erp, 4)
    db.execute(text("update erp.project_tasks set owner_id = :u"), {"u": person})
    perform(ID, AT)
    perform(ID, "2026-03-03T08:10+08:00")
    assert [m["facts"]["level"] for m in messages(db) if m["reason"] == "REMINDER"] == ["WARNING", "CRITICAL"]
    db.execute(text("update belfry.alert_rules set is_enabled = false where rule_code = 'MILESTONE_RISK'"))
    erp.task(milestone_id=milestone, owner_id=erp.user(), status="TODO")
    told = len(messages(db))
    perform(ID, "2026-03-04T08:10+08:00")
    assert len(messages(db)) == told


def test_the_alert_says_how_much_is_done(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(project_code="PJ-9", project_name="包装线")
    at_risk(erp, 6, done=1, todo=2, project_id=project, milestone_code="MS-9", milestone_name="出厂验收", owner_id=erp.user("赵敏"), is_key=True)
    perform(ID, AT)
    (alert,) = alerts(db)
    assert (alert["target_no"], alert["trigger_value"], alert["threshold_value"]) == ("MS-9", Decimal("33.3"), 80)
    assert alert["facts"] == {
        "planned_date": "2026-03-08", "days_left": 6, "is_key": True, "owner": "赵敏", "project_code": "PJ-9", "project_name": "包装线",
        "tasks": 3, "done": 1, "done_percent": 33.3, "min_done_percent": 80, "reasons": [],
    }  # fmt: skip


def test_near_milestones_are_counted_and_those_without_tasks(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    at_risk(erp, 1)
    at_risk(erp, 1, todo=0)
    at_risk(erp, 9)
    counters = perform(ID, AT)["counters"]
    assert (counters["checked"], counters["without_tasks"], counters["violations"]) == (2, 1, 1)


def test_a_task_of_another_project_counts_and_is_a_data_defect(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    milestone = at_risk(erp, 5, done=4, todo=0, milestone_code="MS-7")
    task = erp.task(milestone_id=milestone, status="DONE")
    answer = perform(ID, AT)
    assert (answer["state"], answer["counters"]["data_defects"], alerts(db)) == ("succeeded", 1, [])
    item = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert (item.item_type, item.item_key, item.status) == ("PROJECT_TASK", str(task), "defect")
    assert item.error.startswith("is linked to milestone MS-7 of project PJ-")
