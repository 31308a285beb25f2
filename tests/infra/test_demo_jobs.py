"""The real jobs, over the demo factory, find exactly what its titles promise."""

import re
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, text

from infra.local.demo import populate

DAYS = [date(2026, 3, 2), date(2026, 11, 22)]
PROMISE = re.compile(r"（.*：(.+)）$")
OPEN = "('PENDING', 'ACKNOWLEDGED', 'PROCESSING')"
NONE = "不预警"


@pytest.fixture(params=DAYS, ids=str)
def morning(request: pytest.FixtureRequest, db: Connection, perform: Any) -> Any:
    """The factory on the morning of a day; `morning(job, "07:00")` runs one tick of a job on it."""
    populate(db, request.param)

    def run(job_id: str, clock: str) -> dict[str, Any]:
        answer: dict[str, Any] = perform(job_id, at=f"{request.param}T{clock}+08:00")
        assert answer["state"] == "succeeded", answer
        return answer

    return run


def promised(title: str) -> str:
    found = PROMISE.search(title)
    return found[1] if found else NONE


def levels(db: Connection, rule: str) -> dict[int, str]:
    """The level of each open alert of a rule, by target."""
    query = f"""
        select a.target_id, a.base_level from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id
        where r.rule_code = :rule and a.status in {OPEN}"""
    return {row.target_id: row.base_level for row in db.execute(text(query), {"rule": rule})}


def promises(db: Connection, table: str, title: str, where: str = "true") -> dict[int, str]:
    """What the titles of a table promise, without those that promise nothing."""
    rows = db.execute(text(f"select id, {title} as title from erp.{table} where {where}"))
    return {row.id: promise for row in rows if (promise := promised(row.title)) != NONE}


def test_overdue_issues(morning: Any, db: Connection) -> None:
    morning("check_overdue_issues", "09:00")
    assert levels(db, "ISSUE_OVERDUE") == promises(db, "issues", "title", "title !~ '阻塞|静默'")


def test_blocking_issues(morning: Any, db: Connection) -> None:
    morning("check_blocking_issues", "09:05")
    assert levels(db, "BLOCKING_ISSUE") == promises(db, "issues", "title", "title ~ '阻塞'")


def test_milestones(morning: Any, db: Connection) -> None:
    morning("check_milestone_alerts", "08:00")
    assert levels(db, "MILESTONE_DUE") == promises(db, "project_milestones", "milestone_name")


def test_kits(morning: Any, db: Connection) -> None:
    morning("daily_kit_check", "06:00")
    said = promises(db, "work_orders", "task_name")
    assert levels(db, "KIT_NO_BOM") == {order: said[order].split()[1] for order in said if "无清单" in said[order]}
    low = {order: found[1] for order in said if (found := re.search(r"齐套 (\w+)", said[order])) and found[1] != NONE}
    assert levels(db, "KIT_RATE_LOW") == low


def test_shortages(morning: Any, db: Connection) -> None:
    morning("daily_kit_check", "06:00")
    morning("generate_shortage_alerts", "07:00")
    said = promises(db, "work_orders", "task_name")
    short = {order: found[1] for order in said if (found := re.search(r"缺料 (\w+)", said[order])) and found[1] != "无"}
    order_of = {row.id: row.work_order_id for row in db.execute(text("select * from belfry.material_shortages"))}
    assert {order_of[shortage]: level for shortage, level in levels(db, "MATERIAL_SHORTAGE").items()} == short


def test_deliveries(morning: Any, db: Connection) -> None:
    morning("daily_kit_check", "06:00")
    morning("generate_shortage_alerts", "07:00")
    morning("check_delivery_delay", "14:00")
    assert levels(db, "DELIVERY_DELAY") == promises(db, "purchase_orders", "order_title")


def test_project_health(morning: Any, db: Connection) -> None:
    morning("daily_kit_check", "06:00")
    morning("generate_shortage_alerts", "07:00")
    morning("calculate_project_health", "08:00")
    health = db.execute(text("select project_name, health, is_active and not is_archived as judged from erp.projects"))
    assert all(promised(row.project_name) == (row.health if row.judged else "不计算") for row in health)
    blocked = db.execute(text("select id from erp.projects where health = 'H3' and project_code <> 'PJ13'")).scalars()
    assert levels(db, "PROJECT_BLOCKED").keys() >= set(blocked)


def test_snapshots(morning: Any, db: Connection) -> None:
    morning("daily_kit_check", "06:00")
    morning("generate_shortage_alerts", "07:00")
    morning("daily_health_snapshot", "08:00")
    taken = db.execute(text("""
        select p.project_name, s.overall_health, s.health_score, s.resource_health, s.cost_health
        from belfry.project_health_snapshots s join erp.projects p on p.id = s.project_id
        where s.snapshot_date = (select max(snapshot_date) from belfry.project_health_snapshots)""")).all()
    assert {row.project_name: row.overall_health for row in taken} == {
        name: health for name in db.execute(text("select project_name from erp.projects")).scalars()
        if (health := promised(name)) != "不计算"
    }
    costs = {row.project_name[:4]: row.cost_health for row in taken}
    assert (costs["座椅滑轨"], costs["边框涂胶"], costs["汇流条焊"]) == ("H3", "H2", "H1")  # 120 %, 90 %, 89.99 %
    assert all((row.health_score is None) == (row.overall_health == "H4") for row in taken)


def test_escalation(morning: Any, db: Connection) -> None:
    morning("check_alert_escalation", "00:10")
    escalated = db.execute(text("""
        select a.target_name from belfry.alert_records a where a.id in
          (select alert_id from belfry.alert_events where event = 'ESCALATED')""")).scalars()
    due = text("select target_name from belfry.alert_records where target_name ~ '应升级|应上报|应再次上报'")
    assert set(escalated) == set(db.execute(due).scalars())


def test_every_alert_that_nobody_was_told_of_gets_a_notification(morning: Any, db: Connection) -> None:
    untold = f"""
        select count(*) from belfry.alert_records a where a.status in {OPEN}
        and not exists (select from belfry.notifications n where n.alert_id = a.id)"""
    assert db.execute(text(untold)).scalar() == 14
    morning("send_alert_notifications", "00:15")
    assert db.execute(text(untold)).scalar() == 0


@pytest.mark.parametrize("morning", DAYS[:1], indirect=True)
def test_left_over_alerts_close_with_the_first_scan(morning: Any, db: Connection) -> None:
    morning("check_overdue_issues", "00:00")
    closed = text("select target_name, status from belfry.alert_records where target_name ~ 'RESOLVED|EXPIRED'")
    assert all(promised(row.target_name) == row.status for row in db.execute(closed))




@pytest.mark.parametrize("morning", DAYS[:1], indirect=True)
def test_a_warning_that_was_escalated_does_not_worsen_the_project(morning: Any, db: Connection) -> None:
    morning("daily_kit_check", "06:00")
    morning("generate_shortage_alerts", "07:00")
    morning("check_alert_escalation", "16:10")
    morning("calculate_project_health", "17:00")
    own = text("""
        select p.health, array_agg(distinct a.base_level) as base, array_agg(distinct a.alert_level) as level
        from erp.projects p join belfry.alert_records a on a.project_id = p.id
        where p.project_code = 'PJ17' group by 1""")
    assert tuple(db.execute(own).one()) == ("H2", ["WARNING"], ["CRITICAL"])
