"""A replay sends nothing twice: deliveries, executions and subscriptions brought again, counted first, audited."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from sqlalchemy import Connection, text

from shared import config, schedule
from shared.db import new_engine
from shared.errors import InvalidRequest, Unavailable
from shared.operator import replay, seek
from shared.operator.replay import Plan
from shared.operator.replay_request import Asked, checked
from tests.infra.pubsub_world import PROJECT, running
from tests.rows import rows

DAY = timedelta(days=1)


def now() -> datetime:
    return schedule.now()


class Ledger:
    """Deliveries as they may lie there."""

    def __init__(self, db: Connection) -> None:
        self.db = db

    def row(self, channel: str = "email", state: str = "sent", **columns: Any) -> int:
        values = {
            "reason": None,
            "failures": 0,
            "age": timedelta(hours=1),
            "execution_id": None,
            "next_attempt_at": now(),
            "lease_until": now() + DAY if state == "sending" else None,
            "phase": "none",
            **columns,
        }
        return int(
            self.db.execute(
                text("""with n as (
                      insert into belfry.notifications (dedupe_key, type, severity, facts, not_after, fanned_out)
                      values ('k' || gen_random_uuid(), 'ALERT', 'CRITICAL', '{}', now() + interval '1 hour', true)
                      returning id)
                    insert into belfry.notification_deliveries (notification_id, user_id, channel, state, reason, failures, phase,
                      lease_until, next_attempt_at, not_after, execution_id, created_at)
                    select id, 1, :channel, :state, cast(:reason as text), cast(:failures as int), :phase,
                      cast(:lease_until as timestamptz), cast(:next_attempt_at as timestamptz),
                      clock_timestamp() + interval '1 hour', cast(:execution_id as uuid),
                      clock_timestamp() - cast(:age as interval) from n
                    returning id"""),
                {"channel": channel, "state": state, **values},
            ).scalar_one()
        )

    def of(self, delivery: int) -> Any:
        return self.db.execute(
            text("select * from belfry.notification_deliveries where id = :i"), {"i": delivery}
        ).one()

    def generations(self, delivery: int) -> list[tuple[int, str]]:
        found = self.db.execute(
            text("""select g.generation, g.state from belfry.notification_deliveries d
                    join belfry.notification_deliveries g using (notification_id, user_id, channel)
                    where d.id = :i order by 1"""),
            {"i": delivery},
        )
        return [(row.generation, row.state) for row in found]

    def announced(self) -> list[int]:
        found = self.db.execute(
            text("select payload -> 'delivery_ids' from belfry.outbox order by created_at")
        ).scalars()
        return sorted(each for ids in found for each in ids)

    def audit(self) -> list[tuple[str, str, str, str | None]]:
        found = self.db.execute(text("select actor, action, target, reason from belfry.audit_log order by id"))
        return [tuple(row) for row in found]  # type: ignore[misc]


@pytest.fixture
def ledger(db: Connection) -> Ledger:
    return Ledger(db)


class World:
    """A Pub/Sub with the topics and subscriptions of Belfry, pulled from instead of pushed."""

    def __init__(self) -> None:
        self.publisher, self.subscriber = PublisherClient(), SubscriberClient()
        for topic in ("notifications", "job-events"):
            name = f"{PROJECT}/topics/{topic}"
            self.publisher.create_topic(request={"name": name, "message_retention_duration": 31 * DAY})
        for channel in ("system", "email"):
            self.subscribe(f"notify-{channel}", "notifications", f'attributes.channel = "{channel}"')
        self.subscribe("dispatch-dependents", "job-events", "")

    def subscribe(self, name: str, topic: str, wanted: str) -> None:
        self.subscriber.create_subscription(
            request={"name": f"{PROJECT}/subscriptions/{name}", "topic": f"{PROJECT}/topics/{topic}", "filter": wanted}
        )

    def publish(self, channel: str, *texts: str) -> None:
        for each in texts:
            self.publisher.publish(f"{PROJECT}/topics/notifications", each.encode(), channel=channel).result(15)

    def heard(self, subscription: str) -> list[str]:
        found: list[str] = []
        name = f"{PROJECT}/subscriptions/{subscription}"
        while True:
            request = {"subscription": name, "max_messages": 100, "return_immediately": True}
            messages = self.subscriber.pull(request=request, timeout=15).received_messages
            if not messages:
                return found
            found += [message.message.data.decode() for message in messages]
            self.subscriber.acknowledge(subscription=name, ack_ids=[message.ack_id for message in messages])

    @classmethod
    @contextmanager
    def opened(cls, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
        """On a Pub/Sub of its own, to which the environment points."""
        with running() as address:
            monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
            config.config.cache_clear()
            made = cls()
            yield made
            made.close()

    def close(self) -> None:
        self.publisher.stop()
        self.publisher.transport.close()
        self.subscriber.close()


@pytest.fixture
def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with World.opened(monkeypatch) as made:
        yield made


def planned(db: Connection, **asked: Any) -> Plan:
    return _run(db, Asked(**asked), apply=False)


def applied(db: Connection, **asked: Any) -> Plan:
    return _run(db, Asked(**asked), apply=True)


def _run(db: Connection, asked: Asked, *, apply: bool) -> Plan:
    good = checked(asked, now(), "belfry-local")
    if good.scope != "subscription":
        return replay.apply(db, good, None, actor="ops") if apply else replay.plan(db, good, None)
    with seek.connected() as seeker:
        return replay.apply(db, good, seeker, actor="ops") if apply else replay.plan(db, good, seeker)


# ---------------------------------------------------------------- one delivery


@pytest.mark.parametrize(("state", "reason"), [("dead", "ladder"), ("dead", "uncertain"), ("uncertain", "uncertain")])
def test_a_dead_or_uncertain_delivery_is_queued_again_from_the_ladders_beginning(
    db: Connection, ledger: Ledger, state: str, reason: str
) -> None:
    delivery = ledger.row(state=state, reason=reason, failures=5)
    before = rows(db)
    plan = planned(db, delivery=delivery)
    assert (plan.matches, plan.again, plan.to_send, plan.unchanged, plan.applied) == (1, 1, 1, 0, False)
    assert rows(db) == before
    assert applied(db, delivery=delivery, reason="the mailbox is there again").applied
    row = ledger.of(delivery)
    assert (row.state, row.reason, row.failures, row.generation) == ("queued", None, 0, 0)
    assert row.not_after > now() + timedelta(hours=23)
    assert ledger.announced() == [delivery]
    assert ledger.audit() == [("ops", "replay.delivery", str(delivery), "the mailbox is there again")]
    applied(db, delivery=delivery)
    assert ledger.of(delivery).state == "queued"


@pytest.mark.parametrize("state", ["sent", "delivered", "suppressed", "expired", "cancelled", "deferred", "sending"])
def test_a_delivery_that_is_over_or_under_way_stays_as_it_is(db: Connection, ledger: Ledger, state: str) -> None:
    delivery = ledger.row(state=state)
    before = rows(db)
    done = applied(db, delivery=delivery)
    assert (done.matches, done.again, done.unchanged, done.applied) == (1, 0, 1, False)
    assert rows(db) == before


def test_a_delivery_that_is_not_there_matches_nothing(db: Connection) -> None:
    assert applied(db, delivery=99).matches == 0


def test_a_sent_delivery_is_sent_again_as_a_new_generation_once_however_often_it_is_asked(
    db: Connection, ledger: Ledger
) -> None:
    delivery = ledger.row(state="sent", execution_id=str(uuid4()))
    assert planned(db, delivery=delivery, resend=True, reason="lost by the provider").resend == 1
    assert ledger.generations(delivery) == [(0, "sent")]
    for _ in range(2):
        applied(db, delivery=delivery, resend=True, reason="lost by the provider")
    assert ledger.generations(delivery) == [(0, "sent"), (1, "queued")]
    assert len(ledger.announced()) == 1
    assert delivery not in ledger.announced()
    assert ledger.audit() == [("ops", "replay.delivery.resend", str(delivery), "lost by the provider")]


def test_two_operators_at_once_send_one_copy(database_url: str, db: Connection, ledger: Ledger) -> None:
    delivery = ledger.row(state="sent")
    start = threading.Barrier(4)

    def ask() -> None:
        engine = new_engine(database_url, socket_timeout=60)
        with engine.connect() as connection:
            start.wait(20)
            applied(connection, delivery=delivery, resend=True, reason="x")
        engine.dispose()

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(60)
    assert ledger.generations(delivery) == [(0, "sent"), (1, "queued")]


# ---------------------------------------------------------------- one execution


def test_an_executions_unsent_deliveries_are_announced_again_and_doubtful_ones_left_alone(
    db: Connection, ledger: Ledger
) -> None:
    execution = uuid4()
    mine = {"execution_id": str(execution)}
    unsent = [
        ledger.row(state="queued", **mine),
        ledger.row(state="retry_wait", next_attempt_at=now() + DAY, failures=2, **mine),
        ledger.row("system", state="dead", reason="permanent", **mine),
    ]
    left = [
        ledger.row(state=state, reason=reason, **mine)
        for state, reason in [
            ("sent", None),
            ("uncertain", "uncertain"),
            ("dead", "uncertain"),
            ("deferred", "quiet_hours"),
            ("suppressed", "preference"),
        ]
    ]
    other = ledger.row(state="queued", execution_id=str(uuid4()))
    kept = [ledger.of(each) for each in (*left, other)]
    plan = planned(db, execution=execution)
    assert (plan.matches, plan.again, plan.to_send, plan.already_sent, plan.unchanged) == (8, 3, 3, 1, 5)
    assert plan.counts["system"] == {"dead": 1}
    done = applied(db, execution=execution)
    assert (done.to_send, done.applied) == (3, True)
    assert ledger.announced() == unsent
    assert [ledger.of(each).state for each in unsent] == ["queued"] * 3
    assert [ledger.of(each).failures for each in unsent] == [0, 2, 0]
    assert [ledger.of(each) for each in (*left, other)] == kept
    assert ledger.audit() == [("ops", "replay.execution", str(execution), None)]


def test_a_resent_execution_is_resent_once(db: Connection, ledger: Ledger) -> None:
    execution = uuid4()
    sent = [ledger.row(channel, execution_id=str(execution)) for channel in ("system", "email")]
    for _ in range(2):
        applied(db, execution=execution, resend=True, reason="x")
        db.execute(text("update belfry.notification_deliveries set state = 'sent' where state = 'queued'"))
    assert [ledger.generations(each) for each in sent] == [[(0, "sent"), (1, "sent")]] * 2


# ---------------------------------------------------------------- subscriptions


@pytest.mark.filterwarnings("ignore:The return_immediately flag")
def test_a_window_is_counted_by_our_tables_and_brought_again_by_pubsub(
    db: Connection, ledger: Ledger, world: World
) -> None:
    for channel, state, columns in [
        ("email", "sent", {}),
        ("email", "queued", {}),
        ("email", "dead", {"reason": "ladder"}),
        ("email", "retry_wait", {"next_attempt_at": now() + DAY}),
        ("email", "retry_wait", {}),
        ("system", "delivered", {}),
        ("email", "sent", {"age": 3 * DAY}),
        ("email", "sending", {"phase": "connecting", "lease_until": now() - timedelta(seconds=1)}),
    ]:
        ledger.row(channel, state, **columns)
    world.publish("email", "e1", "e2")
    world.publish("system", "s1")
    for name, texts in (("notify-email", ["e1", "e2"]), ("notify-system", ["s1"])):
        assert world.heard(name) == texts
    before = rows(db)
    plan = planned(db, since=now() - DAY)
    assert plan.subscriptions == ("notify-system", "notify-email")
    assert (plan.matches, plan.again, plan.to_send, plan.already_sent, plan.unchanged) == (7, 7, 3, 2, 4)
    assert plan.counts == {
        "email": {"dead": 1, "queued": 1, "retry_wait": 2, "sending": 1, "sent": 1},
        "system": {"delivered": 1},
    }
    assert rows(db) == before
    assert world.heard("notify-email") == []
    only_mail = applied(db, since=now() - DAY, channel="email")
    assert (only_mail.subscriptions, only_mail.matches) == (("notify-email",), 6)
    assert (world.heard("notify-email"), world.heard("notify-system")) == (["e1", "e2"], [])
    applied(db, since=now() - DAY)
    assert (world.heard("notify-email"), world.heard("notify-system")) == (["e1", "e2"], ["s1"])
    # Looking again is Pub/Sub's part: here nobody did, so no row is touched, and two audits say who asked.
    assert rows(db, without=["audit_log"]) == {name: seen for name, seen in before.items() if name != "audit_log"}
    assert [entry[1:3] for entry in ledger.audit()] == [
        ("replay.subscription", "notify-email"),
        ("replay.subscription", "notify-system, notify-email"),
    ]


def test_until_ends_the_count_and_says_what_comes_as_well(db: Connection, ledger: Ledger, world: World) -> None:
    for hours in (1, 3, 5):
        ledger.row(age=timedelta(hours=hours))
    plan = planned(db, since=now() - timedelta(hours=4), until=now() - timedelta(hours=2), channel="email")
    assert (plan.matches, plan.after_until) == (1, 1)


@pytest.mark.filterwarnings("ignore:The return_immediately flag")
def test_a_window_resent_twice_at_once_sends_one_copy_of_each(
    database_url: str, db: Connection, ledger: Ledger, world: World
) -> None:
    sent = [ledger.row(channel) for channel in ("system", "email", "email")]
    ledger.row(state="dead", reason="ladder")
    plan = planned(db, since=now() - DAY, resend=True, reason="x")
    assert (plan.matches, plan.resend, plan.unchanged) == (4, 3, 1)
    start = threading.Barrier(2)

    def ask() -> None:
        engine = new_engine(database_url, socket_timeout=60)
        with engine.connect() as connection:
            start.wait(20)
            applied(connection, since=now() - DAY, resend=True, reason="x")
        engine.dispose()

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(60)
    assert [ledger.generations(each) for each in sent] == [[(0, "sent"), (1, "queued")]] * 3
    assert len(ledger.announced()) == 3


@pytest.mark.filterwarnings("ignore:The return_immediately flag")
def test_a_snapshot_brings_again_what_it_holds(db: Connection, ledger: Ledger, world: World) -> None:
    ledger.row()
    world.publish("email", "settled")
    world.heard("notify-email")
    world.publish("email", "owed")
    for name in ("before-release", "job-ends"):
        source = "notify-email" if name == "before-release" else "dispatch-dependents"
        world.subscriber.create_snapshot(
            name=f"{PROJECT}/snapshots/{name}", subscription=f"{PROJECT}/subscriptions/{source}"
        )
    world.heard("notify-email")
    for name in ("before-release", f"{PROJECT}/snapshots/before-release"):
        plan = planned(db, snapshot=name, channel="email")
        assert plan.since is not None
        # As far back as the oldest message that the snapshot can hold: an hour-old delivery is older than that.
        assert (plan.matches, abs(plan.since - now()) < timedelta(minutes=1)) == (0, True)
    ledger.row(age=timedelta())
    assert applied(db, snapshot="before-release", channel="email").matches == 1
    assert world.heard("notify-email") == ["owed"]
    for name, code in (("nowhere", "unknown_snapshot"), ("job-ends", "wrong_topic")):
        with pytest.raises(InvalidRequest) as refused:
            planned(db, snapshot=name)
        assert (refused.value.code, refused.value.field) == (code, "snapshot")


def test_the_ends_of_jobs_that_others_wait_for_are_counted_for_their_subscription(db: Connection, world: World) -> None:
    db.execute(
        text("""insert into belfry.jobs (job_id, func, name, category)
                select n, n, '{}', 'x' from unnest('{up,down,alone}'::text[]) n""")
    )
    db.execute(text("insert into belfry.job_dependencies values ('down', 'up')"))
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, finished_at)
                select j, date_trunc('minute', now()), current_date, 'scheduled', 'succeeded', 'skip', now()
                from unnest('{up,down,alone}'::text[]) j""")
    )
    plan = applied(db, since=now() - DAY, subscription="dispatch-dependents")
    assert (plan.matches, plan.again, plan.unchanged, plan.to_send) == (1, 1, 1, 0)
    assert plan.counts == {"job-events": {"succeeded": 1}}


