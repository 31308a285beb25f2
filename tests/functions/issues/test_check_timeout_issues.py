"""Issues that nobody touches rise once a week, and urgent ones go up from boss to boss."""

from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from shared.rules.issue_escalation import Step
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import Erp
from tests.functions.issues.stale_issues import (
    FORGOTTEN as ID,
)
from tests.functions.issues.stale_issues import (
    NIGHT,
    at,
    case,
    follow_ups,
    issue,
    moved,
    remembered,
    set_priority,
    told,
)
from tests.shared.rules.issue_escalation_cases import DAY, WEEK

AT = NIGHT[ID]

CASES = [case(ID, "01:00", 7)]


def test_seven_days_to_the_minute_is_not_stale_and_a_minute_more_is(db: Connection, perform: Perform) -> None:
    still, raised = issue(Erp(db), WEEK, at=AT), issue(Erp(db), WEEK + 1, at=AT)
    assert perform(ID, at(ID))["counters"]["raised"] == 1
    assert moved(db) == {still: Step("MEDIUM", 0), raised: Step("HIGH", 0)}


def test_an_issue_of_today_that_nobody_followed_up_is_not_stale(db: Connection, perform: Perform) -> None:
    """D-52: no follow-up at all counted as stale at once."""
    issue(Erp(db), 60, at=AT)
    perform(ID, at(ID))
    assert follow_ups(db) == []


