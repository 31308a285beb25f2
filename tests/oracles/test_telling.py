"""Over random people, wishes and deliveries, the hourly audit tells, releases and reports what the rulebook says."""

import random
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform, _forget_process_state
from tests.factories import Erp
from tests.oracles import telling as oracle
from tests.oracles import telling_rows

JOB = "send_alert_notifications"
NOW = datetime.fromisoformat("2026-03-02T09:15+08:00")


@pytest.fixture(params=[1, 2])
def office(request: pytest.FixtureRequest, db: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setenv("EMAIL_ENABLED", "true")
    monkeypatch.setenv("EMAIL_SMTP_SERVER", "127.0.0.1")
    monkeypatch.setenv("EMAIL_FROM", "bot@example.com")
    _forget_process_state()
    telling_rows.generate(Erp(db), random.Random(request.param), NOW)
    return db


def plans(db: Connection, execution_id: str) -> dict[int, tuple[str, set[str], dict[tuple[int, str], str]]]:
    """Per alert its message of that run: level, recipients, and what became of it for everybody."""
    found: dict[int, Any] = {}
    rows = db.execute(
        text("""select n.alert_id, n.severity, n.recipients, d.user_id, d.channel, d.state, d.reason
                from belfry.notifications n left join belfry.notification_deliveries d on d.notification_id = n.id
                where n.execution_id = cast(:id as uuid) and n.reason = 'NEW' and n.type <> 'NOTIFY_FAILED'"""),
        {"id": execution_id},
    )
    for row in rows:
        *_, plan = found.setdefault(row.alert_id, (row.severity, set(row.recipients), {}))
        if row.user_id:
            plan[row.user_id, row.channel] = row.reason if row.state == "suppressed" else row.state
    return found


@pytest.mark.parametrize("most", [20, 10_000])
def test_the_hourly_audit(office: Connection, perform: Perform, most: int) -> None:
    expected = {
        alert: (*said, oracle.deliveries(office, alert, NOW)) for alert, said in oracle.forgotten(office, NOW, most).items()
    }
    fate, digests = oracle.released(office, NOW)
    deliveries = text("select id, state, reason from belfry.notification_deliveries where created_at < :now")
    before = {row.id: row for row in office.execute(deliveries, {"now": NOW})}

    answer = perform(JOB, NOW.isoformat(), params={"max_alerts": most}, kind="manual")

    assert plans(office, answer["execution_id"]) == expected
    after = {row.id: row for row in office.execute(deliveries, {"now": NOW})}
    assert {i: after[i].reason if after[i].state == "suppressed" else after[i].state for i in fate} == fate
    assert {i: row for i, row in after.items() if i not in fate} == {i: row for i, row in before.items() if i not in fate}
    written = office.execute(text("select recipients, channels, facts from belfry.notifications where type = 'DIGEST' and dedupe_key ~ '^DIGEST'"))
    assert {(int(row.recipients[0].removeprefix("USER:")), row.channels[0]): row.facts["count"] for row in written} == digests
    failing = office.execute(text("""select a.target_no, a.base_level, a.facts from belfry.alert_records a
        join belfry.alert_rules r on r.id = a.rule_id where r.rule_code = 'NOTIFY_FAILED'"""))
    assert {row.target_no: (row.base_level, row.facts["untold"]) for row in failing} == oracle.failing_channels(office, NOW)
    counted = {name: n for name, n in answer["counters"].items() if name.split("_")[0] in ("system", "email", "wechat", "sms")}
    assert counted == oracle.counted(office, NOW)

    assert (answer["status"] == "partial") == (most == 20)
    assert len(expected) == 20 if most == 20 else len(expected) > 40
    assert {"queued", "deferred", "channel_disabled", "preference", "min_level"} <= {what for *_, plan in expected.values() for what in plan.values()}
    assert {"expired", "alert_closed", "user_inactive", "queued", "deferred", "digest"} <= set(fate.values())
