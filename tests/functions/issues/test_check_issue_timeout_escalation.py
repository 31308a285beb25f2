"""Issues that are too old for their priority rise, a step a night at most, and a priority set by a person starts anew."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from shared.rules.issue_escalation import Step
from tests.conftest import Perform
from tests.evidence import alerts, everything
from tests.factories import Erp
from tests.functions.issues.stale_issues import (
    NIGHT,
    at,
    case,
    follow_ups,
    issue,
    moved,
    remembered,
    set_priority,
)
from tests.functions.issues.stale_issues import (
    TOO_OLD as ID,
)
from tests.shared.rules.issue_escalation_cases import DAY, LIMITS

AT = NIGHT[ID]

CASES = [case(ID, "01:30", LIMITS["HIGH"])]


def test_medium_of_seven_days_stays_and_of_eight_is_high(db: Connection, perform: Perform) -> None:
    stays, rises = issue(Erp(db), 7 * DAY, at=AT), issue(Erp(db), 8 * DAY, at=AT)
    perform(ID, at(ID))
    assert moved(db) == {stays: Step("MEDIUM", 0), rises: Step("HIGH", 0)}
    assert follow_ups(db) == [(rises, "MEDIUM", "HIGH")]
    assert db.execute(text("select content from erp.issue_follow_ups")).scalar_one() == (
        "系统自动升级：MEDIUM 级超过 7 天未解决，优先级 MEDIUM → HIGH"
    )


def test_after_a_raise_the_next_threshold_counts_from_the_raise(db: Connection, perform: Perform) -> None:
    """D-53: the clock of upstream ran from creation, and an issue climbed one step every night."""
    row = issue(Erp(db), 14 * DAY + 60, at=AT, priority="LOW")
    steps = {}
    for night in range(16):
        before = moved(db)[row]
        perform(ID, at(ID, night))
        if moved(db)[row] != before:
            steps[night] = moved(db)[row]
    # LOW 14 d; MEDIUM over 7 d: the 8th night after; HIGH over 3 d: the 4th; URGENT over 1 d: the 2nd, then each night
    assert steps == {
        0: Step("MEDIUM", 0), 8: Step("HIGH", 0), 12: Step("URGENT", 0), 14: Step("URGENT", 1), 15: Step("URGENT", 2),
    }  # fmt: skip


def test_a_priority_set_by_a_person_restarts_the_clock(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 6 * DAY, at=AT)
    perform(ID, at(ID))
    set_priority(db, row, "HIGH")
    perform(ID, at(ID, 1))  # seen here, three days begin
    assert remembered(db)[0]["priority_changed_at"] == AT + timedelta(days=1)
    for night in (2, 3, 4):
        perform(ID, at(ID, night))
    assert follow_ups(db) == []
    perform(ID, at(ID, 5))
    assert follow_ups(db) == [(row, "HIGH", "URGENT")]


def test_a_person_who_sets_the_priority_takes_the_issue_back_from_the_tier(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 9 * DAY, at=AT, priority="URGENT", tier=2, last=2 * DAY)
    set_priority(db, row, "HIGH")
    perform(ID, at(ID))
    assert moved(db) == {row: Step("HIGH", 0)}
    assert [alert["status"] for alert in alerts(db)] == []


def test_an_issue_seen_for_the_first_time_is_remembered_and_no_row_is_written_again(
    db: Connection, perform: Perform
) -> None:
    row = issue(Erp(db), DAY, at=AT)
    perform(ID, at(ID))
    (kept,) = remembered(db)
    assert kept == {
        "issue_id": row, "priority": "MEDIUM", "priority_changed_at": None, "last_auto_escalated_at": None,
        "escalation_tier": 0, "execution_id": None,
    }  # fmt: skip
    tables_of = lambda: {k: v for k, v in everything(db).items() if k.endswith(("escalations", "issues", "follow_ups"))}  # noqa: E731
    before = tables_of()
    perform(ID, at(ID, 1))
    assert tables_of() == before


def test_a_follow_up_does_not_make_an_issue_younger(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 8 * DAY, at=AT, last_follow_up_at=AT - timedelta(hours=1))
    perform(ID, at(ID))
    assert moved(db) == {row: Step("HIGH", 0)}


def test_the_alert_says_what_since_when_and_who_has_it(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    project = erp.project(project_code="PJ-9", project_name="包装线", pm_id=erp.user("李强"))
    row = issue(
        erp, 4 * DAY, at=AT, priority="HIGH", project_id=project, issue_no="IS-9", assignee_id=erp.user("陈伟")
    )
    perform(ID, at(ID))
    (alert,) = alerts(db)
    assert (alert["target_id"], alert["target_no"], alert["project_id"], alert["trigger_value"]) == (
        row, "IS-9", project, 0,
    )  # fmt: skip
    facts: dict[str, Any] = alert["facts"]
    instants = {name: facts.pop(name) for name in ("created_at", "escalated_at")}
    assert [datetime.fromisoformat(value) for value in instants.values()] == [AT - timedelta(days=4), AT]
    assert facts == {
        "step": "ALERT", "priority": "URGENT", "severity": "MINOR", "assignee": "陈伟", "touched_at": None,
        "project_code": "PJ-9", "project_name": "包装线", "tier": 0,
    }  # fmt: skip


def test_a_pause_of_a_week_holds_this_job_back_as_well(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 30 * DAY, at=AT, last=6 * DAY)
    perform(ID, at(ID), params={"pause_hours": 168}, kind="manual")
    assert moved(db) == {row: Step("MEDIUM", 0)}
