"""Over random alerts and a night and a day, exactly those climb that the rulebook lets climb, and who hears of it."""

import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import Erp
from tests.oracles import escalation as oracle

BEGIN = datetime.fromisoformat("2026-03-02T17:10+08:00")


@pytest.mark.parametrize("seed", [1, 2])
def test_the_steps_of_a_night_and_a_day(seed: int, db: Connection, perform: Perform) -> None:
    oracle.generate(Erp(db), random.Random(seed), BEGIN)
    bases = dict(db.execute(text("select id, base_level from belfry.alert_records")).all())
    climbed = []
    for hour in (0, 1, 2, 4, 7, 8, 15, 16, 18, 24):
        now = BEGIN + timedelta(hours=hour)
        expected = oracle.steps(db, now)
        untouched = text("select id, to_jsonb(a) from belfry.alert_records a where not id = any(:ids)")
        before = db.execute(untouched, {"ids": list(expected)}).all()
        answer = perform("check_alert_escalation", now.isoformat())

        rows = db.execute(text("select * from belfry.alert_records where escalated_at = :now"), {"now": now}).all()
        messages = db.execute(
            text("select * from belfry.notifications where reason = 'ESCALATED' and execution_id = cast(:id as uuid)"),
            {"id": answer["execution_id"]},
        )
        told = {message.alert_id: (message.severity, frozenset(message.recipients)) for message in messages}
        moved = {row.id: row for row in rows if row.id in told}
        assert {
            i: oracle.Step(row.alert_level, row.level_changed_at, row.escalation_count, row.escalated_to, told[i][1]) for i, row in moved.items()
        } == expected
        assert {i: severity for i, (severity, _) in told.items()} == {i: step.level for i, step in expected.items()}
        assert {row.id: row.base_level for row in db.execute(text("select id, base_level from belfry.alert_records"))} == bases
        assert db.execute(untouched, {"ids": list(expected)}).all() == before
        climbed += [(hour, step.level) for step in expected.values()]
    assert {level for _, level in climbed} == {"WARNING", "CRITICAL", "URGENT"}
    assert len({hour for hour, _ in climbed}) > 8
