"""One row about yesterday: every issue counted once in each kind, and a day that runs from midnight to midnight."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from shared.erp import tables
from tests.acceptance.cases import RowsJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.factories import TODAY, Erp

ID = "daily_issue_statistics_snapshot"
AT = f"{TODAY}T03:00+08:00"
YESTERDAY = TODAY - timedelta(days=1)
ZONE = ZoneInfo("Asia/Shanghai")


def on(days: int, clock: str = "12:00", *, day: date = TODAY) -> datetime:
    """An instant so many days after today, by Shanghai's clocks."""
    return datetime.combine(day + timedelta(days=days), time.fromisoformat(clock), ZONE)


def rows(db: Connection) -> list[Mapping[str, Any]]:
    found = db.execute(text("select * from belfry.issue_statistics_snapshots order by snapshot_date"))
    return [{k: v for k, v in row.items() if k != "execution_id"} for row in found.mappings()]


def row(db: Connection) -> Mapping[str, Any]:
    (only,) = rows(db)
    return only


def spoil(erp: Erp, day: date) -> str:
    erp.issue(status="RESOLVED", created_at=on(-1, "15:00", day=day), resolved_at=on(-1, "11:00", day=day))
    return "ISSUE"


CASES = [
    RowsJob(
        ID, clock="03:00",
        arrange=lambda erp, day: erp.issue(
            status="RESOLVED", created_at=on(-3, day=day), resolved_at=on(-1, "11:00", day=day)
        ),
        multiply=copies_of(tables.issues, "issue_no"),
        made=rows,
        spoil=spoil,
    ),
]  # fmt: skip


def test_without_issues_the_day_has_a_row_of_zeros(db: Connection, perform: Perform) -> None:
    perform(ID, AT)
    stored = dict(row(db))
    extras = stored["by_status"].pop("extras")
    assert extras == {"resolved_30d": 0, "avg_response_h_30d": None, "avg_resolve_h_30d": None}
    assert stored == {
        "snapshot_date": YESTERDAY, "total": 0, "blocking": 0, "overdue": 0, "new_count": 0, "resolved_count": 0,
        "closed_count": 0, "avg_response_h": None, "avg_resolve_h": None, "by_project": {},
        "by_status": dict.fromkeys(("OPEN", "PROCESSING", "RESOLVED", "CLOSED", "CANCELLED", "DEFERRED"), 0),
        "by_severity": dict.fromkeys(("CRITICAL", "MAJOR", "MINOR"), 0),
        "by_priority": dict.fromkeys(("URGENT", "HIGH", "MEDIUM", "LOW"), 0),
        "by_type": dict.fromkeys(("DEFECT", "DEVIATION", "RISK", "BLOCKER", "SUGGESTION", "QUESTION", "OTHER"), 0),
        "by_category": dict.fromkeys(("PROJECT", "TASK", "ACCEPTANCE"), 0),
    }  # fmt: skip


