"""Issues that nobody touches rise once a week, and urgent ones go up from boss to boss."""

import threading
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from shared.db import new_engine
from shared.erp import issue_escalation, tables
from shared.rules.issue_escalation import Step
from tests.acceptance import AlertJob, copies_of
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import Erp
from tests.functions.issues.stale_issues import (
    FORGOTTEN as ID,
)
from tests.functions.issues.stale_issues import (
    NIGHT,
    follow_ups,
    issue,
    moved,
    remembered,
    set_priority,
    solve,
    told,
)
from tests.shared.rules.issue_escalation_cases import DAY, FORGOTTEN, WEEK

AT = NIGHT[ID]


def at(days: float = 0) -> str:
    return (AT + timedelta(days=days)).isoformat()


def forgotten_since(day: date, days: int = 7) -> datetime:
    """The minute that makes an issue forgotten with the first minute of a day."""
    return datetime.combine(day, time(), ZoneInfo("Asia/Shanghai")) - timedelta(days=days)


def spoil(erp: Erp, day: date) -> str:
    erp.issue(created_at=forgotten_since(day), closed_at=datetime(2026, 2, 27, 8, tzinfo=UTC))
    return "ISSUE"


CASES = [
    AlertJob(
        ID, "ISSUE_ESCALATED", clock="01:00",
        violate=lambda erp, day: erp.issue(priority="HIGH", created_at=forgotten_since(day)),
        clear=solve,
        spoil=spoil,
        multiply=copies_of(tables.issues, "issue_no"),
        reasons={
            "a_worse_level_upgrades_the_same_alert_and_tells_once":
                "one level: whoever has the issue, its escalation is CRITICAL; a new tier is told by a message",
        },
    ),
]  # fmt: skip


def test_the_job_moves_every_case_as_the_rule_says(db: Connection, perform: Perform) -> None:
    erp, expected = Erp(db), {}
    for priority, tier, untouched, last, becomes in FORGOTTEN:
        row = issue(erp, untouched, at=AT, last=last, tier=tier, priority=priority)
        expected[row] = becomes or Step(priority, tier)
    perform(ID, at())
    assert moved(db) == expected


def test_seven_days_to_the_minute_is_not_stale_and_a_minute_more_is(db: Connection, perform: Perform) -> None:
    still, raised = issue(Erp(db), WEEK, at=AT), issue(Erp(db), WEEK + 1, at=AT)
    assert perform(ID, at())["counters"]["raised"] == 1
    assert moved(db) == {still: Step("MEDIUM", 0), raised: Step("HIGH", 0)}


def test_an_issue_of_today_that_nobody_followed_up_is_not_stale(db: Connection, perform: Perform) -> None:
    """D-52: no follow-up at all counted as stale at once."""
    issue(Erp(db), 60, at=AT)
    perform(ID, at())
    assert follow_ups(db) == []


