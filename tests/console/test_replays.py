"""POST /api/v1/replays: counts first, once however often it is asked, and every refusal names its field."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from shared import config
from tests.console.conftest import Program
from tests.rows import rows
from tests.shared.operator.test_replay import DAY, Ledger, World, now

PATH = "/api/v1/replays"
QUIET = pytest.mark.filterwarnings("ignore:The return_immediately flag")


@pytest.fixture
def ledger(db: Connection) -> Ledger:
    return Ledger(db)


@pytest.fixture
def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with World.opened(monkeypatch) as made:
        yield made


def ago(time: timedelta) -> str:
    return (now() - time).isoformat()


def test_without_apply_it_counts_and_changes_nothing(db: Connection, ledger: Ledger, managing: Program) -> None:
    delivery = ledger.row(state="dead", reason="ladder", failures=5)
    before = rows(db)
    answer = managing.post(PATH, {"delivery": delivery})
    assert answer.status_code == 200
    told = answer.json
    assert (told["scope"], told["matches"], told["to_send"], told["applied"]) == ("delivery", 1, 1, False)
    assert told["counts"] == {"email": {"dead": 1}}
    assert rows(db) == before


def test_an_applied_replay_is_done_once_however_often_the_request_comes(
    db: Connection, ledger: Ledger, managing: Program
) -> None:
    delivery = ledger.row(state="dead", reason="ladder", failures=5)
    body = {"delivery": delivery, "apply": True, "reason": "the mailbox is there again"}
    first, again = (managing.post(PATH, body, Idempotency_Key="the same key twice") for _ in range(2))
    assert (first.status_code, first.json["applied"], first.json) == (200, True, again.json)
    assert again.headers["Idempotent-Replay"] == "true"
    assert ledger.of(delivery).state == "queued"
    assert ledger.announced() == [delivery]
    assert ledger.audit() == [
        ("token:manage", "replay.delivery", str(delivery), "the mailbox is there again"),
    ]


def test_an_execution_that_told_nobody_matches_nothing(db: Connection, managing: Program) -> None:
    answer = managing.post(PATH, {"execution": str(uuid4()), "apply": True})
    assert (answer.status_code, answer.json["matches"], answer.json["applied"]) == (200, 0, False)


def test_what_was_sent_goes_out_again_only_when_asked_with_a_reason(
    db: Connection, ledger: Ledger, managing: Program
) -> None:
    delivery = ledger.row(state="sent")
    plain = managing.post(PATH, {"delivery": delivery, "apply": True})
    assert (plain.json["again"], plain.json["unchanged"], plain.json["applied"]) == (0, 1, False)
    refused = managing.post(PATH, {"delivery": delivery, "apply": True, "resend": True})
    assert (refused.status_code, refused.json["error"]["field"]) == (400, "reason")
    assert ledger.generations(delivery) == [(0, "sent")]
    done = managing.post(PATH, {"delivery": delivery, "apply": True, "resend": True, "reason": "lost by the provider"})
    assert (done.status_code, done.json["resend"]) == (200, 1)
    assert ledger.generations(delivery) == [(0, "sent"), (1, "queued")]
    assert [entry[1] for entry in ledger.audit()] == ["replay.delivery.resend"]


@QUIET
def test_subscriptions_are_moved_back_and_again_when_the_answer_was_lost(
    db: Connection, ledger: Ledger, world: World, managing: Program
) -> None:
    ledger.row("email", "queued")
    world.publish("email", "e1")
    assert world.heard("notify-email") == ["e1"]
    asked = {"since": ago(DAY), "channel": "email"}
    assert managing.post(PATH, asked).json["subscriptions"] == ["notify-email"]
    assert world.heard("notify-email") == []
    for _ in range(2):
        done = managing.post(PATH, {**asked, "apply": True}, Idempotency_Key="one key for both of them")
        assert (done.status_code, done.json["again"], done.json["applied"]) == (200, 1, True)
        assert world.heard("notify-email") == ["e1"]
    assert [entry[1:3] for entry in ledger.audit()] == [("replay.subscription", "notify-email")]


def test_without_pubsub_a_window_is_503_and_nothing_is_written(
    db: Connection, ledger: Ledger, managing: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")
    monkeypatch.setattr("shared.operator.seek.PATIENCE", 0.2)
    config.config.cache_clear()
    before = rows(db)
    answer = managing.post(PATH, {"since": ago(DAY), "apply": True})
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"]
    assert rows(db) == before


@pytest.mark.parametrize(("body", "status", "field"), [
    ({}, 400, "since"),
    ({"delivery": "7"}, 400, "delivery"),
    ({"delivery": 0}, 400, "delivery"),
    ({"delivery": 2**63}, 400, "delivery"),
    ({"delivery": True}, 400, "delivery"),
    ({"execution": "not-an-id"}, 400, "execution"),
    ({"delivery": 1, "channel": "email"}, 400, "channel"),
    ({"since": "yesterday"}, 400, "since"),
    ({"since": "2026-03-02T09:00"}, 400, "since"),
    ({"since": "2020-01-01T00:00:00+08:00"}, 422, "since"),
    ({"since": "2099-01-01T00:00:00+08:00"}, 422, "since"),
    ({"until": "2026-03-02T09:00:00+08:00", "delivery": 1}, 400, "until"),
    ({"snapshot": "x"}, 400, "snapshot"),
    ({"snapshot": "projects/other/snapshots/night"}, 400, "snapshot"),
    ({"delivery": 1, "resend": True}, 400, "reason"),
    ({"delivery": 1, "reason": "x" * 501}, 400, "reason"),
    ({"delivery": 1, "apply": "yes"}, 400, "apply"),
    ({"delivery": 1, "generation": 3}, 400, "generation"),
])  # fmt: skip
def test_a_refusal_names_the_field_and_changes_nothing(
    db: Connection, managing: Program, body: dict[str, Any], status: int, field: str
) -> None:
    answer = managing.post(PATH, body)
    assert (answer.status_code, answer.json["error"]["field"]) == (status, field)
    assert answer.json["error"]["allowed"]
    assert db.execute(text("select count(*) from belfry.audit_log")).scalar_one() == 0


def test_a_channel_that_is_none_is_refused_with_those_there_are(managing: Program) -> None:
    error = managing.post(PATH, {"since": ago(DAY), "channel": "fax"}).json["error"]
    assert (error["field"], error["allowed"]) == ("channel", ["system", "email", "wechat", "sms"])


def test_a_reader_may_not_replay_not_even_count(db: Connection, ledger: Ledger, viewing: Program) -> None:
    delivery = ledger.row(state="dead", reason="ladder")
    answer = viewing.post(PATH, {"delivery": delivery})
    assert (answer.status_code, answer.json["error"]["allowed"]) == (403, "scheduler:manage")


def test_to_apply_needs_a_key(db: Connection, ledger: Ledger, managing: Program) -> None:
    delivery = ledger.row(state="dead", reason="ladder")
    answer = managing.post(PATH, {"delivery": delivery, "apply": True}, Idempotency_Key="short")
    assert (answer.status_code, answer.json["error"]["field"]) == (400, "Idempotency-Key")
    assert ledger.of(delivery).state == "dead"
