"""The delivery sweep: publishes what waits, takes back what broke off, lets go what is due, gives up what is too late."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from tests.acceptance.cases import RowsJob
from tests.conftest import PROJECT, Perform, _forget_process_state, declared_job
from tests.factories import Erp
from tests.processes import eventually, served
from tests.smtp_server import HANG, mail_server
from tests.telling import (
    NINE,
    alert,
    announced,
    at,
    clock,
    delivery,
    envelope,
    look,
    notification,
    policy,
    push,
    states,
)

JOB = "sweep_deliveries"


@pytest.fixture(autouse=True)
def _email_is_on(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_ENABLED", "true")
    monkeypatch.setenv("EMAIL_SMTP_SERVER", "127.0.0.1")
    monkeypatch.setenv("EMAIL_FROM", "bot@example.com")
    _forget_process_state()
    clock(db, NINE)


@pytest.fixture
def subscriber(db: Connection) -> Iterator[Any]:
    """What this test's database publishes from now on, pulled: a function that answers the delivery ids so far.

    Other tests publish on the same topic at the same time.
    """
    import json

    import grpc
    from google.pubsub_v1 import SubscriberClient
    from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

    with grpc.insecure_channel(os.environ["BELFRY_TEST_PUBSUB"]) as channel:
        client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        name = f"projects/{PROJECT}/subscriptions/t-{uuid4().hex[:8]}"
        client.create_subscription(name=name, topic=f"projects/{PROJECT}/topics/notifications")
        seen: list[list[int]] = []

        def published() -> list[list[int]]:
            answer = client.pull(subscription=name, max_messages=1000, return_immediately=True)
            mine = {str(i) for i in db.execute(text("select id from belfry.outbox")).scalars()}
            messages = [m.message for m in answer.received_messages if m.message.attributes["outbox_id"] in mine]
            seen.extend(json.loads(message.data)["delivery_ids"] for message in messages)
            if answer.received_messages:
                client.acknowledge(subscription=name, ack_ids=[m.ack_id for m in answer.received_messages])
            return seen

        yield published
        client.delete_subscription(subscription=name)


def waiting(db: Connection, user: int, n: int = 1) -> int:
    """So many in-app messages whose quiet hours are over; the last one's delivery."""
    first = delivery(db, user, channel="system", state="deferred", reason="quiet_hours")
    db.execute(
        text("""insert into belfry.notification_deliveries (notification_id, user_id, channel, state, reason, next_attempt_at,
                  not_after, created_at)
                select notification_id, :user + g, channel, state, reason, next_attempt_at, not_after, created_at
                from belfry.notification_deliveries, generate_series(1, :more) g where id = :first"""),
        {"first": first, "more": n - 1, "user": user},
    )
    return first


RULES_PROVED_HERE = {
    "NOTIFY_FAILED": "proved by test_a_broken_channel_is_reported_and_its_recovery_too: the hourly audit keeps its promises",
}
CASES = [
    RowsJob(
        JOB, clock="09:00", every=timedelta(minutes=1),
        arrange=lambda erp, day: waiting(erp.conn, erp.user()),
        multiply=lambda db, target, n: waiting(db, Erp(db).user(), n) and None,
        made=lambda db: db.execute(text("select id, state from belfry.notification_deliveries order by id")).all(),
        reasons={
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
                "all can be judged: state and instant of a delivery decide",
            "the_business_day_begins_at_local_midnight": "no day: instants decide",
            "the_number_of_statements_does_not_depend_on_the_rows": "works in steps: one batch of the outbox a step",
        },
    ),
]  # fmt: skip


def sweep(perform: Perform, minutes: float = 0, **params: Any) -> dict[str, Any]:
    """One sweep, so many minutes after nine; its counters."""
    answer = perform(JOB, at(minutes).isoformat(), params=params or None)
    assert (answer["http_status"], answer["status"]) == (200, "succeeded"), answer
    counters: dict[str, Any] = answer["counters"]
    return counters


