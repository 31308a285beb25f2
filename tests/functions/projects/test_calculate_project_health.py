"""Project health is judged, saved where it changed, and told where it got worse."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import alerts, everything, messages
from tests.factories import TODAY, Erp

ID = "calculate_project_health"


def change(db: Connection, project: int, **columns: Any) -> None:
    db.execute(tables.projects.update().values(**columns).where(tables.projects.c.id == project))


CASES = [
    AlertJob(
        ID, "PROJECT_BLOCKED", clock="09:00",
        violate=lambda erp, day: erp.project(status="ST14"),
        clear=lambda db, project: change(db, project, status="ST08"),
        multiply=copies_of(tables.projects, "project_code"),
        reasons={
            "a_worse_level_upgrades_the_same_alert_and_tells_once": "one level: a red project is CRITICAL, nothing more or less",
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
                "all can be judged: contradictory dates are data defects, tested below",
            "the_business_day_begins_at_local_midnight":
                "proved by test_the_deadline_is_counted_from_the_local_day: no red reason depends on it, a yellow one does",
        },
    ),
]  # fmt: skip


def health(db: Connection, project: int) -> str:
    return str(db.execute(text("select health from erp.projects where id = :id"), {"id": project}).scalar_one())


def reasons(db: Connection, project: int) -> list[str]:
    listed = db.execute(text("select reasons from belfry.project_health where project_id = :id"), {"id": project})
    return [reason["code"] for reason in listed.scalar_one()]


def days(n: int) -> date:
    return TODAY + timedelta(days=n)


def test_a_closed_project_is_grey_whatever_blocks_it(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(status="ST30")
    erp.issue(project_id=project, is_blocking=True)
    perform(ID)
    assert (health(db, project), alerts(db)) == ("H4", [])


@pytest.mark.parametrize("gone", [{"is_active": False}, {"is_archived": True}])
def test_projects_that_are_put_away_are_not_judged(gone: dict[str, Any], db: Connection, perform: Perform) -> None:
    project = Erp(db).project(status="ST14", **gone)
    assert perform(ID)["counters"]["checked"] == 0
    assert health(db, project) == "H1"


def test_reasons_name_what_they_count_red_first(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(planned_start_date=days(-50), planned_end_date=days(50), progress_pct=Decimal("20.5"))
    numbers = [f"IS-{n}" for n in range(5)]
    for number in numbers:
        erp.issue(project_id=project, issue_no=number, is_blocking=True, priority="HIGH")
    perform(ID)
    stored = db.execute(text("select reasons from belfry.project_health")).scalar_one()
    assert [(r["code"], r["health"], r.get("count"), r.get("value")) for r in stored] == [
        ("ISSUE_BLOCKING", "H3", 5, None), ("ISSUE_URGENT", "H2", 5, None), ("VARIANCE", "H2", None, 29.5),
    ]  # fmt: skip
    assert [sample["name"] for sample in stored[0]["sample"]] == numbers[:3]


def test_a_run_that_finds_no_change_writes_nothing(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    erp.project(status="ST14")
    erp.project(status="ST22")
    erp.project()
    perform(ID, "2026-03-02T09:00+08:00")
    before = everything(db)
    perform(ID, "2026-03-02T10:00+08:00")
    changed = {name for name, checksum in everything(db).items() if checksum != before[name]}
    assert changed == {"belfry.job_executions", "belfry.job_summaries", "belfry.jobs", "belfry.alert_rules"}


def test_new_reasons_are_saved_and_only_a_new_colour_is_logged(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(status="ST14")
    perform(ID, "2026-03-02T09:00+08:00")
    erp.task(project_id=project, status="BLOCKED")
    answer = perform(ID, "2026-03-02T10:00+08:00")
    assert (answer["counters"]["projects_updated"], answer["counters"]["projects_coloured"]) == (1, 0)
    assert reasons(db, project) == ["STATUS", "TASK_BLOCKED"]
    (log,) = db.execute(text("select * from belfry.project_status_logs")).mappings()
    assert (log["change_type"], log["old_health"], log["new_health"], log["changed_by"]) == (
        "HEALTH_AUTO_CALCULATED",
        "H1",
        "H3",
        None,
    )
    assert [reason["code"] for reason in log["reasons"]] == ["STATUS"]


def test_red_is_told_to_manager_and_pmo(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    manager, pmo = erp.user("李强"), erp.user("何静", roles=["PMO"])
    erp.project(status="ST14", pm_id=manager)
    perform(ID)
    (message,) = messages(db)
    assert (message["type"], message["severity"]) == ("PROJECT_BLOCKED", "CRITICAL")
    assert {int(told.split()[0]) for told in message["told"]} == {manager, pmo}


def test_turning_yellow_reminds_the_manager_once_a_day(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    manager = erp.user("李强")
    project = erp.project(pm_id=manager, status="ST22")
    for hour, status in ((9, "ST22"), (10, "ST08"), (11, "ST22"), (12, "ST22")):
        change(db, project, status=status)
        perform(ID, f"2026-03-02T{hour:02}:00+08:00")
    (message,) = messages(db)
    assert (message["type"], message["reason"], message["told"]) == (
        "PROJECT_HEALTH_CHANGED",
        "REMINDER",
        [f"{manager} system"],
    )
    assert (message["facts"]["old_health"], message["facts"]["new_health"]) == ("H1", "H2")
    assert [reason["code"] for reason in message["facts"]["reasons"]] == ["STATUS"]


def test_red_that_turns_yellow_is_an_improvement_and_no_reminder(db: Connection, perform: Perform) -> None:
    project = Erp(db).project(status="ST14")
    perform(ID, "2026-03-02T09:00+08:00")
    change(db, project, status="ST22")
    perform(ID, "2026-03-02T10:00+08:00")
    assert [m["type"] for m in messages(db)] == ["PROJECT_BLOCKED"]
    assert [alert["status"] for alert in alerts(db)] == ["RESOLVED"]


def test_a_change_that_another_job_saved_is_told_as_well(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(status="ST22")
    issue = erp.issue(project_id=project, is_blocking=True, created_at="2026-03-01T00:00:00Z")
    db.execute(text("update erp.projects set status = 'ST08' where id = :id"), {"id": project})
    perform("check_blocking_issues", "2026-03-02T08:05+08:00")
    assert health(db, project) == "H3"
    perform(ID, "2026-03-02T09:00+08:00")
    assert [a["rule_code"] for a in alerts(db)] == ["BLOCKING_ISSUE", "PROJECT_BLOCKED"]
    db.execute(text("update erp.issues set status = 'CLOSED' where id = :id"), {"id": issue})
    perform("check_blocking_issues", "2026-03-02T09:05+08:00")
    perform(ID, "2026-03-02T10:00+08:00")
    assert [a["status"] for a in alerts(db)] == ["RESOLVED", "RESOLVED"]


def test_a_plan_that_contradicts_itself_is_listed_and_judged_without_its_variance(
    db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    backwards = erp.project(project_code="PJ-B", planned_start_date=days(90), planned_end_date=days(30), status="ST14")
    beyond = erp.project(project_code="PJ-C", progress_pct=130)
    assert perform(ID)["state"] == "succeeded"
    assert (health(db, backwards), health(db, beyond)) == ("H3", "H1")
    items = db.execute(text("select item_key, status, error from belfry.execution_items order by item_key")).all()
    assert [tuple(item) for item in items] == [
        ("PJ-B", "defect", f"planned end {days(30)} is before planned start {days(90)}"),
        ("PJ-C", "defect", "progress is 130.00 percent"),
    ]


def test_the_kit_rate_counts_when_an_operator_switches_it_on(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    orders = [
        erp.work_order(project_id=project),
        erp.work_order(project_id=project),
        erp.work_order(project_id=project, status="COMPLETED"),
    ]
    for order, day, fulfilled in (
        (orders[0], "2026-03-01", 10),
        (orders[0], "2026-03-02", 5),
        (orders[1], "2026-02-20", 4),
        (orders[2], "2026-03-02", 0),
    ):
        db.execute(
            text("""insert into belfry.kit_checks (work_order_id, check_date, check_time, total_items, fulfilled_items, in_transit_items,
                      shortage_items, kit_rate, kit_status) values (:order, :day, cast(:day as date), 10, :fulfilled, 0, 0, 10 * :fulfilled, 'PARTIAL')"""),
            {"order": order, "day": date.fromisoformat(day), "fulfilled": fulfilled},
        )
    perform(ID)
    assert health(db, project) == "H1"
    rule = {
        "deadline_days": 7,
        "variance_points": 10,
        "kit_rate_enabled": True,
        "kit_rate_blocked": 50,
        "kit_rate_at_risk": 70,
    }
    perform(ID, kind="manual", params={"health": rule})
    assert health(db, project) == "H3"
    ((code, value),) = [
        (r["code"], r["value"]) for r in db.execute(text("select reasons from belfry.project_health")).scalar_one()
    ]
    assert (code, value) == ("KIT_RATE", 45.0)


def test_the_deadline_is_counted_from_the_local_day(db: Connection, perform: Perform) -> None:
    project = Erp(db).project(planned_end_date=days(7), progress_pct=100)
    perform(ID, "2026-03-01T23:00+08:00")
    assert health(db, project) == "H1"
    perform(ID, "2026-03-02T00:00+08:00")
    assert health(db, project) == "H2"
