"""What do both jobs promise that raise an issue, whether nobody touched it or it is too old? And what do they do together?"""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.db import new_engine
from shared.erp import issue_escalation
from shared.rules.issue_escalation import Step
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import Erp
from tests.functions.issues.stale_issues import FORGOTTEN, NIGHT, TOO_OLD, at, follow_ups, issue, moved, told
from tests.shared.rules import issue_escalation_cases
from tests.shared.rules.issue_escalation_cases import DAY

TABLES = {FORGOTTEN: issue_escalation_cases.FORGOTTEN, TOO_OLD: issue_escalation_cases.TOO_OLD}
either = pytest.mark.parametrize("job", TABLES)


@either
def test_the_job_moves_every_case_as_the_rule_says(job: str, db: Connection, perform: Perform) -> None:
    erp, expected = Erp(db), {}
    for priority, tier, minutes, last, becomes in TABLES[job]:
        row = issue(erp, minutes, at=NIGHT[job], last=last, tier=tier, priority=priority)
        expected[row] = becomes or Step(priority, tier)
    perform(job, at(job))
    assert moved(db) == expected


@either
@pytest.mark.parametrize("status", ["RESOLVED", "CLOSED", "CANCELLED", "DEFERRED", "DELETED"])
def test_only_open_issues_are_looked_at(job: str, status: str, db: Connection, perform: Perform) -> None:
    """D-41: upstream looked for IN_PROGRESS and REOPENED, which no issue has."""
    issue(Erp(db), 30 * DAY, at=NIGHT[job], status=status)
    issue(Erp(db), 30 * DAY, at=NIGHT[job], status="PROCESSING")
    answer = perform(job, at(job))
    assert (answer["counters"]["checked"], answer["counters"]["raised"]) == (1, 1)


@either
def test_becoming_urgent_is_alerted_and_a_lower_step_is_only_told(job: str, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    urgent, high = erp.user("陈伟"), erp.user("刘洋")
    row = issue(erp, 8 * DAY, at=NIGHT[job], priority="HIGH", assignee_id=urgent)
    issue(erp, 8 * DAY, at=NIGHT[job], priority="MEDIUM", assignee_id=high)
    perform(job, at(job))
    assert [(a["rule_code"], a["target_id"], a["base_level"]) for a in alerts(db)] == [("ISSUE_ESCALATED", row, "CRITICAL")]
    assert (told(db, urgent), told(db, high)) == ([("NEW", "CRITICAL")], [("REMINDER", "WARNING")])


@pytest.mark.parametrize(
    ("job", "minutes", "params"),
    [
        (FORGOTTEN, 2 * DAY + 1, {"stale_days": 2}),
        (TOO_OLD, 4 * DAY, {"age_days": {"LOW": 9, "MEDIUM": 3, "HIGH": 2, "URGENT": 1}}),
    ],
)
def test_an_operators_thresholds_are_the_ones_that_count(
    job: str, minutes: int, params: dict[str, Any], db: Connection, perform: Perform
) -> None:
    row = issue(Erp(db), minutes, at=NIGHT[job])
    perform(job, at(job), params=params, kind="manual")
    assert moved(db) == {row: Step("HIGH", 0)}


# ---------------------------------------------------------------- together
@pytest.mark.parametrize("priority", ["LOW", "MEDIUM", "HIGH", "URGENT"])
def test_both_jobs_in_one_night_are_one_step(priority: str, db: Connection, perform: Perform) -> None:
    """D-53: two jobs raised the same issue within 30 minutes."""
    row = issue(Erp(db), 90 * DAY, at=NIGHT[TOO_OLD], priority=priority)
    perform(FORGOTTEN, at(FORGOTTEN))
    once, said = moved(db)[row], messages(db)
    assert once != Step(priority, 0)
    answer = perform(TOO_OLD, at(TOO_OLD))
    assert (moved(db)[row], messages(db)) == (once, said)
    assert (answer["counters"]["raised"], answer["counters"]["handed_over"]) == (0, 0)


def test_what_was_too_old_and_moved_the_other_job_leaves_alone_for_a_week(db: Connection, perform: Perform) -> None:
    issue(Erp(db), 20 * DAY, at=NIGHT[TOO_OLD])
    perform(TOO_OLD, at(TOO_OLD))
    raised = []
    for night in range(1, 9):
        answer = perform(FORGOTTEN, at(FORGOTTEN, night))
        raised.append(answer["counters"]["raised"])
    assert raised == [0] * 7 + [1]


def test_both_jobs_at_once_move_an_issue_once(db: Connection, database_url: str, perform: Perform) -> None:
    """D-53: after a night without electricity both catch up in the same second."""
    perform(FORGOTTEN, at(FORGOTTEN, -1))  # registered: the thread has no use for this connection
    row, answers = issue(Erp(db), 30 * DAY, at=NIGHT[FORGOTTEN]), list[dict[str, Any]]()
    engine = new_engine(database_url, socket_timeout=60)
    with engine.connect() as other:
        other.exec_driver_sql("begin")
        other.execute(issue_escalation.alone())
        waiting = threading.Thread(target=lambda: answers.append(perform(FORGOTTEN, at(FORGOTTEN))))
        waiting.start()
        held = text("select count(*) from pg_locks where not granted and relation = 'belfry.issue_escalations'::regclass")
        for _ in range(20_000):
            if db.execute(held).scalar_one():
                break
        old = issue_escalation.too_old(NIGHT[FORGOTTEN], {"MEDIUM": timedelta(days=7)}, timedelta(hours=24))
        other.execute(issue_escalation.moved(old, NIGHT[FORGOTTEN], "00000000-0000-0000-0000-000000000001"))
        other.exec_driver_sql("commit")
        waiting.join(30)
    engine.dispose()
    assert answers[0]["state"] == "succeeded"
    assert follow_ups(db) == [(row, "MEDIUM", "HIGH")]