def outbox(db: Connection, ids: list[int], **columns: Any) -> None:
    db.execute(
        text("""insert into belfry.outbox (topic, attributes, payload, next_try_at) values ('notifications',
                '{"channel": "email"}', jsonb_build_object('v', 1, 'channel', 'email', 'delivery_ids', cast(:ids as jsonb)),
                clock_timestamp() + cast(:due as interval))"""),
        {"ids": str(ids), "due": columns.get("due", "-1 second")},
    )


def unpublished(db: Connection) -> int:
    return int(db.execute(text("select count(*) from belfry.outbox where published_at is null")).scalar_one())


def test_messages_that_a_crash_left_behind_are_published_once(
    db: Connection, perform: Perform, subscriber: Any
) -> None:
    outbox(db, [11])
    outbox(db, [12], due="20 seconds")
    assert sweep(perform)["published"] == 1
    assert subscriber() == [[11]]
    assert unpublished(db) == 1
    assert sweep(perform, 1).get("published", 0) == 0


def test_two_sweepers_at_once_publish_nothing_twice(db: Connection, database_url: str, subscriber: Any) -> None:
    from shared import deliveries
    from shared.db import new_engine

    for number in range(200):
        outbox(db, [number + 1])
    engine = new_engine(database_url, pool_size=4)

    def take(_: int) -> list[int]:
        with engine.connect() as connection:
            return [m.payload["delivery_ids"][0] for m in deliveries.take_outbox(connection, 60)]

    with ThreadPoolExecutor(4) as pool:
        taken = [i for batch in pool.map(take, range(4)) for i in batch]
    engine.dispose()
    assert sorted(taken) == list(range(1, 201))


def test_a_backlog_leaves_in_bounded_batches(db: Connection, perform: Perform, subscriber: Any) -> None:
    for number in range(25):
        outbox(db, [number + 1])
    assert sweep(perform, batch=10)["published"] == 25
    assert sorted(i for ids in subscriber() for i in ids) == list(range(1, 26))


