"""Job 36: the hourly audit of telling. It sends nothing itself; it finds who was not told, and says so."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.acceptance.cases import AlertJob, RowsJob
from tests.acceptance.many import copies_of_alerts, old_alert
from tests.conftest import Perform, _forget_process_state
from tests.evidence import messages
from tests.factories import Erp
from tests.telling import NINE, alert, at, clock, delivery, look, notification

JOB = "send_alert_notifications"


@pytest.fixture(autouse=True)
def _nine_o_clock(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_ENABLED", "true")
    monkeypatch.setenv("EMAIL_SMTP_SERVER", "127.0.0.1")
    monkeypatch.setenv("EMAIL_FROM", "bot@example.com")
    _forget_process_state()
    clock(db, NINE)


def _dead(erp: Erp, day: date) -> int:
    """Somebody whom a message reached on no channel; the alert's target is the channel, which has no number."""
    return delivery(erp.conn, erp.user(), state="dead", reason="ladder", next_attempt_at=at(-30))


def _again(db: Connection, lost: int) -> None:
    db.execute(text("update belfry.notification_deliveries set state = 'sent' where id = :id"), {"id": lost})


def _grave(db: Connection, lost: int) -> None:
    db.execute(text("update belfry.notifications set severity = 'CRITICAL'"))


_FEW = "few rows: a channel is told once, and there are four"
CASES = [
    AlertJob(
        JOB, "NOTIFY_FAILED", clock="09:15", every=timedelta(hours=1), violate=_dead, clear=_again, worsen=_grave,
        multiply=lambda db, target, n: None,
        reasons={
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done": "all can be judged: a delivery is dead or is not",
            "the_business_day_begins_at_local_midnight": "no day: what died within a day is told now",
            "the_number_of_statements_does_not_depend_on_the_rows": _FEW,
            "fifty_thousand_rows_are_done_within_the_jobs_timeout": _FEW,
        },
    ),
    RowsJob(
        JOB, clock="09:15", every=timedelta(hours=1),
        arrange=old_alert,
        multiply=copies_of_alerts,
        made=messages,
        reasons={
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
                "all can be judged: an alert has a notification or has none",
            "the_business_day_begins_at_local_midnight": "no day: what is not told yet is told now",
            "fifty_thousand_rows_are_done_within_the_jobs_timeout":
                "proved by test_ten_thousand_forgotten_alerts_are_told_by_one_run: one run repairs no more by its params",
        },
    ),
]  # fmt: skip


def audit(perform: Perform, minutes: float = 0, **params: Any) -> dict[str, Any]:
    answer = perform(JOB, at(minutes).isoformat(), params=params or None)
    assert answer["http_status"] == 200, answer
    return answer


def told(db: Connection, alert_id: int) -> list[Any]:
    return list(db.execute(text("select * from belfry.notifications where alert_id = :id"), {"id": alert_id}))


def failures(db: Connection) -> dict[str, Any]:
    """The NOTIFY_FAILED alerts, by channel."""
    rows = db.execute(
        text("""select a.* from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id
                where r.rule_code = 'NOTIFY_FAILED'""")
    )
    return {row.target_no: row for row in rows}


def test_an_open_alert_that_nobody_heard_of_gets_its_notification(db: Connection, perform: Perform) -> None:
    owner = Erp(db).user()
    forgotten = alert(db, alert_level="CRITICAL", recipients=[f"USER:{owner}"])
    answer = audit(perform)
    assert (answer["counters"]["repaired"], answer["status"]) == (1, "succeeded")
    (message,) = told(db, forgotten)
    assert (message.reason, message.severity, message.type) == ("NEW", "CRITICAL", "ISSUE_OVERDUE")
    sent = db.execute(
        text(
            "select user_id, channel, state from belfry.notification_deliveries where notification_id = :n order by 2"
        ),
        {"n": message.id},
    ).all()
    assert sent == [(owner, "email", "queued"), (owner, "system", "queued"), (owner, "wechat", "suppressed")]
    event = db.execute(text("select event from belfry.alert_events where alert_id = :id"), {"id": forgotten})
    assert event.scalars().all() == ["NOTIFIED"]

    assert audit(perform, 60)["counters"]["repaired"] == 0
    assert len(told(db, forgotten)) == 1


def test_what_is_told_muted_closed_or_switched_off_is_left_alone(db: Connection, perform: Perform) -> None:
    db.execute(text("update belfry.alert_rules set is_enabled = false where rule_code = 'KIT_NO_BOM'"))
    known = alert(db)
    notification(db, alert_id=known)
    others = [alert(db, status="RESOLVED"), alert(db, mute_until=at(60)), alert(db, rule="KIT_NO_BOM")]
    assert audit(perform)["counters"]["repaired"] == 0
    assert [len(told(db, i)) for i in (known, *others)] == [1, 0, 0, 0]


