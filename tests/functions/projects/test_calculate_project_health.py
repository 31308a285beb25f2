"""Project health is judged, saved where it changed, and told where it got worse."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance import AlertJob, Promise, alerts, copies_of, everything, messages, promises, sentence
from tests.conftest import Perform
from tests.factories import TODAY, Erp

ID = "calculate_project_health"


def change(db: Connection, project: int, **columns: Any) -> None:
    db.execute(tables.projects.update().values(**columns).where(tables.projects.c.id == project))


JOB = AlertJob(
    ID, "PROJECT_BLOCKED", clock="09:00",
    violate=lambda erp, day: erp.project(status="ST14"),
    clear=lambda db, project: change(db, project, status="ST08"),
    multiply=copies_of(tables.projects, "project_code"),
    reasons={
        "a_worse_level_upgrades_the_same_alert_and_tells_once": "a red project is CRITICAL, nothing more or less",
        "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
            "every project can be judged; contradictory dates are data defects, tested below",
        "the_business_day_begins_at_local_midnight": "no red reason depends on the day; a yellow one is tested below",
    },
)  # fmt: skip


@pytest.mark.parametrize("promise", promises(JOB), ids=sentence)
def test_the_job_keeps_its_promise(promise: Promise, db: Connection, perform: Perform) -> None:
    promise(JOB, db, perform)


def health(db: Connection, project: int) -> str:
    return str(db.execute(text("select health from erp.projects where id = :id"), {"id": project}).scalar_one())


def reasons(db: Connection, project: int) -> list[str]:
    listed = db.execute(text("select reasons from belfry.project_health where project_id = :id"), {"id": project})
    return [reason["code"] for reason in listed.scalar_one()]


def shortage(db: Connection, project: int, base: str, level: str | None = None, status: str = "PENDING") -> None:
    """An alert of a material shortage, perhaps raised further because nobody handled it."""
    db.execute(
        text("""insert into belfry.alert_records (alert_no, rule_id, dedupe_key, target_type, project_id, base_level, alert_level,
                  triggered_at, level_changed_at, status, target_name)
                select 'AL-' || :base || '-' || :project, id, 'key-' || :base || :project, 'MATERIAL_SHORTAGE', :project, :base, :level,
                  '2026-03-01', '2026-03-01', :status, '直线导轨' from belfry.alert_rules where rule_code = 'MATERIAL_SHORTAGE'"""),
        {"project": project, "base": base, "level": level or base, "status": status},
    )


def days(n: int) -> date:
    return TODAY + timedelta(days=n)


FAR = {"planned_start_date": days(-10), "planned_end_date": days(90), "progress_pct": 100}
HALFWAY = {"planned_start_date": days(-50), "planned_end_date": days(50)}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({**FAR, "planned_end_date": days(7)}, "H2"), ({**FAR, "planned_end_date": days(8)}, "H1"),
        ({**FAR, "planned_end_date": days(-1)}, "H2"), ({**FAR, "planned_end_date": days(-300), "planned_start_date": days(-400)}, "H2"),
        ({**HALFWAY, "progress_pct": Decimal("40.0")}, "H1"), ({**HALFWAY, "progress_pct": Decimal("39.9")}, "H2"),
        ({"planned_start_date": days(30), "planned_end_date": days(90), "progress_pct": 0}, "H1"),
        ({"planned_start_date": None, "planned_end_date": None, "progress_pct": 0}, "H1"),
        ({"planned_start_date": days(-300), "planned_end_date": None, "progress_pct": 0}, "H1"),
        ({"planned_start_date": days(90), "planned_end_date": days(30), "progress_pct": 0}, "H1"),
        ({"planned_start_date": days(30), "planned_end_date": days(30), "progress_pct": 0}, "H1"),
        ({"status": "ST14"}, "H3"), ({"status": "ST19"}, "H3"), ({"status": "ST22"}, "H2"), ({"status": "ST26"}, "H2"),
        ({"status": "ST30"}, "H4"), ({"status": "ST99"}, "H4"), ({"health": "H4"}, "H4"), ({"health": "H3"}, "H1"),
    ],
)  # fmt: skip
def test_dates_progress_and_status_give_the_colour(
    columns: dict[str, Any], expected: str, db: Connection, perform: Perform
) -> None:
    project = Erp(db).project(**columns)
    perform(ID)
    assert health(db, project) == expected


@pytest.mark.parametrize(
    ("base", "level", "status", "expected"),
    [
        ("WARNING", "WARNING", "PENDING", "H2"), ("WARNING", "URGENT", "PENDING", "H2"), ("CRITICAL", "CRITICAL", "PENDING", "H3"),
        ("CRITICAL", "URGENT", "ACKNOWLEDGED", "H3"), ("URGENT", "URGENT", "PROCESSING", "H3"), ("INFO", "INFO", "PENDING", "H1"),
        ("CRITICAL", "CRITICAL", "RESOLVED", "H1"), ("CRITICAL", "CRITICAL", "IGNORED", "H1"),
    ],
)  # fmt: skip
def test_a_shortage_counts_by_its_data_not_by_how_late_it_is_handled(
    base: str, level: str, status: str, expected: str, db: Connection, perform: Perform
) -> None:
    project = Erp(db).project()
    shortage(db, project, base, level, status)
    perform(ID)
    assert health(db, project) == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"is_blocking": True}, "H3"), ({"issue_type": "BLOCKER"}, "H3"), ({"is_blocking": True, "status": "PROCESSING"}, "H3"),
        ({"is_blocking": True, "status": "RESOLVED"}, "H1"), ({"priority": "HIGH"}, "H2"), ({"priority": "URGENT"}, "H2"),
        ({"priority": "URGENT", "status": "CLOSED"}, "H1"), ({"priority": "MEDIUM"}, "H1"),
    ],
)  # fmt: skip
def test_open_issues_count(columns: dict[str, Any], expected: str, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    erp.issue(project_id=project, **columns)
    perform(ID)
    assert health(db, project) == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"is_key": True, "planned_date": days(-1)}, "H2"), ({"is_key": True, "planned_date": TODAY}, "H1"),
        ({"is_key": False, "planned_date": days(-30)}, "H1"), ({"is_key": True, "planned_date": days(-1), "status": "COMPLETED"}, "H1"),
        ({"is_key": True, "planned_date": days(-1), "status": "CANCELLED"}, "H1"),
        ({"is_key": True, "planned_date": days(-1), "actual_date": days(-1)}, "H1"),
    ],
)  # fmt: skip
def test_late_key_milestones_count(columns: dict[str, Any], expected: str, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    erp.milestone(project_id=project, **columns)
    perform(ID)
    assert health(db, project) == expected


def test_a_blocked_task_turns_a_project_red(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    erp.task(project_id=project, status="BLOCKED")
    perform(ID)
    assert (health(db, project), reasons(db, project)) == ("H3", ["TASK_BLOCKED"])


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
    project = erp.project(**{**HALFWAY, "progress_pct": Decimal("20.5")})
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
    assert (log["change_type"], log["old_health"], log["new_health"], log["changed_by"]) == ("HEALTH_AUTO_CALCULATED", "H1", "H3", None)
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
    assert (message["type"], message["reason"], message["told"]) == ("PROJECT_HEALTH_CHANGED", "REMINDER", [f"{manager} system"])
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


def test_a_plan_that_contradicts_itself_is_listed_and_judged_without_its_variance(db: Connection, perform: Perform) -> None:
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
    orders = [erp.work_order(project_id=project), erp.work_order(project_id=project), erp.work_order(project_id=project, status="COMPLETED")]
    for order, day, fulfilled in ((orders[0], "2026-03-01", 10), (orders[0], "2026-03-02", 5), (orders[1], "2026-02-20", 4), (orders[2], "2026-03-02", 0)):
        db.execute(
            text("""insert into belfry.kit_checks (work_order_id, check_date, check_time, total_items, fulfilled_items, in_transit_items,
                      shortage_items, kit_status) values (:order, :day, cast(:day as date), 10, :fulfilled, 0, 0, 'PARTIAL')"""),
            {"order": order, "day": date.fromisoformat(day), "fulfilled": fulfilled},
        )
    perform(ID)
    assert health(db, project) == "H1"
    rule = {"deadline_days": 7, "variance_points": 10, "kit_rate_enabled": True, "kit_rate_blocked": 50, "kit_rate_at_risk": 70}
    perform(ID, kind="manual", params={"health": rule})
    assert health(db, project) == "H3"
    ((code, value),) = [(r["code"], r["value"]) for r in db.execute(text("select reasons from belfry.project_health")).scalar_one()]
    assert (code, value) == ("KIT_RATE", 45.0)


def test_the_deadline_is_counted_from_the_local_day(db: Connection, perform: Perform) -> None:
    project = Erp(db).project(**{**FAR, "planned_end_date": days(7)})
    perform(ID, "2026-03-01T23:00+08:00")
    assert health(db, project) == "H1"
    perform(ID, "2026-03-02T00:00+08:00")
    assert health(db, project) == "H2"
