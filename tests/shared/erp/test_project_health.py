"""The figures of real rows give each project its colour (rulebook 6.1 and 9.2, job 1)."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp.project_figures import figures
from shared.erp.project_health import judged
from shared.erp.projects import kept_ids
from shared.rules.health import Limits
from tests.factories import TODAY, Erp

LIMITS = Limits(deadline_days=7, variance_points=10, kit_rate_enabled=True, kit_rate_blocked=50, kit_rate_at_risk=70)


def colour(db: Connection, project: int) -> str:
    rows = db.execute(judged(figures(kept_ids(), TODAY, with_kit_rate=True), LIMITS)).all()
    return next(str(row.new_health) for row in rows if row.project_id == project)


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
def test_dates_progress_and_status_give_the_colour(columns: dict[str, Any], expected: str, db: Connection) -> None:
    project = Erp(db).project(**columns)
    assert colour(db, project) == expected


@pytest.mark.parametrize(
    ("base", "level", "status", "expected"),
    [
        ("WARNING", "WARNING", "PENDING", "H2"), ("WARNING", "URGENT", "PENDING", "H2"), ("CRITICAL", "CRITICAL", "PENDING", "H3"),
        ("CRITICAL", "URGENT", "ACKNOWLEDGED", "H3"), ("URGENT", "URGENT", "PROCESSING", "H3"), ("INFO", "INFO", "PENDING", "H1"),
        ("CRITICAL", "CRITICAL", "RESOLVED", "H1"), ("CRITICAL", "CRITICAL", "IGNORED", "H1"),
    ],
)  # fmt: skip
def test_a_shortage_counts_by_its_data_not_by_how_late_it_is_handled(
    base: str, level: str, status: str, expected: str, db: Connection
) -> None:
    project = Erp(db).project()
    shortage(db, project, base, level, status)
    assert colour(db, project) == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"is_blocking": True}, "H3"), ({"issue_type": "BLOCKER"}, "H3"), ({"is_blocking": True, "status": "PROCESSING"}, "H3"),
        ({"is_blocking": True, "status": "RESOLVED"}, "H1"), ({"priority": "HIGH"}, "H2"), ({"priority": "URGENT"}, "H2"),
        ({"priority": "URGENT", "status": "CLOSED"}, "H1"), ({"priority": "MEDIUM"}, "H1"),
    ],
)  # fmt: skip
def test_open_issues_count(columns: dict[str, Any], expected: str, db: Connection) -> None:
    erp = Erp(db)
    project = erp.project()
    erp.issue(project_id=project, **columns)
    assert colour(db, project) == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"is_key": True, "planned_date": days(-1)}, "H2"), ({"is_key": True, "planned_date": TODAY}, "H1"),
        ({"is_key": False, "planned_date": days(-30)}, "H1"), ({"is_key": True, "planned_date": days(-1), "status": "COMPLETED"}, "H1"),
        ({"is_key": True, "planned_date": days(-1), "status": "CANCELLED"}, "H1"),
        ({"is_key": True, "planned_date": days(-1), "actual_date": days(-1)}, "H1"),
    ],
)  # fmt: skip
def test_late_key_milestones_count(columns: dict[str, Any], expected: str, db: Connection) -> None:
    erp = Erp(db)
    project = erp.project()
    erp.milestone(project_id=project, **columns)
    assert colour(db, project) == expected


def test_a_blocked_task_turns_a_project_red(db: Connection) -> None:
    erp = Erp(db)
    project = erp.project()
    erp.task(project_id=project, status="BLOCKED")
    assert colour(db, project) == "H3"


def test_a_project_is_judged_by_its_own_rows_alone(db: Connection) -> None:
    erp = Erp(db)
    calm, troubled = erp.project(), erp.project()
    erp.issue(project_id=troubled, is_blocking=True)
    erp.issue(project_id=None, is_blocking=True)
    erp.task(project_id=troubled, status="BLOCKED")
    erp.milestone(project_id=troubled, is_key=True, planned_date=days(-9))
    shortage(db, troubled, "CRITICAL")
    assert (colour(db, calm), colour(db, troubled)) == ("H1", "H3")