def test_while_pubsub_is_down_messages_wait_and_are_not_multiplied(
    db: Connection, perform: Perform, subscriber: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared import pubsub

    waiting = delivery(db, Erp(db).user(), next_attempt_at=at(-3))
    monkeypatch.setattr(pubsub, "PATIENCE", 0.2)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    pubsub._publisher.cache_clear()
    first = sweep(perform, 0)
    assert (first["retried"], first["published"], first["unpublished"]) == (1, 0, 1)
    db.execute(text("update belfry.outbox set created_at = created_at - interval '1 hour'"))
    assert sweep(perform, 3)["retried"] == 0

    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", os.environ["BELFRY_TEST_PUBSUB"])
    pubsub._publisher.cache_clear()
    db.execute(text("update belfry.outbox set next_try_at = clock_timestamp() where published_at is null"))
    assert sweep(perform, 4)["published"] == 1
    assert subscriber() == [[waiting]]


def test_a_send_that_broke_off_while_connecting_is_queued_at_once_and_costs_no_step(
    db: Connection, perform: Perform
) -> None:
    gone = NINE - timedelta(days=365)
    connecting = delivery(
        db, Erp(db).user(), state="sending", phase="connecting", attempt=2, failures=1, lease_until=gone
    )
    counters = sweep(perform)
    row = look(db, connecting)
    assert (row.state, row.attempt, row.failures, row.lease_until) == ("queued", 2, 1, None)
    assert counters["requeued"] == 1
    assert announced(db) == [("email", [connecting])]


def test_a_send_that_broke_off_after_the_point_of_no_return_is_uncertain_once(db: Connection, perform: Perform) -> None:
    gone = NINE - timedelta(days=365)
    sending = {"state": "sending", "phase": "committing", "attempt": 1, "lease_until": gone}
    first = delivery(db, Erp(db).user(), **sending)
    second = delivery(db, Erp(db).user(), **sending, uncertain_count=1)
    counters = sweep(perform)
    assert states(db, [first, second]) == ["uncertain", "dead"]
    assert look(db, first).next_attempt_at == at(15)
    assert (counters["uncertain"], counters["dead"]) == (1, 1)
    sweep(perform, 14)
    assert look(db, first).state == "uncertain"
    sweep(perform, 15)
    assert look(db, first).state == "queued"


def test_a_text_message_of_unknown_fate_waits_for_a_person(db: Connection, perform: Perform) -> None:
    sms = delivery(db, Erp(db).user(phone="13800000000"), channel="sms", state="uncertain", uncertain_count=1)
    sweep(perform, 60)
    assert look(db, sms).state == "uncertain"


def test_a_lease_that_still_holds_is_left_alone(db: Connection, perform: Perform) -> None:
    held = delivery(
        db, Erp(db).user(), state="sending", phase="connecting", attempt=1,
        lease_until=datetime.fromisoformat("2100-01-01T00:00:00+00:00"),
    )  # fmt: skip
    sweep(perform)
    assert look(db, held).state == "sending"


def test_a_delivery_whose_time_is_over_is_expired_and_visible(db: Connection, perform: Perform) -> None:
    ids = [
        delivery(db, Erp(db).user(), state=state, not_after=at(-1), next_attempt_at=at(-2))
        for state in ("queued", "deferred", "retry_wait")
    ]
    assert sweep(perform)["expired"] == 3
    assert [(look(db, i).state, look(db, i).reason) for i in ids] == [("expired", "not_after")] * 3


def test_the_ladder_runs_by_the_sweep_with_less_than_90_seconds_of_delay(
    db: Connection, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy(db, breaker_failures=100)
    with mail_server(RCPT="450 busy") as server:
        monkeypatch.setenv("EMAIL_SMTP_PORT", str(server.port))
        _forget_process_state()
        tried = delivery(db, Erp(db).user())
        push("email", [tried])
        attempts = [0.0]
        for minute in range(1, 121):
            seen = len(announced(db))
            sweep(perform, minute)
            for channel, ids in announced(db)[seen:]:
                if channel == "email":  # once it is dead, the inbox is told
                    push(channel, ids, now=at(minute))
                    attempts.append(minute)
        row = look(db, tried)
    waits = [later - sooner for sooner, later in pairwise(attempts)]
    assert len(waits) == 4
    for wait, asked in zip(waits, (5, 15, 30, 60), strict=True):
        assert asked <= wait <= asked + 1.5
    assert (row.state, row.attempt, row.failures) == ("dead", 5, 5)


def test_what_waited_for_quiet_hours_to_end_goes_out_at_their_end(
    db: Connection, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rulebook 36: quiet from 22:00 to 08:00; at 22:00 deferred to 08:00, at 08:00 sent."""
    reader = Erp(db).user()
    db.execute(
        text(
            "insert into belfry.notification_settings (user_id, quiet_start, quiet_end) values (:u, '22:00', '08:00')"
        ),
        {"u": reader},
    )
    evening, morning = NINE - timedelta(hours=11), NINE - timedelta(hours=1)
    with mail_server() as server:
        monkeypatch.setenv("EMAIL_SMTP_PORT", str(server.port))
        _forget_process_state()
        told = delivery(db, reader, next_attempt_at=evening)
        push("email", [told], now=evening)
        assert (look(db, told).state, look(db, told).next_attempt_at) == ("deferred", morning)
        perform(JOB, (morning - timedelta(minutes=1)).isoformat())
        assert look(db, told).state == "deferred"
        perform(JOB, morning.isoformat())
        push("email", announced(db)[-1][1], now=morning)
        assert (look(db, told).state, len(server.taken)) == ("sent", 1)


def test_at_release_everything_is_judged_again(db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    reader, left, off = erp.user(), erp.user(is_active=False), erp.user()
    db.execute(text("insert into belfry.notification_settings (user_id, email_enabled) values (:u, false)"), {"u": off})
    waiting = {"state": "deferred", "reason": "quiet_hours"}
    over = delivery(db, reader, of=notification(db, alert_id=alert(db, status="RESOLVED")), **waiting)
    gone, unwanted = delivery(db, left, **waiting), delivery(db, off, **waiting)
    still = delivery(db, reader, of=notification(db, not_before=at(30)), **waiting)
    free = delivery(db, reader, **waiting)
    counters = sweep(perform)
    assert [(look(db, i).state, look(db, i).reason) for i in (over, gone, unwanted)] == [
        ("suppressed", "alert_closed"), ("suppressed", "user_inactive"), ("suppressed", "preference"),
    ]  # fmt: skip
    assert (look(db, still).state, look(db, still).next_attempt_at) == ("deferred", at(30))
    assert look(db, free).state == "queued"
    assert (counters["released"], counters["suppressed"]) == (1, 3)


def test_five_small_messages_for_one_person_become_one_digest(db: Connection, perform: Perform) -> None:
    reader, other = Erp(db).user(), Erp(db).user()
    waiting = {"state": "deferred", "reason": "quiet_hours", "channel": "system"}
    small = [
        delivery(db, reader, of=notification(db, severity="INFO" if n else "WARNING", alert_id=alert(db)), **waiting)
        for n in range(5)
    ]
    grave = delivery(db, reader, of=notification(db, severity="CRITICAL"), **waiting)
    few = [delivery(db, other, **waiting) for _ in range(4)]

    counters = sweep(perform)

    assert (counters["digests"], counters["digested"], counters["released"]) == (1, 5, 5)
    assert [(look(db, i).state, look(db, i).reason) for i in small] == [("suppressed", "digest")] * 5
    assert states(db, [grave, *few]) == ["queued"] * 5
    digest = db.execute(text("select * from belfry.notifications where type = 'DIGEST'")).one()
    assert (digest.severity, digest.facts["count"], len(digest.facts["items"])) == ("WARNING", 5, 5)
    assert digest.facts["items"][0]["level"] == "WARNING"
    (sent,) = db.execute(
        text("select * from belfry.notification_deliveries where notification_id = :n"), {"n": digest.id}
    )
    assert (sent.user_id, sent.channel, sent.state) == (reader, "system", "queued")
    assert any(sent.id in ids for _, ids in announced(db))

    push("system", [sent.id])
    assert look(db, sent.id).state == "sent"
    sweep(perform, 1)
    assert db.execute(text("select count(*) from belfry.notifications where type = 'DIGEST'")).scalar_one() == 1


def test_a_message_that_nobody_took_is_announced_again_and_not_before_two_minutes(
    db: Connection, perform: Perform
) -> None:
    lost = delivery(db, Erp(db).user())
    assert sweep(perform, 1)["retried"] == 0
    assert sweep(perform, 2)["retried"] == 1
    assert sweep(perform, 3)["retried"] == 0
    assert announced(db) == [("email", [lost])]


def test_ten_thousand_deliveries_are_brought_on_by_one_sweep(db: Connection, perform: Perform) -> None:
    one = delivery(db, Erp(db).user(), state="retry_wait", failures=1)
    db.execute(
        text("""insert into belfry.notification_deliveries (notification_id, user_id, channel, generation, state, failures,
                  next_attempt_at, not_after)
                select notification_id, user_id, channel, i, state, failures, next_attempt_at, not_after
                from belfry.notification_deliveries, generate_series(1, 9999) i where id = :id"""),
        {"id": one},
    )
    counters = sweep(perform)
    assert counters["retried"] == 10_000
    assert counters["published"] == 100
    assert unpublished(db) == 0


def test_a_broken_channel_is_reported_and_its_recovery_too(
    db: Connection, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = Erp(db).user(roles=["SYS_ADMIN"])
    with mail_server(EHLO="250-x\n250 AUTH PLAIN", AUTH="535 no") as server:
        monkeypatch.setenv("EMAIL_SMTP_PORT", str(server.port))
        monkeypatch.setenv("EMAIL_USERNAME", "bot")
        monkeypatch.setenv("EMAIL_PASSWORD", "CANARY-1")
        _forget_process_state()
        push("email", [delivery(db, Erp(db).user())])
        sweep(perform, 1)
        raised = db.execute(text("select * from belfry.alert_records")).one()
        assert (raised.target_no, raised.alert_level, raised.status) == ("email", "WARNING", "PENDING")
        told = db.execute(
            text("""select d.user_id, d.channel from belfry.notification_deliveries d
                    join belfry.notifications n on n.id = d.notification_id where n.type = 'NOTIFY_FAILED'""")
        ).all()
        assert told == [(admin, "system")]
        assert "CANARY" not in str(raised)

        sweep(perform, 10)
        push("email", announced(db)[-1][1], now=at(10))
        sweep(perform, 11)
        assert db.execute(text("select alert_level from belfry.alert_records")).scalar_one() == "CRITICAL"

    with mail_server(EHLO="250-x\n250 AUTH PLAIN") as server:
        monkeypatch.setenv("EMAIL_SMTP_PORT", str(server.port))
        _forget_process_state()
        sweep(perform, 20)
        push("email", announced(db)[-1][1], now=at(20))
        sweep(perform, 21)
    assert (
        db.execute(text("select status from belfry.alert_records where target_no = 'email'")).scalar_one() == "RESOLVED"
    )


def test_a_dry_run_moves_and_publishes_nothing(db: Connection, perform: Perform, subscriber: Any) -> None:
    outbox(db, [1])
    late = delivery(db, Erp(db).user(), state="retry_wait", next_attempt_at=at(-5))
    assert perform(JOB, dry_run=True)["counters"]["retried"] == 1
    assert (look(db, late).state, unpublished(db), subscriber()) == ("retry_wait", 1, [])


def test_a_function_killed_while_connecting_is_made_good_by_the_next_sweep(
    db: Connection, database_url: str, perform: Perform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Rulebook 36: kill the function while it connects; the delivery arrives, and its ladder is untouched."""
    import json
    import signal
    import threading
    from urllib.request import Request, urlopen

    policy(db, lease_s=1)
    told = delivery(db, Erp(db).user())
    root = Path(__file__).resolve().parents[3]
    with mail_server(RCPT=HANG) as stuck:
        environment = {
            "DATABASE_URL": database_url,
            "PYTHONPATH": str(root),
            "BELFRY_LOCAL_CLOCK": "1",
            "EMAIL_ENABLED": "true",
            "EMAIL_SMTP_SERVER": "127.0.0.1",
            "EMAIL_SMTP_PORT": str(stuck.port),
            "EMAIL_FROM": "bot@example.com",
        }
        source = root / "functions/notify/notify_email.py"
        with served("notify_email", tmp_path, environment, source=source) as function:
            body = json.dumps(envelope("email", [told])).encode()
            ask = Request(function.url, body, {"Content-Type": "application/json"})
            caller = threading.Thread(target=lambda: _answer_of(urlopen, ask), daemon=True)
            caller.start()
            eventually(lambda: look(db, told).phase == "connecting", "the function connects")
            eventually(lambda: any(c.lower().startswith("rcpt") for c in stuck.commands), "it names the recipient")
            for worker in function.workers():
                os.kill(worker, signal.SIGKILL)
            caller.join(20)
    eventually(
        lambda: db.execute(
            text("select lease_until < clock_timestamp() from belfry.notification_deliveries where id = :id"),
            {"id": told},
        ).scalar_one(),
        "the lease runs out",
    )
    assert sweep(perform, 1)["requeued"] == 1
    with mail_server() as healthy:
        monkeypatch.setenv("EMAIL_SMTP_PORT", str(healthy.port))
        _forget_process_state()
        push("email", announced(db)[-1][1], now=at(1))
        assert len(healthy.taken) == 1
    row = look(db, told)
    assert (row.state, row.attempt, row.failures) == ("sent", 2, 0)


def test_a_lease_and_two_sweeps_are_over_within_three_minutes(db: Connection) -> None:
    """Rulebook 36: what a killed function held is delivered within three minutes: its lease ends, and the sweep comes."""
    lease = db.execute(text("select (belfry.delivery_policy('lease_s'))::int")).scalar_one()
    assert declared_job(JOB).schedule == "* * * * *"
    assert timedelta(seconds=lease) + 2 * timedelta(minutes=1) <= timedelta(minutes=3)


def _answer_of(urlopen: Any, ask: Any) -> None:
    from http.client import HTTPException
    from urllib.error import URLError

    try:
        urlopen(ask, timeout=30).close()
    except (URLError, HTTPException, OSError):
        return  # it was killed: that is the test