def test_the_last_follow_up_is_the_clock(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    touched = issue(erp, 30 * DAY, at=AT, last_follow_up_at=AT - timedelta(days=6))
    left = issue(erp, 30 * DAY, at=AT, last_follow_up_at=AT - timedelta(days=8))
    perform(ID, at())
    assert moved(db) == {touched: Step("MEDIUM", 0), left: Step("HIGH", 0)}


def test_a_raise_writes_the_priority_a_follow_up_and_what_belfry_remembers(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 8 * DAY, at=AT)
    execution = perform(ID, at())["execution_id"]
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
        perform(ID, at(night))
    assert db.execute(text("select last_follow_up_at from erp.issues")).scalar_one() is None
    assert follow_ups(db) == [(row, "LOW", "MEDIUM"), (row, "MEDIUM", "HIGH"), (row, "HIGH", "URGENT")]
    assert moved(db) == {row: Step("URGENT", 1)}  # nights 0, 7, 14 and 21


def test_an_urgent_issue_gets_no_record_of_a_change_that_is_none(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 8 * DAY, at=AT, priority="URGENT")
    assert perform(ID, at())["counters"]["handed_over"] == 1
    assert (moved(db), follow_ups(db)) == ({row: Step("URGENT", 1)}, [])


@pytest.mark.parametrize("status", ["RESOLVED", "CLOSED", "CANCELLED", "DEFERRED", "DELETED"])
def test_only_open_issues_are_forgotten(status: str, db: Connection, perform: Perform) -> None:
    issue(Erp(db), 30 * DAY, at=AT, status=status)
    issue(Erp(db), 30 * DAY, at=AT, status="PROCESSING")
    answer = perform(ID, at())
    assert (answer["counters"]["checked"], answer["counters"]["raised"]) == (1, 1)


@pytest.mark.parametrize("gone", [{"is_active": False}, {"is_archived": True}])
def test_nothing_moves_in_a_project_that_is_put_away(gone: dict[str, bool], db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    issue(erp, 30 * DAY, at=AT, project_id=erp.project(**gone))
    perform(ID, at())
    assert follow_ups(db) == []


def test_assignee_and_project_manager_hear_of_a_raise_in_the_morning(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    manager, assignee, reporter = erp.user("李强"), erp.user("陈伟"), erp.user("周婷")
    issue(
        erp, 8 * DAY, at=AT, project_id=erp.project(pm_id=manager), assignee_id=assignee, reporter_id=reporter
    )
    perform(ID, at())
    raise_ = [("REMINDER", "WARNING")]
    assert (told(db, manager), told(db, assignee), told(db, reporter)) == (raise_, raise_, [])
    due = db.execute(text("select distinct next_attempt_at from belfry.notification_deliveries")).scalar_one()
    assert due.astimezone(ZoneInfo("Asia/Shanghai")).time() == time(7, 30)


def test_without_an_assignee_the_manager_hears_that_it_is_unassigned(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    manager = erp.user("李强")
    issue(erp, 8 * DAY, at=AT, project_id=erp.project(pm_id=manager), assignee_id=None)
    perform(ID, at())
    (message,) = messages(db)
    assert (message["told"], message["facts"]["assignee"]) == ([f"{manager} system"], None)


def test_with_neither_the_reporter_hears(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    reporter = erp.user("周婷")
    issue(erp, 8 * DAY, at=AT, project_id=None, assignee_id=None, reporter_id=reporter)
    perform(ID, at())
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
    perform(ID, at())
    assert [told(db, user) for user in (boss, assignee, manager, pmo)] == [[handed], [alerted], [alerted], []]
    perform(ID, at(7))
    assert [told(db, user) for user in (boss, assignee, manager, pmo)] == [[handed], [alerted], [alerted, handed], []]
    perform(ID, at(14))
    assert told(db, pmo) == [handed]
    for night in (21, 28, 35):
        assert perform(ID, at(night))["counters"]["handed_over"] == 0
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
    perform(ID, at())
    assert ("REMINDER", "CRITICAL") in told(db, manager if people["pm_id"] else pmo)


def test_what_becomes_urgent_is_alerted_once_and_not_told_twice(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    assignee = erp.user("陈伟")
    row = issue(erp, 8 * DAY, at=AT, priority="HIGH", assignee_id=assignee)
    perform(ID, at())
    (alert,) = alerts(db)
    assert (alert["rule_code"], alert["target_id"], alert["base_level"]) == ("ISSUE_ESCALATED", row, "CRITICAL")
    assert told(db, assignee) == [("NEW", "CRITICAL")]


def test_the_alert_ends_when_somebody_lowers_the_priority(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 8 * DAY, at=AT, priority="HIGH")
    perform(ID, at())
    set_priority(db, row, "MEDIUM")
    perform(ID, at(1))
    assert [alert["status"] for alert in alerts(db)] == ["RESOLVED"]
    assert moved(db)[row].priority == "MEDIUM"


def test_an_alert_of_a_project_that_is_put_away_expires(db: Connection, perform: Perform) -> None:
    issue(Erp(db), 8 * DAY, at=AT, priority="HIGH")
    perform(ID, at())
    db.execute(text("update erp.projects set is_archived = true"))
    perform(ID, at(1))
    assert [alert["status"] for alert in alerts(db)] == ["EXPIRED"]


def test_an_operators_thresholds_are_the_ones_that_count(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 2 * DAY + 1, at=AT)
    perform(ID, at(), params={"stale_days": 2, "tell_at": "09:15"}, kind="manual")
    assert moved(db) == {row: Step("HIGH", 0)}
    due = db.execute(text("select not_before from belfry.notifications")).scalar_one()
    assert due.astimezone(ZoneInfo("Asia/Shanghai")).time() == time(9, 15)


def test_a_run_over_the_same_issues_writes_nothing(db: Connection, perform: Perform) -> None:
    for days in (8, 20):
        issue(Erp(db), days * DAY, at=AT, priority="URGENT")
    perform(ID, at())
    before = remembered(db), follow_ups(db), messages(db), alerts(db)
    answer = perform(ID, at(0.5), kind="manual")
    assert (remembered(db), follow_ups(db), messages(db), alerts(db)) == before
    assert (answer["counters"]["raised"], answer["counters"]["handed_over"], answer["counters"]["updated"]) == (0, 0, 0)


def test_a_night_that_is_caught_up_late_does_not_move_what_moved_since(db: Connection, perform: Perform) -> None:
    row = issue(Erp(db), 30 * DAY, at=AT)
    perform(ID, at(1))
    perform(ID, at(), kind="manual", now=at(1.5))
    assert follow_ups(db) == [(row, "MEDIUM", "HIGH")]


def test_both_jobs_at_once_move_an_issue_once(db: Connection, database_url: str, perform: Perform) -> None:
    """D-53: after a night without electricity both catch up in the same second."""
    perform(ID, at(-1))  # registered: the thread has no use for this connection
    row, answers = issue(Erp(db), 30 * DAY, at=AT), list[dict[str, Any]]()
    engine = new_engine(database_url, socket_timeout=60)
    with engine.connect() as other:
        other.exec_driver_sql("begin")
        other.execute(issue_escalation.alone())
        waiting = threading.Thread(target=lambda: answers.append(perform(ID, at())))
        waiting.start()
        held = text("select count(*) from pg_locks where not granted and relation = 'belfry.issue_escalations'::regclass")
        for _ in range(20_000):
            if db.execute(held).scalar_one():
                break
        old = issue_escalation.too_old(AT, {"MEDIUM": timedelta(days=7)}, timedelta(hours=24))
        other.execute(issue_escalation.moved(old, AT, "00000000-0000-0000-0000-000000000001"))
        other.exec_driver_sql("commit")
        waiting.join(30)
    engine.dispose()
    assert answers[0]["state"] == "succeeded"
    assert follow_ups(db) == [(row, "MEDIUM", "HIGH")]
