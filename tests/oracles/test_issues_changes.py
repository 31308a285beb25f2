"""Over random rows and several days, the jobs of issues and changes do what the rulebook says, and nothing else."""

import random
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.oracles import issues_changes as oracle

SEEDS = [1, 2]


@pytest.fixture(params=SEEDS)
def books(request: pytest.FixtureRequest, db: Connection) -> Connection:
    oracle.generate(Erp(db), random.Random(request.param), TODAY)
    return db


def at(day: date, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}+08:00")


def alerted(db: Connection, rule: str) -> dict[tuple[str, int], tuple[str, set[str]]]:
    rows = db.execute(
        text("""select a.target_type, a.target_id, a.base_level, a.recipients from belfry.alert_records a
                join belfry.alert_rules r on r.id = a.rule_id where r.rule_code = :rule and a.status = 'PENDING'"""),
        {"rule": rule},
    )
    return {(row.target_type, row.target_id): (row.base_level, set(row.recipients)) for row in rows}


def messages(db: Connection) -> dict[int, tuple[str, str, set[str]]]:
    rows = db.execute(text("select * from belfry.notifications where type = 'ISSUE_ESCALATED' and reason = 'REMINDER'"))
    return {int(r.dedupe_key.split("|")[2]): (r.facts["step"], r.severity, set(r.recipients)) for r in rows}


def test_nights_of_both_escalation_jobs(books: Connection, perform: Perform) -> None:
    raised = handed = 0
    for night in range(5):
        day = TODAY + timedelta(days=night)
        for job, clock, decide in (
            ("check_timeout_issues", "01:00", oracle.forgotten_night),
            ("check_issue_timeout_escalation", "01:30", oracle.old_night),
        ):
            expected = oracle.issues(books)
            decide(expected.values(), at(day, clock))
            books.execute(text("delete from belfry.notification_deliveries"))
            books.execute(text("delete from belfry.notifications where type = 'ISSUE_ESCALATED' and reason = 'REMINDER'"))
            counters = perform(job, at(day, clock).isoformat())["counters"]
            found = oracle.issues(books)
            known = lambda all_: {n: (i.priority, i.since, i.last, i.tier, i.seen_as) for n, i in all_.items()}  # noqa: E731
            assert known(found) == known(expected)
            assert {n for n, i in expected.items() if i.priority != i.row.priority} == set(
                books.execute(
                    text("select issue_id from erp.issue_follow_ups where created_at = :at and operator_name = 'SYSTEM'"),
                    {"at": at(day, clock)},
                ).scalars()
            )
            steps = [issue.stepped for issue in expected.values()]
            assert (counters["raised"], counters["handed_over"]) == (steps.count("RAISED"), steps.count("HANDED_OVER"))
            raised, handed = raised + counters["raised"], handed + counters["handed_over"]
            urgent = {("ISSUE", n): i for n, i in found.items() if i.alerted()}
            at_pmo = {key: {"ROLE:PMO"} if i.tier == 3 else set() for key, i in urgent.items()}
            assert alerted(books, "ISSUE_ESCALATED") == {
                key: ("CRITICAL", i.concerned() | at_pmo[key]) for key, i in urgent.items()
            }
            told: dict[int, Any] = {}
            for number, issue in expected.items():
                if issue.stepped == "HANDED_OVER":
                    told[number] = ("HANDED_OVER", "CRITICAL", issue.taken_by())
                elif issue.stepped == "RAISED" and issue.priority != "URGENT":
                    told[number] = ("RAISED", "WARNING", issue.concerned())
            assert messages(books) == told
    assert raised > 50
    assert handed > 20


def test_the_statistics_of_several_days(books: Connection, perform: Perform) -> None:
    for later in (0, 1, 2, -3):
        day = TODAY + timedelta(days=later)
        perform("daily_issue_statistics_snapshot", at(day, "03:00").isoformat(), kind="manual")
        expected = oracle.statistics(books, day)
        row = dict(
            books.execute(
                text("select * from belfry.issue_statistics_snapshots where snapshot_date = :day"),
                {"day": expected["snapshot_date"]},
            ).mappings().one()
        )  # fmt: skip
        extras = row["by_status"].pop("extras")
        rolling, response, resolve = expected.pop("extras")
        assert extras == {
            "resolved_30d": rolling, "avg_response_h_30d": response and float(response),
            "avg_resolve_h_30d": resolve and float(resolve),
        }  # fmt: skip
        found = {name: {k: n for k, n in v.items() if n} if isinstance(v, dict) else v for name, v in row.items()}
        assert {name: found[name] for name in expected} == expected
        assert expected["total"] > 200


def test_engineering_changes_of_several_days(books: Connection, perform: Perform) -> None:
    for later in (0, 1, 3):
        now = at(TODAY + timedelta(days=later), "09:00")
        answer = perform("run_ecn_scheduler", now.isoformat())
        told, approvals, broken = oracle.changes(books, now)
        assert alerted(books, "ECN_OVERDUE") == told
        flags = books.execute(text("select * from belfry.approval_overdue")).all()
        unknown = {row.approval_id for row in flags} - approvals.keys()
        assert {row.approval_id: row.overdue_since for row in flags if row.approval_id not in unknown} == approvals
        contradictory = text("select id from erp.ecn_approvals where due_at < created_at")
        assert unknown <= set(books.execute(contradictory).scalars())
        items = text("select item_key from belfry.execution_items where execution_id = cast(:id as uuid) and status = 'failed'")
        assert set(books.execute(items, {"id": answer["execution_id"]}).scalars()) == broken
        assert {level for level, _ in told.values()} == {"WARNING", "CRITICAL", "URGENT"}
        assert {kind for kind, _ in told} == {"ECN_EVALUATION", "ECN_APPROVAL", "ECN_TASK"}