def test_the_oldest_come_first_and_what_is_left_makes_the_run_partial(db: Connection, perform: Perform) -> None:
    young, old, oldest = (alert(db, triggered_at=NINE - timedelta(days=n)) for n in (1, 2, 3))
    answer = audit(perform, max_alerts=2)
    assert answer["status"] == "partial"
    assert [len(told(db, i)) for i in (young, old, oldest)] == [0, 1, 1]
    assert audit(perform, 60, max_alerts=2)["status"] == "succeeded"
    assert len(told(db, young)) == 1


def test_a_person_who_got_a_message_on_no_channel_is_reported(db: Connection, perform: Perform) -> None:
    admin, reader = Erp(db).user(roles=["SYS_ADMIN"]), Erp(db).user()
    dead = {"state": "dead", "reason": "ladder", "next_attempt_at": at(-30)}
    lost = notification(db)
    delivery(db, reader, of=lost, **dead)
    delivery(db, reader, of=lost, channel="wechat", state="suppressed")
    reached = notification(db)
    delivery(db, reader, of=reached, **dead)
    delivery(db, reader, of=reached, channel="system", state="sent")

    audit(perform)

    raised = failures(db)
    assert list(raised) == ["email"]
    assert (raised["email"].alert_level, raised["email"].facts["untold"]) == ("WARNING", 1)
    assert raised["email"].status == "PENDING"
    (message,) = told(db, raised["email"].id)
    people = db.execute(
        text("select user_id, channel from belfry.notification_deliveries where notification_id = :n"),
        {"n": message.id},
    ).all()
    assert people == [(admin, "system")]


def test_from_critical_up_one_dead_channel_is_reported_even_if_another_reached_the_person(
    db: Connection, perform: Perform
) -> None:
    reader, grave = Erp(db).user(), notification(db, severity="URGENT")
    delivery(db, reader, of=grave, state="dead", next_attempt_at=at(-30))
    delivery(db, reader, of=grave, channel="system", state="sent")
    audit(perform)
    assert failures(db)["email"].alert_level == "CRITICAL"


def test_the_report_ends_when_the_delivery_is_sent_again_or_a_day_is_over(db: Connection, perform: Perform) -> None:
    again = delivery(db, Erp(db).user(), state="dead", next_attempt_at=at(-30))
    audit(perform)
    assert failures(db)["email"].status == "PENDING"
    db.execute(text("update belfry.notification_deliveries set state = 'queued' where id = :id"), {"id": again})
    audit(perform, 60)
    assert failures(db)["email"].status == "RESOLVED"


def test_the_failure_of_the_report_itself_is_not_reported(db: Connection, perform: Perform) -> None:
    delivery(
        db, Erp(db).user(), of=notification(db, type="NOTIFY_FAILED", severity="CRITICAL"), state="dead",
        next_attempt_at=at(-30),
    )  # fmt: skip
    audit(perform)
    assert failures(db) == {}


def test_windows_whose_time_is_over_are_opened(db: Connection, perform: Perform) -> None:
    waited = delivery(db, Erp(db).user(), state="deferred", reason="quiet_hours")
    assert audit(perform)["counters"]["released"] == 1
    assert look(db, waited).state == "queued"


def test_the_hours_counts_of_each_channel_are_the_runs_counters(db: Connection, perform: Perform) -> None:
    reader = Erp(db).user()
    for state in ("sent", "delivered", "dead"):
        delivery(db, reader, state=state, created_at=at(-30))
    delivery(db, reader, channel="system", state="sent", created_at=at(-60))
    delivery(db, reader, channel="system", state="sent", created_at=at(0))  # the next hour's
    delivery(db, reader, channel="system", state="sent", created_at=at(-61))
    counters = audit(perform)["counters"]
    assert {k: v for k, v in counters.items() if k.startswith(("email", "system"))} == {
        "email_sent": 2, "email_dead": 1, "system_sent": 1,
    }  # fmt: skip


def test_the_same_tick_again_sends_nothing(db: Connection, perform: Perform) -> None:
    alert(db, recipients=[f"USER:{Erp(db).user()}"])
    tick = at(15).isoformat()
    perform(JOB, tick)
    count = text("select count(*) from belfry.notification_deliveries")
    before = db.execute(count).scalar_one()
    assert perform(JOB, tick)["duplicate"] is True
    assert db.execute(count).scalar_one() == before


def test_ten_thousand_forgotten_alerts_are_told_by_one_run(db: Connection, perform: Perform) -> None:
    one = alert(db, recipients=[f"USER:{Erp(db).user()}"])
    db.execute(
        text("""insert into belfry.alert_records (alert_no, rule_id, dedupe_key, target_type, target_id, base_level,
                  alert_level, recipients, triggered_at, level_changed_at)
                select 'MANY-' || i, rule_id, 'MANY|' || i, target_type, i, base_level, alert_level, recipients,
                       triggered_at, level_changed_at
                from belfry.alert_records, generate_series(1, 9999) i where id = :id"""),
        {"id": one},
    )
    assert audit(perform)["counters"]["repaired"] == 10_000
