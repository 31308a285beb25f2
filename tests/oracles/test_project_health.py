"""Over random rows and several days, milestones, colours and records of projects are what the rulebook says they are."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.oracles import project_health as oracle
from tests.oracles import project_rows
from tests.oracles.reading import told


@pytest.fixture(params=[1, 2])
def firm(request: pytest.FixtureRequest, db: Connection) -> Connection:
    project_rows.generate(Erp(db), random.Random(request.param), TODAY)
    return db


def test_milestones(firm: Connection, perform: Perform) -> None:
    for later in (0, 1, 5):
        day = TODAY + timedelta(days=later)
        answer = perform("check_milestone_alerts", f"{day}T08:00+08:00")
        expected, broken, defects = oracle.milestones(firm, day)
        assert told(firm, "MILESTONE_DUE") == expected
        assert {level for level, _ in expected.values()} == {"INFO", "WARNING", "CRITICAL", "URGENT"}
        items = firm.execute(
            text("select status, count(*) from belfry.execution_items where execution_id = cast(:id as uuid) group by 1"),
            {"id": answer["execution_id"]},
        )
        assert dict(items.all()) == {"failed": broken, "defect": defects}
        assert broken


def test_the_colours_their_reasons_their_log_and_who_hears_of_them(firm: Connection, perform: Perform) -> None:
    for later, clock in ((0, "09:00"), (0, "10:00"), (1, "10:00"), (9, "09:00")):
        day = TODAY + timedelta(days=later)
        expected = oracle.judged(firm, day)
        before = dict(firm.execute(text("select id, health from erp.projects")).all())
        answer = perform("calculate_project_health", f"{day}T{clock}+08:00")

        after = dict(firm.execute(text("select id, health from erp.projects")).all())
        assert after == before | {project: health.colour for project, health in expected.items()}
        kept = firm.execute(text("select project_id, health, reasons from belfry.project_health"))
        found = {row.project_id: (row.health, row.reasons) for row in kept}
        assert {project: found[project] for project in expected} == {p: (h.colour, h.reasons) for p, h in expected.items()}
        log = firm.execute(
            text("select project_id, old_health, new_health from belfry.project_status_logs where execution_id = cast(:id as uuid)"),
            {"id": answer["execution_id"]},
        )
        changed = {(p, before[p], after[p]) for p in before if before[p] != after[p]}
        assert {tuple(row) for row in log} == changed
        red = {p: h for p, h in expected.items() if h.colour == "H3"}
        assert told(firm, "PROJECT_BLOCKED") == {p: ("CRITICAL", oracle.users(h.project.pm_id)) for p, h in red.items()}
        reminders = firm.execute(
            text("select project_id, recipients from belfry.notifications where type = 'PROJECT_HEALTH_CHANGED' and execution_id = cast(:id as uuid)"),
            {"id": answer["execution_id"]},
        )
        managers = {p: oracle.users(expected[p].project.pm_id) for p, old, new in changed if (old, new) == ("H1", "H2")}
        assert {row.project_id: set(row.recipients) for row in reminders} == {p: whom for p, whom in managers.items() if whom}
        assert {"H1", "H2", "H3", "H4"} <= set(after.values())
        firm.execute(text("update erp.issues set status = 'RESOLVED' where mod(id, 3) = :n"), {"n": later % 3})
        firm.execute(text("update erp.project_tasks set status = 'BLOCKED' where mod(id, 41) = :n"), {"n": later})
    (roles,) = firm.execute(text("select notify_roles from belfry.alert_rules where rule_code = 'PROJECT_BLOCKED'")).scalars()
    assert roles == ["PMO"]


def test_the_daily_record_and_the_monday_digest(firm: Connection, perform: Perform) -> None:
    expected = oracle.snapshots(firm, TODAY)
    answer = perform("daily_health_snapshot", f"{TODAY}T02:00+08:00")
    stored = {
        row["project_id"]: {**row, "top_risks": [(risk["code"], risk["health"]) for risk in row["top_risks"]]}
        for row in firm.execute(
            text("select * from belfry.project_health_snapshots where execution_id = cast(:id as uuid)"), {"id": answer["execution_id"]}
        ).mappings()
    }
    assert stored.keys() == expected.keys()
    for project, row in expected.items():
        assert {name: stored[project][name] for name in row} == row, project
    for name in ("schedule_health", "cost_health", "quality_health", "resource_health"):
        assert {"H1", "H2", "H3", "H4"} <= {row[name] for row in expected.values()}
    assert any(row["open_alerts"] > 20 for row in expected.values())
    (digest,) = firm.execute(text("select recipients, facts from belfry.notifications where type = 'DIGEST_HEALTH'")).all()
    fallen = oracle.fallen(firm, TODAY)
    assert digest.recipients == ["ROLE:PMO"]
    assert (digest.facts["count"], [(i["project_code"], i["before"], i["score"]) for i in digest.facts["items"]]) == (
        len(fallen), fallen[:20],
    )  # fmt: skip
    assert fallen
