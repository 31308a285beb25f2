"""Publishing: what is confirmed is told, and a Pub/Sub out of reach keeps nobody waiting."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any
from uuid import uuid4

import pytest

from shared import config, logs, pubsub
from shared.outbox import OutboxMessage
from tests.infra.pubsub_world import running
from tests.shared.operator.test_replay import World


@pytest.fixture(autouse=True)
def own_client(database_url: str) -> Iterator[None]:
    pubsub._publisher.cache_clear()
    yield
    pubsub._publisher.cache_clear()


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def messages(*topics: str) -> list[OutboxMessage]:
    return [OutboxMessage(str(uuid4()), topic, {"channel": "email"}, {"n": n}) for n, topic in enumerate(topics)]


def published(batch: list[OutboxMessage], *, within: float = 20) -> list[str]:
    """What publish() says; fails when it has not come back by then."""
    answer: Future[list[str]] = Future()
    threading.Thread(target=lambda: answer.set_result(pubsub.publish(batch)), daemon=True).start()
    return answer.result(within)


@pytest.mark.filterwarnings("ignore:The return_immediately flag")
def test_what_is_confirmed_is_told_beside_what_has_no_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as address:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
        config.config.cache_clear()
        world = World()
        batch = messages("notifications", "no-such-topic", "notifications")
        assert published(batch) == [batch[0].id, batch[2].id]
        assert sorted(world.heard("notify-email")) == ['{"n": 0}', '{"n": 2}']
        world.close()


@pytest.mark.parametrize("there", ["nobody listens", "nobody answers"])
def test_a_dead_address_is_given_up_soon(
    there: str, black_hole: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9" if there == "nobody listens" else black_hole)
    config.config.cache_clear()
    monkeypatch.setattr(pubsub, "PATIENCE", 0.5)
    logs.configure().addHandler(caplog.handler)
    assert published(messages("notifications", "job-events")) == []
    logs.configure().removeHandler(caplog.handler)
    (said,) = caplog.records
    assert (said.getMessage(), vars(said)["unconfirmed"]) == ("publish_failed", 2)


def test_the_client_gives_up_when_we_do(black_hole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it sent after that would be published twice: by itself and by the sweep."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", black_hole)
    config.config.cache_clear()
    monkeypatch.setattr(pubsub, "PATIENCE", 0.5)
    client, made = pubsub._publisher(), list[Any]()
    send = client.publish
    monkeypatch.setattr(client, "publish", lambda *a, **k: made.append(send(*a, **k)) or made[-1])
    assert published(messages("notifications")) == []
    assert made[0].exception(timeout=20) is not None


def test_a_tick_is_not_kept_waiting_longer_than_three_seconds() -> None:
    assert pubsub.PATIENCE <= 3


def test_nothing_to_publish_makes_no_client() -> None:
    assert pubsub.publish([]) == []
    assert pubsub._publisher.cache_info().currsize == 0
