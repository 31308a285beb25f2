"""Over random rows and several days, the jobs of overdue and blocking issues say what the rulebook says, nothing else."""

import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.oracles import open_issues as oracle
from tests.oracles.project_health import colours
from tests.oracles.reading import failed_items, told


@pytest.fixture(params=[1, 2])
def firm(request: pytest.FixtureRequest, db: Connection) -> Connection:
    oracle.generate(Erp(db), random.Random(request.param), TODAY)
    return db


def reminded(db: Connection) -> dict[str, set[str]]:
    """Per person the issues that the reminders written so far list."""
    rows = db.execute(text("select recipients, facts from belfry.notifications where type = 'ISSUE_OVERDUE' and reason = 'REMINDER'"))
    found = {row.recipients[0]: row.facts for row in rows}
    assert all(facts["count"] == len(facts["items"]) for facts in found.values() if facts["count"] <= 20)
    return {person: {item["target_no"] for item in facts["items"]} for person, facts in found.items()}


def test_overdue_issues(firm: Connection, perform: Perform) -> None:
    for later in (0, 1, 4):
        day = TODAY + timedelta(days=later)
        answer = perform("check_overdue_issues", f"{day}T09:00+08:00")
        expected, broken = oracle.overdue(firm, day)
        assert told(firm, "ISSUE_OVERDUE") == expected
        assert failed_items(firm, answer["execution_id"]) == broken
        assert {level for level, _ in expected.values()} == {"INFO", "WARNING", "CRITICAL", "URGENT"}
        assert broken


def test_the_reminders_of_the_second_day(firm: Connection, perform: Perform) -> None:
    tomorrow = TODAY + timedelta(days=1)
    perform("check_overdue_issues", f"{TODAY}T09:00+08:00")
    perform("check_overdue_issues", f"{tomorrow}T07:00+08:00")
    assert reminded(firm) == {}
    perform("check_overdue_issues", f"{tomorrow}T08:00+08:00")
    expected = oracle.reminders(firm, tomorrow)
    found = reminded(firm)
    assert found.keys() == expected.keys()
    assert expected
    for person, issues in expected.items():
        assert found[person] == issues if len(issues) <= 20 else found[person] < issues
    perform("check_overdue_issues", f"{tomorrow}T09:00+08:00")
    assert reminded(firm) == found


def test_blocking_issues_and_the_colours_of_their_projects(firm: Connection, perform: Perform) -> None:
    for hours in (0, 1, 24, 49):
        now = datetime.fromisoformat(f"{TODAY}T09:05+08:00") + timedelta(hours=hours)
        before = dict(firm.execute(text("select id, health from erp.projects")).all())
        concerned = oracle.blocked_projects(firm)
        answer = perform("check_blocking_issues", now.isoformat())
        expected, broken = oracle.blocking(firm, now)
        assert told(firm, "BLOCKING_ISSUE") == expected
        assert failed_items(firm, answer["execution_id"]) == broken
        assert {level for level, _ in expected.values()} == {"WARNING", "CRITICAL", "URGENT"} or hours > 24
        judged = colours(firm, now.date())
        assert dict(firm.execute(text("select id, health from erp.projects")).all()) == {
            project: judged[project] if project in concerned else colour for project, colour in before.items()
        }
        assert concerned
        firm.execute(text("update erp.issues set is_blocking = false, issue_type = 'RISK' where mod(id, 7) = :n"), {"n": hours % 7})
