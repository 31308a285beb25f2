"""The night's escalations, the statistics and the engineering changes of the demo factory: what its titles promise."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from infra.local.demo import changes, issues, populate, stale_issues
from tests.conftest import Perform
from tests.infra.test_demo_jobs import NONE, levels, promised

BECOMES = re.compile(r"→(\w+)(?: (\d))?）$")
Morning = Callable[[str, str], dict[str, Any]]


@pytest.fixture(params=[date(2026, 3, 2), date(2026, 11, 22)], ids=str)
def morning(request: pytest.FixtureRequest, db: Connection, perform: Perform) -> Morning:
    populate(db, request.param)

    def run(job_id: str, clock: str) -> dict[str, Any]:
        answer = perform(job_id, f"{request.param}T{clock}+08:00")
        assert answer["state"] == "succeeded", answer
        return answer

    return run


def test_one_night_of_both_escalation_jobs(morning: Morning, db: Connection) -> None:
    stale, old = morning("check_timeout_issues", "01:00"), morning("check_issue_timeout_escalation", "01:30")
    rows = db.execute(
        text("""select i.id, i.title, i.priority, coalesce(e.escalation_tier, 0) as tier
                from erp.issues i left join belfry.issue_escalations e on e.issue_id = i.id""")
    ).all()
    mine = {row.title: (row.priority, row.tier) for row in rows if row.id >= stale_issues.FIRST}
    assert mine == {
        title: (found[1], int(found[2] or 0)) for title in mine if (found := BECOMES.search(title)) is not None
    }
    given = {title: priority for _, title, _, priority, *_ in issues.OVERDUE} | {
        title: "MEDIUM" for _, title, *_ in issues.BLOCKING
    }
    assert {row.title: row.priority for row in rows if row.title in given} == given
    counted = [(answer["counters"]["raised"], answer["counters"]["handed_over"]) for answer in (stale, old)]
    assert counted == [(7, 3), (3, 2)]
    alerted = levels(db, "ISSUE_ESCALATED")
    titles = {row.id: row.title for row in rows}
    expected = {row.id for row in rows if "升到最高" in row.title or "移交" in row.title}
    assert alerted == dict.fromkeys(expected, "CRITICAL"), [titles[i] for i in alerted.keys() ^ expected]


def test_the_statistics_of_yesterday(morning: Morning, db: Connection) -> None:
    morning("daily_issue_statistics_snapshot", "03:00")
    row = db.execute(text("select * from belfry.issue_statistics_snapshots")).one()
    total = db.execute(text("select count(*) from erp.issues where status <> 'DELETED'")).scalar_one()
    assert row.total == total == sum(row.by_project.values())
    assert row.new_count == 7
    assert row.resolved_count == row.closed_count + 1 == 2
    assert row.by_status["extras"]["resolved_30d"] > 5
    assert row.avg_resolve_h is not None


def test_engineering_changes(morning: Morning, db: Connection) -> None:
    counters = morning("run_ecn_scheduler", "09:00")["counters"]
    said = {title: promised(title) for title, *_ in (*changes.TIMED, *changes.APPROVALS, *changes.TASKS)}
    found = db.execute(
        text("""select a.target_name, a.base_level from belfry.alert_records a
                join belfry.alert_rules r on r.id = a.rule_id where r.rule_code = 'ECN_OVERDUE'""")
    )
    assert {row.target_name: row.base_level for row in found} == {t: level for t, level in said.items() if level != NONE}
    assert (counters["approvals_overdue"], counters["approvals_in_time"], counters["no_planned_end"]) == (4, 1, 1)
    flagged = db.execute(
        text("""select c.ecn_title from belfry.approval_overdue o join erp.ecn_approvals a on a.id = o.approval_id
                join erp.ecns c on c.id = a.ecn_id""")
    ).scalars()
    assert {promised(title) for title in flagged} == {"WARNING", "CRITICAL", "URGENT"}


def test_the_next_morning_each_person_is_reminded_once(db: Connection, perform: Perform) -> None:
    day = date(2026, 3, 2)
    populate(db, day)
    for later in (0, 1):
        perform("run_ecn_scheduler", f"{day + timedelta(days=later)}T09:00+08:00")
    keys = db.execute(text("select dedupe_key from belfry.notifications where type = 'ECN_OVERDUE_ALERT'")).scalars()
    assert len(set(keys)) >= 10