def test_a_channel_without_a_subscription_is_refused_with_those_that_are(db: Connection, world: World) -> None:
    for asked, field in (({"channel": "wechat"}, "channel"), ({"subscription": "notify-sms"}, "subscription")):
        with pytest.raises(InvalidRequest) as refused:
            planned(db, since=now() - DAY, **asked)
        assert (refused.value.field, refused.value.allowed) == (field, ["notify-email", "notify-system"])


def test_without_pubsub_nothing_is_changed(db: Connection, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.row()
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setattr(seek, "PATIENCE", 0.5)
    config.config.cache_clear()
    before = rows(db)
    with pytest.raises(Unavailable, match="Pub/Sub"):
        applied(db, since=now() - DAY, resend=True, reason="x")
    assert rows(db) == before


# ---------------------------------------------------------------- what may be asked

AT = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "since"),
        ({"until": AT}, "since"),
        ({"since": datetime(2026, 3, 1)}, "since"),
        ({"since": AT - HOUR, "until": datetime(2026, 3, 2)}, "until"),
        ({"since": AT - HOUR, "until": AT - 2 * HOUR}, "until"),
        ({"since": AT - HOUR, "until": AT - HOUR}, "until"),
        ({"since": AT - 31 * DAY - HOUR}, "since"),
        ({"since": AT - 60 * DAY, "until": AT - 59 * DAY}, "since"),
        ({"since": AT + HOUR}, "since"),
        ({"since": AT - HOUR, "until": AT + HOUR}, "until"),
        ({"delivery": 1, "until": AT - HOUR}, "until"),
        ({"since": AT - HOUR, "channel": "fax"}, "channel"),
        ({"since": AT - HOUR, "channel": "E-MAIL"}, "channel"),
        ({"since": AT - HOUR, "channel": ""}, "channel"),
        ({"since": AT - HOUR, "subscription": "notify-fax"}, "subscription"),
        ({"since": AT - HOUR, "subscription": "dead-letters"}, "subscription"),
        ({"since": AT - HOUR, "subscription": ""}, "subscription"),
        ({"since": AT - HOUR, "subscription": "projects/other/subscriptions/notify-email"}, "subscription"),
        ({"since": AT - HOUR, "subscription": "projects/belfry-local/topics/notify-email"}, "subscription"),
        ({"snapshot": "projects/other/snapshots/s-1"}, "snapshot"),
        ({"snapshot": "a b"}, "snapshot"),
        ({"snapshot": ""}, "snapshot"),
        ({"since": AT - HOUR, "snapshot": "s-1"}, "snapshot"),
        ({"execution": UUID(int=1), "snapshot": "s-1"}, "snapshot"),
        ({"since": AT - HOUR, "channel": "email", "subscription": "notify-email"}, "subscription"),
        ({"delivery": 1, "execution": UUID(int=1)}, "execution"),
        ({"execution": UUID(int=1), "channel": "email"}, "channel"),
        ({"delivery": 0}, "delivery"),
        ({"delivery": -1}, "delivery"),
        ({"delivery": 2**63}, "delivery"),
        ({"delivery": 1, "resend": True}, "reason"),
        ({"delivery": 1, "resend": True, "reason": " \n"}, "reason"),
        ({"delivery": 1, "reason": "x" * 501}, "reason"),
        ({"delivery": 1, "reason": "a\0b"}, "reason"),
        ({"delivery": 1, "reason": "\ud800"}, "reason"),
        ({"since": AT - HOUR, "subscription": "dispatch-dependents", "resend": True, "reason": "x"}, "resend"),
    ],
)
def test_what_may_not_be_asked_is_refused_by_its_field(asked: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked(Asked(**asked), AT, "belfry-local")
    assert refused.value.field == field
    assert refused.value.allowed


def test_full_names_of_this_project_are_shortened() -> None:
    found = checked(
        Asked(since=AT, subscription="projects/belfry-local/subscriptions/notify-email"), AT, "belfry-local"
    )
    assert found.subscription == "notify-email"
    assert checked(Asked(snapshot="projects/belfry-local/snapshots/s-1"), AT, "belfry-local").snapshot == "s-1"
    assert checked(Asked(since=AT - 31 * DAY, until=AT), AT, "belfry-local").since == AT - 31 * DAY
