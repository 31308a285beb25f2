"""kill -9 of a channel function at every statement and SMTP step: no delivery is lost, at most one mail too many, and
only when the process died between the provider's acceptance and our commit (P5, P6, P7)."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Connection, text

from infra.local.sinks import Sinks
from tests.conftest import ROOT, Perform
from tests.factories import Erp
from tests.faults.invariants import assert_invariants
from tests.faults.order import Order, chosen
from tests.processes import Served, eventually, served

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


class Channel:
    """A served channel function, its provider's ledger, and what redelivery and the sweep bring again."""

    def __init__(
        self,
        name: str,
        db: Connection,
        perform: Perform,
        function: Served,
        sinks: Sinks,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.name, self.db, self.perform, self.function = name, db, perform, function
        self.sinks, self.loop = sinks, loop
        self.user = Erp(db).user("陈工", email="chen@example.com")
        self.now = NOON

    def queue(self) -> int:
        """One delivery, as a fan-out leaves it, a minute later than the last."""
        self.now += timedelta(minutes=1)
        return int(
            self.db.execute(
                text("""with n as (
                      insert into belfry.notifications (dedupe_key, type, severity, facts, not_after, fanned_out)
                      select 'k' || gen_random_uuid(), 'ALERT', 'CRITICAL', '{"target_no": "N1", "target_name": "x"}',
                             cast(:now as timestamptz) + interval '3 days', true returning id)
                    insert into belfry.notification_deliveries
                      (notification_id, user_id, channel, state, target, next_attempt_at, not_after)
                    select id, :user, :channel, 'queued', 'chen@example.com', :now,
                           cast(:now as timestamptz) + interval '3 days' from n
                    returning id"""),
                {"user": self.user, "channel": self.name, "now": self.now},
            ).scalar_one()
        )

    def push(self, delivery: int) -> int | None:
        """Pub/Sub's POST; None when the function died on it."""
        payload = {"v": 1, "channel": self.name, "delivery_ids": [delivery], "execution_id": None}
        message = {
            "data": base64.b64encode(json.dumps(payload).encode()).decode(),
            "attributes": {"channel": self.name, "now": self.now.isoformat()},
            "messageId": "1",
            "publishTime": "2026-03-02T04:00:00Z",
        }
        envelope = {"message": message, "subscription": f"projects/belfry-local/subscriptions/notify-{self.name}"}
        try:
            return requests.post(self.function.url, json=envelope, timeout=30).status_code
        except requests.ConnectionError:
            return None

    def state(self, delivery: int) -> Any:
        return self.db.execute(
            text("""select state, phase, uncertain_count, attempt from belfry.notification_deliveries where id = :i"""),
            {"i": delivery},
        ).one()

    def recover(self, delivery: int) -> None:
        """Let leases run out and minutes pass; sweep and redeliver until it is over."""

        def over() -> bool:
            self.now += timedelta(minutes=16)
            self.db.execute(
                text("""update belfry.notification_deliveries set lease_until = clock_timestamp() - interval '1 second'
                        where state = 'sending'""")
            )
            swept = self.perform("sweep_deliveries", self.now.isoformat())
            assert swept["status"] == "succeeded", swept
            self.push(delivery)
            return self.state(delivery).state in ("sent", "delivered", "dead", "expired", "suppressed")

        eventually(over, f"delivery {delivery} is over")

    def copies(self, delivery: int) -> int:
        async def count() -> int:
            return sum(letter.delivery_id == str(delivery) for letter in self.sinks.letters.latest("email", 10_000))

        return asyncio.run_coroutine_threadsafe(count(), self.loop).result(20)


@pytest.fixture
def sinks() -> Iterator[tuple[Sinks, str, asyncio.AbstractEventLoop]]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[Sinks, str]:
        kept = Sinks(None, lambda: datetime.now(UTC))  # its ledger belongs to the loop's thread
        return kept, await kept.start()

    started = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    yield (*started, loop)
    asyncio.run_coroutine_threadsafe(started[0].stop(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(params=["system", "email"])
def channel(
    request: pytest.FixtureRequest,
    db: Connection,
    database_url: str,
    perform: Perform,
    monkeypatch: pytest.MonkeyPatch,
    sinks: tuple[Sinks, str, asyncio.AbstractEventLoop],
    tmp_path: Path,
) -> Iterator[tuple[Channel, Order]]:
    order = Order(tmp_path)
    host, port = sinks[1].split(":")
    mail = {
        "EMAIL_ENABLED": "true",
        "EMAIL_SMTP_SERVER": host,
        "EMAIL_SMTP_PORT": port,
        "EMAIL_FROM": "belfry@example.com",
    }
    for name, value in mail.items():
        monkeypatch.setenv(name, value)
    environment = {"DATABASE_URL": database_url, "BELFRY_LOCAL_CLOCK": "1", **mail, **order.environment}
    target = f"notify_{request.param}"
    source = ROOT / "functions" / "notify" / f"{target}.py"
    with served(target, ROOT, environment, source=source) as function:
        yield Channel(request.param, db, perform, function, sinks[0], sinks[2]), order


def test_a_channel_killed_at_any_point_loses_nothing_and_doubles_at_most_one_mail(
    channel: tuple[Channel, Order],
) -> None:
    line, order = channel
    first = line.queue()
    points = order.count(lambda: line.push(first))
    assert line.state(first).state == "sent", line.state(first)
    assert len(points) >= 4, points
    doubled = []
    for number, name in chosen(points, 3 if line.name == "email" else 1):
        delivery = line.queue()
        order.die_at(number)
        assert line.push(delivery) is None, f"point {number} was not reached: {name}"
        phase = line.state(delivery).phase
        line.recover(delivery)
        assert line.state(delivery).state == "sent", (name, line.state(delivery))
        if line.name == "email":
            copies = line.copies(delivery)
            assert 1 <= copies <= 1 + line.state(delivery).uncertain_count <= 2, name
            if copies == 2:
                assert phase == "committing", name
                doubled.append(name)
    if line.name == "email":
        # The honest residue is there: between the final dot's acceptance and our commit the outcome is unknown.
        assert doubled
    assert_invariants(line.db)
