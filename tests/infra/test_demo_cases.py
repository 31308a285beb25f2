"""Each case of the demo factory says in its own title what should come of it; the rulebook says the same."""

import re
from collections import Counter
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from infra.local.demo import populate
from tests.infra import oracle

PROMISE = re.compile(r"（.*：(.+)）$")
NONE = "不预警"


@pytest.fixture(params=[date(2026, 3, 2), date(2026, 11, 22)], ids=str)
def factory(request: pytest.FixtureRequest, db: Connection) -> oracle.Factory:
    populate(db, request.param)
    return oracle.Factory(db, request.param)


def promise(title: str) -> str | None:
    found = PROMISE.search(title)
    return found[1] if found else None


def test_overdue_issues_are_on_both_sides_of_every_threshold(factory: oracle.Factory) -> None:
    cases = [issue for issue in factory.issues if promise(issue.title) and "阻塞" not in issue.title]
    found = {issue.title: oracle.overdue_issue(issue, factory.day) or NONE for issue in cases}
    assert found == {title: promise(title) for title in found}
    assert Counter(found.values()) == {NONE: 9, "INFO": 3, "WARNING": 11, "CRITICAL": 5, "URGENT": 1}
    assert all(oracle.overdue_issue(issue, factory.day) is None for issue in factory.issues if issue not in cases)


def test_blocking_issues_are_on_both_sides_of_every_threshold(factory: oracle.Factory) -> None:
    at = datetime(factory.day.year, factory.day.month, factory.day.day, 9, 5, tzinfo=ZoneInfo("Asia/Shanghai"))
    cases = [issue for issue in factory.issues if "阻塞" in issue.title]
    found = {issue.title: oracle.blocking_issue(issue, at) or NONE for issue in cases}
    assert found == {title: promise(title) for title in found}
    assert Counter(found.values()) == {NONE: 3, "WARNING": 3, "CRITICAL": 2, "URGENT": 3}


def test_milestones_are_on_both_sides_of_every_threshold(factory: oracle.Factory) -> None:
    found = {
        row.milestone_name: oracle.milestone(row, factory.projects[row.project_id], factory.day) or NONE
        for row in factory.milestones if promise(row.milestone_name)
    }
    assert found == {name: promise(name) for name in found}
    assert set(found.values()) == {NONE, *oracle.LEVELS}


def test_deliveries_are_on_both_sides_of_every_threshold(factory: oracle.Factory) -> None:
    found = {
        order.order_title: oracle.delivery(order, factory.lines[order.id], factory.short, factory.day) or NONE
        for order in factory.orders
    }
    assert found == {title: promise(title) or NONE for title in found}
    assert set(found.values()) == {NONE, *oracle.LEVELS}


def test_kits_and_shortages_are_on_both_sides_of_every_threshold(factory: oracle.Factory) -> None:
    found = {}
    for order in factory.work_orders:
        kit = factory.kits.get(order.id)
        if kit and kit.rate is None:
            found[order.task_name] = f"无清单 {kit.level}"
        else:
            levels = [level for _, level in kit.shortages.values()] if kit else []
            found[order.task_name] = f"齐套 {(kit and kit.level) or NONE}，缺料 {' '.join(levels) or '无'}"
    assert found == {name: promise(name) or f"齐套 {NONE}，缺料 无" for name in found}
    rates = {str(kit.rate) for kit in factory.kits.values()}
    assert rates == {"100.00", "80.00", "75.00", "None"}
    states = {state for kit in factory.kits.values() for state, _ in kit.shortages.values()}
    assert states == {"IN_TRANSIT", "SHORTAGE"}


def test_projects_have_every_health_for_every_reason(factory: oracle.Factory) -> None:
    found = {project.project_name: factory.health(project) or "不计算" for project in factory.projects.values()}
    assert found == {name: promise(name) for name in found}
    assert Counter(found.values()) == {"H1": 6, "H2": 9, "H3": 6, "H4": 2, "不计算": 2}