def test_the_last_follow_up_is_the_clock(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    touched = issue(erp, 30 * DAY, at=AT, last_follow_up_at=AT - timedelta(days=6))
    left = issue(erp, 30 * DAY, at=AT, last_follow_up_at=AT - timedelta(days=8))
    perform(ID, at(ID))
    assert moved(db) == {touched: Step("MEDIUM", 0), left: Step("HIGH", 0)}


def test_a_raise_writes_the_priority_a_follow_up_and_what_belfry_remembers(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 8 * DAY, at=AT)
    execution = perform(ID, at(ID))["execution_id"]
    (follow_up,) = db.execute(text("select * from erp.issue_follow_ups")).mappings()
    assert {k: follow_up[k] for k in follow_up if k != "id"} == {
        "issue_id": row, "follow_up_type": "PRIORITY_CHANGE", "operator_id": None, "operator_name": "SYSTEM",
        "content": "系统自动升级：超过 7 天没有跟进，优先级 MEDIUM → HIGH", "old_value": "MEDIUM", "new_value": "HIGH",
        "run_id": follow_up["run_id"], "created_at": AT,
    }  # fmt: skip
    assert str(follow_up["run_id"]) == execution
    (kept,) = remembered(db)
    assert (kept["priority"], kept["escalation_tier"]) == ("HIGH", 0)
    assert kept["priority_changed_at"] == kept["last_auto_escalated_at"] == AT
    assert str(kept["execution_id"]) == execution


def test_its_own_record_does_not_move_the_clock_and_a_week_later_it_rises_again(
    db: Connection, perform: Perform
) -> None:
    row = issue(Erp(db), 8 * DAY, at=AT, priority="LOW")
    for night in range(22):
        perform(ID, at(ID, night))
    assert db.execute(text("select last_follow_up_at from erp.issues")).scalar_one() is None
    assert follow_ups(db) == [(row, "LOW", "MEDIUM"), (row, "MEDIUM", "HIGH"), (row, "HIGH", "URGENT")]
    assert moved(db) == {row: Step("URGENT", 1)}  # nights 0, 7, 14 and 21


def test_an_urgent_issue_gets_no_record_of_a_change_that_is_none(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 8 * DAY, at=AT, priority="URGENT")
    assert perform(ID, at(ID))["counters"]["handed_over"] == 1
    assert (moved(db), follow_ups(db)) == ({row: Step("URGENT", 1)}, [])


@pytest.mark.parametrize("gone", [{"is_active": False}, {"is_archived": True}])
def test_nothing_moves_in_a_project_that_is_put_away(gone: dict[str, bool], db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    issue(erp, 30 * DAY, at=AT, project_id=erp.project(**gone))
    perform(ID, at(ID))
    assert follow_ups(db) == []


def test_assignee_and_project_manager_hear_of_a_raise_in_the_morning(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    manager, assignee, reporter = erp.user("李强"), erp.user("陈伟"), erp.user("周婷")
    issue(
        erp, 8 * DAY, at=AT, project_id=erp.project(pm_id=manager), assignee_id=assignee, reporter_id=reporter
    )
    perform(ID, at(ID))
    raise_ = [("REMINDER", "WARNING")]
    assert (told(db, manager), told(db, assignee), told(db, reporter)) == (raise_, raise_, [])
    due = db.execute(text("select distinct next_attempt_at from belfry.notification_deliveries")).scalar_one()
    assert due.astimezone(ZoneInfo("Asia/Shanghai")).time() == time(7, 30)


def test_without_an_assignee_the_manager_hears_that_it_is_unassigned(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    manager = erp.user("李强")
    issue(erp, 8 * DAY, at=AT, project_id=erp.project(pm_id=manager), assignee_id=None)
    perform(ID, at(ID))
    (message,) = messages(db)
    assert (message["told"], message["facts"]["assignee"]) == ([f"{manager} system"], None)


def test_with_neither_the_reporter_hears(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    reporter = erp.user("周婷")
    issue(erp, 8 * DAY, at=AT, project_id=None, assignee_id=None, reporter_id=reporter)
    perform(ID, at(ID))
    assert told(db, reporter) == [("REMINDER", "WARNING")]


def test_an_urgent_issue_goes_to_the_boss_then_the_project_manager_then_the_pmo(
    db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    boss, manager, pmo = erp.user("高翔"), erp.user("李强"), erp.user("苏慧", roles=["PMO"])
    assignee = erp.user("陈伟", manager_id=boss)
    issue(
        erp, 8 * DAY, at=AT, priority="URGENT", project_id=erp.project(pm_id=manager), assignee_id=assignee
    )
    handed, alerted = ("REMINDER", "CRITICAL"), ("NEW", "CRITICAL")
    perform(ID, at(ID))
    assert [told(db, user) for user in (boss, assignee, manager, pmo)] == [[handed], [alerted], [alerted], []]
    perform(ID, at(ID, 7))
    assert [told(db, user) for user in (boss, assignee, manager, pmo)] == [[handed], [alerted], [alerted, handed], []]
    perform(ID, at(ID, 14))
    assert told(db, pmo) == [handed]
    for night in (21, 28, 35):
        assert perform(ID, at(ID, night))["counters"]["handed_over"] == 0
    assert len(messages(db)) == 4
    (alert,) = alerts(db)
    assert alert["recipients"] == [f"USER:{assignee}", f"USER:{manager}", "ROLE:PMO"]


@pytest.mark.parametrize(
    ("tier", "people"), [(0, {"pm_id": True}), (0, {"pm_id": False}), (1, {"pm_id": False})], ids=str
)
def test_a_tier_that_nobody_fills_passes_to_the_next(
    tier: int, people: dict[str, bool], db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    manager, pmo = erp.user("李强"), erp.user("苏慧", roles=["PMO"])
    project = erp.project(pm_id=manager if people["pm_id"] else None)
    issue(erp, 8 * DAY, at=AT, last=8 * DAY, tier=tier, priority="URGENT", assignee_id=None, project_id=project)
    perform(ID, at(ID))
    assert ("REMINDER", "CRITICAL") in told(db, manager if people["pm_id"] else pmo)


def test_the_alert_ends_when_somebody_lowers_the_priority(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 8 * DAY, at=AT, priority="HIGH")
    perform(ID, at(ID))
    set_priority(db, row, "MEDIUM")
    perform(ID, at(ID, 1))
    assert [alert["status"] for alert in alerts(db)] == ["RESOLVED"]
    assert moved(db)[row].priority == "MEDIUM"


def test_an_alert_of_a_project_that_is_put_away_expires(db: Connection, perform: Perform) -> None:
    issue(Erp(db), 8 * DAY, at=AT, priority="HIGH")
    perform(ID, at(ID))
    db.execute(text("update erp.projects set is_archived = true"))
    perform(ID, at(ID, 1))
    assert [alert["status"] for alert in alerts(db)] == ["EXPIRED"]


def test_a_run_over_the_same_issues_writes_nothing(db: Connection, perform: Perform) -> None:
    for days in (8, 20):
        issue(Erp(db), days * DAY, at=AT, priority="URGENT")
    perform(ID, at(ID))
    before = remembered(db), follow_ups(db), messages(db), alerts(db)
    answer = perform(ID, at(ID, 0.5), kind="manual")
    assert (remembered(db), follow_ups(db), messages(db), alerts(db)) == before
    assert (answer["counters"]["raised"], answer["counters"]["handed_over"], answer["counters"]["updated"]) == (0, 0, 0)


def test_a_night_that_is_caught_up_late_does_not_move_what_moved_since(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 30 * DAY, at=AT)
    perform(ID, at(ID, 1))
    perform(ID, at(ID), kind="manual", now=at(ID, 1.5))
    assert follow_ups(db) == [(row, "MEDIUM", "HIGH")]

def test_a_raise_is_told_at_the_operators_hour(db: Connection, perform: Perform) -> None:
    issue(Erp(db), 8 * DAY, at=AT)
    perform(ID, at(ID), params={"tell_at": "09:15"}, kind="manual")
    due = db.execute(text("select not_before from belfry.notifications")).scalar_one()
    assert due.astimezone(ZoneInfo("Asia/Shanghai")).time() == time(9, 15)
