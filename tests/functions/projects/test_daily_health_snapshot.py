"""One row a project and day, whole and kept; on Mondays the PMO hears whose score fell."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance.cases import RowsJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import messages
from tests.factories import TODAY, Erp

ID = "daily_health_snapshot"
AT = "2026-03-02T02:00+08:00"


def days(n: int) -> date:
    return TODAY + timedelta(days=n)


def rows(db: Connection) -> list[Mapping[str, Any]]:
    found = db.execute(text("select * from belfry.project_health_snapshots order by project_id, snapshot_date"))
    return [dict(row) for row in found.mappings()]


def row(db: Connection) -> Mapping[str, Any]:
    (only,) = rows(db)
    return only


def earlier(
    db: Connection, project: int, score: int | None, *, day: date = TODAY - timedelta(days=7), health: str = "H1"
) -> None:
    db.execute(
        text("""insert into belfry.project_health_snapshots (project_id, snapshot_date, overall_health, health_score, open_alerts,
                  blocking_issues, milestone_delayed) values (:project, :day, :health, :score, 0, 0, 0)"""),
        {"project": project, "day": day, "score": score, "health": health},
    )


CASES = [
    RowsJob(
        ID, clock="02:00", day=days(1),  # no Monday, when the PMO is told as well
        arrange=lambda erp, day: erp.project(status="ST14"),
        multiply=copies_of(tables.projects, "project_code"),
        made=lambda db: [{k: v for k, v in row.items() if k not in ("created_at", "execution_id")} for row in rows(db)],
        reasons={
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
                "all can be judged: what a project lacks is null in its row",
        },
    ),
]  # fmt: skip


def test_a_calm_project_has_a_green_row_of_a_hundred_points(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(
        planned_start_date=days(-50), planned_end_date=days(50), progress_pct=48, budget_amount=1000, actual_cost=400
    )
    answer = perform(ID, AT)
    stored = row(db)
    assert {key: stored[key] for key in stored if key not in ("created_at", "execution_id")} == {
        "project_id": project, "snapshot_date": TODAY, "overall_health": "H1", "schedule_health": "H1", "cost_health": "H1",
        "quality_health": "H1", "resource_health": "H1", "health_score": 100, "open_alerts": 0, "blocking_issues": 0,
        "milestone_delayed": 0, "milestone_on_track": 0, "schedule_variance": Decimal("2.00"), "cost_variance": Decimal("-600.00"),
        "budget_used_pct": Decimal("40.00"), "kit_rate": None, "top_risks": [],
    }  # fmt: skip
    assert str(stored["execution_id"]) == answer["execution_id"]
    assert answer["counters"]["created"] == 1


def test_a_troubled_project_has_every_figure(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(
        planned_start_date=days(-50),
        planned_end_date=days(50),
        progress_pct=20,
        budget_amount=1000,
        actual_cost=1,
        status="ST22",
    )
    erp.issue(project_id=project, is_blocking=True, priority="URGENT")
    erp.milestone(project_id=project, is_key=True, planned_date=days(-15))
    erp.milestone(project_id=project, is_key=True, planned_date=days(3))
    erp.milestone(project_id=project, is_key=False, planned_date=days(-3))
    erp.cost(project_id=project, amount=1250)
    erp.cost(project_id=project, amount=-50)
    member, order = erp.user(), erp.work_order(project_id=project)
    erp.allocation(project_id=project, user_id=member, allocation_percent=80)
    erp.allocation(user_id=member, allocation_percent=40)
    for number, status in enumerate(("PENDING", "ACKNOWLEDGED", "PROCESSING", "RESOLVED")):
        db.execute(
            text("""insert into belfry.alert_records (alert_no, rule_id, dedupe_key, target_type, project_id, base_level, alert_level,
                      triggered_at, level_changed_at, status) select :no, id, :no, 'PROJECT', :project, 'CRITICAL', 'CRITICAL',
                      '2026-03-01', '2026-03-01', :status from belfry.alert_rules where rule_code = 'DELIVERY_DELAY'"""),
            {"no": f"AL-{number}", "project": project, "status": status},
        )
    db.execute(
        text("""insert into belfry.kit_checks (work_order_id, check_date, check_time, total_items, fulfilled_items, in_transit_items,
                  shortage_items, kit_rate, kit_status) values (:order, '2026-03-01', '2026-03-01', 8, 5, 0, 3, 62.5, 'SHORTAGE')"""),
        {"order": order},
    )
    perform(ID, AT)
    stored = next(r for r in rows(db) if r["project_id"] == project)
    assert {key: stored[key] for key in stored if key not in ("created_at", "execution_id", "top_risks")} == {
        "project_id": project, "snapshot_date": TODAY, "overall_health": "H3", "schedule_health": "H3", "cost_health": "H3",
        "quality_health": "H3", "resource_health": "H2", "health_score": 27, "open_alerts": 3, "blocking_issues": 1,
        "milestone_delayed": 1, "milestone_on_track": 1, "schedule_variance": Decimal("30.00"), "cost_variance": Decimal("200.00"),
        "budget_used_pct": Decimal("120.00"), "kit_rate": Decimal("62.50"),
    }  # fmt: skip
    assert [(risk["code"], risk["health"]) for risk in stored["top_risks"]] == [
        ("ISSUE_BLOCKING", "H3"), ("STATUS", "H2"), ("MILESTONE_LATE", "H2"), ("ISSUE_URGENT", "H2"), ("VARIANCE", "H2"),
    ]  # fmt: skip


def test_the_kit_rate_is_the_mean_of_the_orders_latest_rates_however_many_items_each_has(
    db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    project = erp.project()
    for rate, items, day, status in (
        (100, 1, days(-1), "PENDING"), (50, 40, days(-1), "STARTED"), (None, 0, days(-1), "PENDING"), (0, 9, days(0), "COMPLETED"),
    ):  # fmt: skip
        order = erp.work_order(project_id=project, status=status)
        for when, found in ((day - timedelta(days=1), 10), (day, rate)):  # the older check says nothing any more
            db.execute(
                text("""insert into belfry.kit_checks (work_order_id, check_date, check_time, total_items, fulfilled_items, in_transit_items,
                          shortage_items, kit_rate, kit_status) values (:order, :day, cast(:day as date), :items, 0, 0, 0, :rate, 'PARTIAL')"""),
                {"order": order, "day": when, "items": items, "rate": found},
            )
    perform(ID, AT)
    assert row(db)["kit_rate"] == Decimal("75.00")


@pytest.mark.parametrize("budget", [None, 0])
def test_without_a_budget_the_cost_is_not_judged(budget: int | None, db: Connection, perform: Perform) -> None:
    Erp(db).project(budget_amount=budget, actual_cost=500)
    perform(ID, AT)
    assert (row(db)["cost_health"], row(db)["budget_used_pct"]) == (None, None)


def test_a_cost_of_any_size_over_a_tiny_budget_fits(db: Connection, perform: Perform) -> None:
    Erp(db).project(budget_amount=Decimal("0.01"), actual_cost=Decimal("999999999999.99"))
    perform(ID, AT)
    assert row(db)["budget_used_pct"] == Decimal("9999999999999900.00")


@pytest.mark.parametrize(
    ("columns", "health"),
    [
        ({"allocation_percent": 110}, "H1"), ({"allocation_percent": Decimal("110.01")}, "H2"), ({"allocation_percent": 151}, "H3"),
        ({"allocation_percent": 151, "end_date": days(-1)}, "H1"), ({"allocation_percent": 151, "start_date": days(1)}, "H1"),
        ({"allocation_percent": 151, "status": "CANCELLED"}, "H1"),
    ],
)  # fmt: skip
def test_resources_are_judged_by_the_busiest_member_today(
    columns: dict[str, Any], health: str, db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    erp.allocation(**{"project_id": erp.project(), "start_date": days(-9), **columns})
    perform(ID, AT)
    assert row(db)["resource_health"] == health


def test_the_colour_is_judged_anew_but_not_written_to_the_project(db: Connection, perform: Perform) -> None:
    Erp(db).project(status="ST14")
    perform(ID, AT)
    assert row(db)["overall_health"] == "H3"
    assert db.execute(text("select health from erp.projects")).scalar_one() == "H1"


def test_a_closed_project_has_a_grey_row_without_a_score(db: Connection, perform: Perform) -> None:
    Erp(db).project(status="ST30")
    perform(ID, AT)
    stored = row(db)
    assert [stored[f"{name}_health"] for name in ("overall", "schedule", "cost", "quality", "resource")] == ["H4"] * 5
    assert stored["health_score"] is None


def test_a_project_put_away_when_it_closed_gets_one_last_grey_row(db: Connection, perform: Perform) -> None:
    project = Erp(db).project()
    perform(ID, "2026-03-01T02:00+08:00")
    db.execute(text("update erp.projects set status = 'ST30', is_active = false"))
    perform(ID, AT)
    perform(ID, "2026-03-03T02:00+08:00")
    assert [(r["project_id"], r["snapshot_date"], r["overall_health"]) for r in rows(db)] == [
        (project, days(-1), "H1"), (project, TODAY, "H4"),
    ]  # fmt: skip


@pytest.mark.parametrize("gone", [{"is_active": False}, {"is_archived": True}, {"is_archived": True, "status": "ST30"}])
def test_projects_that_were_put_away_before_get_no_row(gone: dict[str, Any], db: Connection, perform: Perform) -> None:
    Erp(db).project(**gone)
    perform(ID, AT)
    assert rows(db) == []


def test_what_stands_there_stays_unless_it_is_forced(db: Connection, perform: Perform) -> None:
    project = Erp(db).project()
    perform(ID, AT)
    db.execute(text("update erp.projects set status = 'ST14' where id = :id"), {"id": project})
    perform(ID, AT, kind="manual")
    assert row(db)["overall_health"] == "H1"
    perform(ID, AT, kind="manual", params={"force": True})
    assert row(db)["overall_health"] == "H3"


def test_a_backfilled_day_is_refused_and_not_tried_again(db: Connection, perform: Perform) -> None:
    Erp(db).project()
    answer = perform(ID, "2026-02-20T02:00+08:00", kind="backfill", now=AT)
    assert (answer["state"], rows(db)) == ("failed", [])
    (error,) = db.execute(text("select error from belfry.job_executions")).scalars()
    assert "cannot be rebuilt" in error


def test_a_past_day_asked_for_by_hand_is_refused_and_today_is_not(db: Connection, perform: Perform) -> None:
    Erp(db).project()
    assert perform(ID, "2026-03-01T23:59+08:00", kind="manual", now="2026-03-02T00:01+08:00")["state"] == "failed"
    assert perform(ID, "2026-03-02T00:01+08:00", kind="manual", now="2026-03-02T23:59+08:00")["state"] == "succeeded"
    assert row(db)["snapshot_date"] == TODAY


def test_a_tick_that_comes_late_still_keeps_its_own_day(db: Connection, perform: Perform) -> None:
    Erp(db).project()
    assert perform(ID, AT, now="2026-03-03T00:30+08:00")["state"] == "succeeded"
    assert row(db)["snapshot_date"] == TODAY


@pytest.mark.parametrize(("before", "told"), [(75, True), (74, False), (None, False)])
def test_on_mondays_pmo_hears_of_a_fall_of_fifteen_points(
    before: int | None, told: bool, db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    pmo = erp.user("何静", roles=["PMO"])
    project = erp.project(status="ST14", project_code="PJ-9")  # 60 points
    earlier(db, project, before)
    perform(ID, AT)
    assert [m["type"] for m in messages(db)] == ["DIGEST_HEALTH"] * told
    for message in messages(db):
        assert (message["dedupe_key"], message["told"]) == ("DIGEST_HEALTH|2026-03-02", [f"{pmo} system"])
        ((item),) = message["facts"]["items"]
        assert (item["project_code"], item["before"], item["score"], item["health"]) == ("PJ-9", before, 60, "H3")
        due = db.execute(
            text(
                "select to_char(next_attempt_at at time zone 'Asia/Shanghai', 'HH24:MI') from belfry.notification_deliveries"
            )
        )
        assert due.scalar_one() == "07:30"


def test_on_other_days_nobody_hears(db: Connection, perform: Perform) -> None:
    earlier(db, Erp(db).project(status="ST14"), 100, day=days(-6))
    perform(ID, "2026-03-03T02:00+08:00")
    assert messages(db) == []


def test_the_digest_names_the_deepest_fall_first(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    for code, before in (("PJ-A", 80), ("PJ-B", 100), ("PJ-C", 90)):
        earlier(db, erp.project(status="ST14", project_code=code), before)
    perform(ID, AT)
    (message,) = messages(db)
    assert (message["facts"]["count"], message["facts"]["points"]) == (3, 15)
    assert [item["project_code"] for item in message["facts"]["items"]] == ["PJ-B", "PJ-C", "PJ-A"]