def test_every_issue_but_a_deleted_one_is_counted_once_in_each_kind(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project()
    erp.issue(project_id=project, priority="HIGH", severity="MAJOR", issue_type="DEFECT", status="PROCESSING")
    erp.issue(project_id=project, is_blocking=True, due_date=YESTERDAY, category="TASK")
    erp.issue(project_id=None, issue_type="BLOCKER", due_date=YESTERDAY - timedelta(days=1), category="现场")
    erp.issue(project_id=None, status="CLOSED", is_blocking=True, due_date=date(2026, 1, 1), closed_at=on(-5))
    erp.issue(project_id=project, status="DELETED", is_blocking=True)
    perform(ID, AT)
    stored = row(db)
    assert (stored["total"], stored["blocking"], stored["overdue"]) == (4, 2, 1)
    assert {k: v for k, v in stored["by_status"].items() if v and k != "extras"} == {
        "PROCESSING": 1, "OPEN": 2, "CLOSED": 1,
    }  # fmt: skip
    assert stored["by_severity"] == {"CRITICAL": 0, "MAJOR": 1, "MINOR": 3}
    assert stored["by_priority"] == {"URGENT": 0, "HIGH": 1, "MEDIUM": 3, "LOW": 0}
    assert {k: v for k, v in stored["by_type"].items() if v} == {"DEFECT": 1, "QUESTION": 2, "BLOCKER": 1}
    assert stored["by_category"] == {"PROJECT": 2, "TASK": 1, "ACCEPTANCE": 0, "现场": 1}
    assert stored["by_project"] == {str(project): 2, "none": 2}


def test_half_past_eleven_and_half_past_midnight_are_different_days(db: Connection, perform: Perform) -> None:
    """D-57: both are 1 March in UTC."""
    erp = Erp(db)
    for clock, column in (("23:30", "created_at"), ("23:30", "resolved_at"), ("23:30", "closed_at")):
        erp.issue(**{"created_at": on(-20), column: on(-1, clock)})
    for column in ("created_at", "resolved_at", "closed_at"):
        erp.issue(**{"created_at": on(-20), column: on(0, "00:30")})
    perform(ID, AT)
    perform(ID, f"{TODAY + timedelta(days=1)}T03:00+08:00")
    for stored in rows(db):
        assert [stored[name] for name in ("new_count", "resolved_count", "closed_count")] == [1, 1, 1]
    assert [(stored["snapshot_date"], stored["total"]) for stored in rows(db)] == [(YESTERDAY, 5), (TODAY, 6)]


@pytest.mark.parametrize(
    ("clock", "days", "counted"), [("00:00", -1, 1), ("23:59", -1, 1), ("00:00", 0, 0), ("23:59", -2, 0)]
)
def test_the_day_runs_from_midnight_to_midnight(
    clock: str, days: int, counted: int, db: Connection, perform: Perform
) -> None:
    Erp(db).issue(created_at=on(-9), resolved_at=on(days, clock), status="RESOLVED")
    perform(ID, AT)
    assert row(db)["resolved_count"] == counted


def test_averages_are_of_what_was_solved_that_day_and_rolling_ones_of_thirty_days(
    db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    for raised, answered, solved in ((-3, 2, -1), (-2, 5, -1), (-30, 100, -10), (-90, 1, -40)):
        issue = erp.issue(status="RESOLVED", created_at=on(raised), resolved_at=on(solved))
        erp.issue_follow_up(issue_id=issue, created_at=on(raised) + timedelta(hours=answered))
        erp.issue_follow_up(issue_id=issue, created_at=on(solved))
    perform(ID, AT)
    stored = row(db)
    assert (stored["avg_response_h"], stored["avg_resolve_h"]) == (Decimal("3.50"), Decimal("36.00"))
    assert stored["by_status"]["extras"] == {
        "resolved_30d": 3, "avg_response_h_30d": 35.67, "avg_resolve_h_30d": 184.0,
    }  # fmt: skip


def test_what_belfry_wrote_down_itself_is_no_answer(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    issue = erp.issue(status="RESOLVED", created_at=on(-3), resolved_at=on(-1))
    erp.issue_follow_up(
        issue_id=issue, created_at=on(-2), follow_up_type="PRIORITY_CHANGE", run_id="00000000-0000-0000-0000-000000000001"
    )
    perform(ID, AT)
    assert row(db)["avg_response_h"] is None
    assert row(db)["avg_resolve_h"] == 48


def test_an_issue_solved_before_it_was_raised_is_listed_and_spoils_no_average(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    spoil(erp, TODAY)
    erp.issue(status="RESOLVED", created_at=on(-2), resolved_at=on(-1))
    assert perform(ID, AT)["state"] == "partial"
    assert (row(db)["resolved_count"], row(db)["avg_resolve_h"]) == (2, 24)


def test_a_second_run_of_the_day_replaces_the_row_only_where_it_differs(db: Connection, perform: Perform) -> None:
    Erp(db).issue()
    assert perform(ID, AT)["counters"]["written"] == 1
    assert perform(ID, AT, kind="manual")["counters"]["written"] == 0
    Erp(db).issue()
    assert perform(ID, AT, kind="manual")["counters"]["written"] == 1
    assert [stored["total"] for stored in rows(db)] == [2]


def test_what_is_raised_after_midnight_belongs_to_the_next_day(db: Connection, perform: Perform) -> None:
    Erp(db).issue(created_at=on(0, "00:00"))
    perform(ID, AT)
    assert row(db)["total"] == 0


def test_an_operator_may_have_longer_rolling_averages(db: Connection, perform: Perform) -> None:
    Erp(db).issue(status="RESOLVED", created_at=on(-50), resolved_at=on(-40))
    perform(ID, AT, params={"rolling_days": 60}, kind="manual")
    assert row(db)["by_status"]["extras"]["resolved_30d"] == 1
