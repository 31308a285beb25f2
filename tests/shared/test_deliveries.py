"""The moves of a delivery: each is conditional on who holds it, and what was sent stays sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from shared import deliveries
from shared.db import new_engine, set_clock
from shared.deliveries import Claimed, SendFailedError
from tests.conftest import _forget_process_state
from tests.factories import Erp
from tests.telling import NINE, announced, at, channel_state, clock, delivery, look, notification, policy


@pytest.fixture(autouse=True)
def _nine_o_clock(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_ENABLED", "true")
    monkeypatch.setenv("EMAIL_SMTP_SERVER", "127.0.0.1")
    monkeypatch.setenv("EMAIL_FROM", "bot@example.com")
    _forget_process_state()
    clock(db, NINE)


@pytest.fixture
def engine(database_url: str) -> Any:
    engine = new_engine(database_url, pool_size=20)
    yield engine
    engine.dispose()


def claimed(db: Connection, *ids: int) -> list[Claimed]:
    return deliveries.claim(db, ids, "email")


TRANSIENT = SendFailedError("transient", "rcpt_450", "busy")


def test_twenty_claims_at_once_hold_each_delivery_once(db: Connection, engine: Engine) -> None:
    ids = [delivery(db, Erp(db).user()) for _ in range(30)]

    def claim(_: int) -> list[int]:
        with engine.connect() as connection:
            set_clock(connection, NINE)
            return [d.id for d in deliveries.claim(connection, ids, "email")]

    with ThreadPoolExecutor(20) as pool:
        held = [i for chunk in pool.map(claim, range(20)) for i in chunk]
    assert len(held) == len(set(held))
    assert set(held) <= set(ids)
    assert {look(db, i).attempt for i in held} == {1}


def test_a_claim_takes_a_chunk_the_most_urgent_first(db: Connection) -> None:
    reader = Erp(db).user()
    ids = [delivery(db, reader, priority=3 - n % 2) for n in range(14)]
    first = [d.id for d in claimed(db, *ids)]
    assert len(first) == 10
    assert set(first) >= set(ids[1::2])


def test_a_claim_carries_what_the_message_needs(db: Connection) -> None:
    reader = Erp(db).user(email="li@example.com", language="en", time_zone="Europe/Berlin")
    told = notification(db, type="NOTIFY_FAILED", severity="URGENT", facts={"channel": "sms"})
    (held,) = claimed(db, delivery(db, reader, of=told, target="old@example.com"))
    assert (held.target, held.language, held.time_zone) == ("li@example.com", "en", "Europe/Berlin")
    assert (held.type, held.severity, held.reason, held.generation) == ("NOTIFY_FAILED", "URGENT", "NEW", 0)
    assert held.facts == {"channel": "sms", "rule_name": "Notification failed"}


def test_who_was_overtaken_moves_nothing(db: Connection) -> None:
    policy(db, lease_s=0)
    one = delivery(db, Erp(db).user())
    (slow,) = claimed(db, one)
    (quick,) = claimed(db, one)
    assert (slow.attempt, quick.attempt) == (1, 2)
    before = look(db, one)
    assert deliveries.committing(db, slow) is False
    assert deliveries.mark_sent(db, slow, "x") is False
    assert deliveries.mark_failed(db, [slow], TRANSIENT) == 0
    assert look(db, one) == before
    assert deliveries.committing(db, quick) is True
    assert deliveries.mark_sent(db, quick, "y") is True


def test_committing_happens_once(db: Connection) -> None:
    (held,) = claimed(db, delivery(db, Erp(db).user()))
    assert [deliveries.committing(db, held), deliveries.committing(db, held)] == [True, False]


def test_a_sender_that_is_slow_to_hear_yes_ends_the_doubt(db: Connection) -> None:
    policy(db, lease_s=0)
    one = delivery(db, Erp(db).user())
    (held,) = claimed(db, one)
    deliveries.committing(db, held)
    db.execute(text("select * from belfry.requeue_deliveries()"))
    assert look(db, one).state == "uncertain"
    assert deliveries.mark_sent(db, held, "x") is True
    assert look(db, one).state == "sent"


@pytest.mark.parametrize("state", ["queued", "sending", "retry_wait", "dead", "suppressed", "expired"])
def test_nothing_takes_back_what_was_sent(db: Connection, state: str) -> None:
    one = delivery(db, Erp(db).user(), state="sent")
    with pytest.raises(DBAPIError, match="may not become"):
        db.execute(
            text("""update belfry.notification_deliveries set state = :s,
                    lease_until = case when :s = 'sending' then now() end where id = :id"""),
            {"s": state, "id": one},
        )
    assert claimed(db, one) == []


def test_failures_are_counted_for_the_channel_once_a_conversation(db: Connection) -> None:
    held = claimed(db, *(delivery(db, Erp(db).user()) for _ in range(4)))
    assert deliveries.mark_failed(db, held, TRANSIENT) == 4
    state = channel_state(db, "email")
    assert (state.consecutive_failures, state.failure_count, state.last_error) == (1, 4, "busy")


def test_a_refused_mailbox_says_nothing_about_the_channel(db: Connection) -> None:
    policy(db, breaker_failures=1)
    held = claimed(db, delivery(db, Erp(db).user()))
    deliveries.mark_failed(db, held, SendFailedError("permanent", "rcpt_550", "no such user"))
    state = channel_state(db, "email")
    assert (state.consecutive_failures, state.failure_count, state.opened_at) == (0, 1, None)


def test_a_success_between_failures_starts_the_count_anew(db: Connection) -> None:
    policy(db, breaker_failures=3)
    reader = Erp(db).user()
    for _ in range(3):
        for _ in range(2):
            deliveries.mark_failed(db, claimed(db, delivery(db, reader)), TRANSIENT)
        (held,) = claimed(db, delivery(db, reader))
        deliveries.mark_sent(db, held, "x")
    assert channel_state(db, "email").opened_at is None


def test_a_notification_for_one_channel_only_offers_no_other(db: Connection) -> None:
    only = notification(db, channels=["email"], severity="CRITICAL")
    held = claimed(db, delivery(db, Erp(db).user(), of=only))
    deliveries.mark_failed(db, held, SendFailedError("permanent", "rcpt_550", "no such user"))
    count = text("select count(*) from belfry.notification_deliveries where notification_id = :n")
    assert db.execute(count, {"n": only}).scalar_one() == 1


def test_messages_hold_at_most_a_hundred_deliveries_of_one_channel(db: Connection) -> None:
    reader = Erp(db).user()
    ids = [delivery(db, reader, channel=channel) for channel in ("email", "system") for _ in range(150)]
    messages = db.execute(text("select belfry.announce_deliveries(cast(:ids as bigint[]))"), {"ids": ids}).scalar_one()
    assert messages == 4
    assert sorted(len(found) for _, found in announced(db)) == [50, 50, 100, 100]
    assert sorted(i for _, found in announced(db) for i in found) == ids


def test_an_announcement_tells_the_virtual_time_and_a_real_one_none(db: Connection) -> None:
    one = delivery(db, Erp(db).user())
    db.execute(text("select belfry.announce_deliveries(array[cast(:id as bigint)])"), {"id": one})
    db.execute(text("select set_config('belfry.now', '', false)"))
    db.execute(text("select belfry.announce_deliveries(array[cast(:id as bigint)])"), {"id": one})
    found = db.execute(text("select attributes from belfry.outbox order by created_at")).scalars().all()
    assert found == [{"channel": "email", "now": NINE.isoformat()}, {"channel": "email"}]


def test_quiet_hours_at_the_claim_never_let_a_delivery_run_out_of_time(db: Connection) -> None:
    reader = Erp(db).user()
    db.execute(
        text("""insert into belfry.notification_settings (user_id, quiet_start, quiet_end, time_zone)
                values (:u, '22:00', '08:00', 'America/New_York')"""),
        {"u": reader},
    )
    # Nine in Shanghai is the evening before in New York: not quiet yet; two hours later it is.
    early = delivery(db, reader)
    late = delivery(db, reader, not_after=at(240))
    assert [d.id for d in claimed(db, early)] == [early]
    clock(db, at(130))
    assert claimed(db, late) == []
    row = look(db, late)
    assert (row.state, row.reason) == ("deferred", "quiet_hours")
    assert row.next_attempt_at == NINE + timedelta(hours=12)
    assert row.not_after == NINE + timedelta(hours=13)


def test_the_queues_are_read_by_index(db: Connection) -> None:
    one = delivery(db, Erp(db).user(), state="sent")
    db.execute(
        text("""insert into belfry.notification_deliveries (notification_id, user_id, channel, generation, state, not_after)
                select notification_id, user_id, channel, i, 'sent', not_after
                from belfry.notification_deliveries, generate_series(1, 20000) i where id = :id"""),
        {"id": one},
    )
    db.execute(text("analyze belfry.notification_deliveries"))
    queries = {
        "deliveries_due": "state in ('queued', 'deferred', 'retry_wait') and next_attempt_at <= now()",
        "deliveries_by_lease": "state = 'sending' and lease_until < now()",
    }
    for index, condition in queries.items():
        plan = db.execute(text(f"explain select id from belfry.notification_deliveries where {condition}")).scalars()
        assert index in "\n".join(plan)


def test_working_time_is_counted_back_over_weekends_and_holidays(db: Connection) -> None:
    # Friday 27 is off, and of the weekend's Saturday, which the State Council made a workday, nothing is worked either.
    db.execute(
        text("""insert into belfry.biz_calendar (day, is_workday) values ('2026-02-27', false), ('2026-02-28', false)
                on conflict (day) do update set is_workday = excluded.is_workday""")
    )
    ago = text("select belfry.working_time_ago(cast(:at as timestamptz), :hours, 'Asia/Shanghai')")
    cases = {
        (NINE.isoformat(), 1): "2026-03-02T08:00:00+08:00",
        (NINE.isoformat(), 2): "2026-02-26T19:00:00+08:00",
        ("2026-03-02T03:00:00+08:00", 12): "2026-02-26T08:00:00+08:00",
        ("2026-03-01T12:00:00+08:00", 1): "2026-02-26T19:00:00+08:00",
    }
    for (moment, hours), since in cases.items():
        assert db.execute(ago, {"at": moment, "hours": hours}).scalar_one() == datetime.fromisoformat(since)
