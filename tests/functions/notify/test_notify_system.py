"""The in-app channel: what Pub/Sub names is in the inbox exactly once, whatever is pushed twice or fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from tests.conftest import _forget_process_state
from tests.factories import Erp
from tests.telling import NINE, alert, at, channel_state, clock, delivery, look, notification, push, states


@pytest.fixture(autouse=True)
def _nine_o_clock(db: Connection) -> None:
    clock(db, NINE)


def test_deliveries_reach_the_inbox_in_one_statement(db: Connection) -> None:
    ids = [delivery(db, Erp(db).user(), channel="system") for _ in range(100)]
    assert push("system", ids) == 204
    assert set(states(db, ids)) == {"sent"}
    assert look(db, ids[0]).sent_at == NINE
    assert channel_state(db, "system").success_count == 100


def test_ten_pushes_at_once_put_it_there_once(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_POOL_SIZE", "10")
    _forget_process_state()
    ids = [delivery(db, Erp(db).user(), channel="system") for _ in range(20)]
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(lambda _: push("system", ids), range(10))) == [204] * 10
    assert [look(db, i).attempt for i in ids] == [1] * 20
    assert channel_state(db, "system").success_count == 20


def test_a_message_read_already_stays_read_when_it_comes_again(db: Connection) -> None:
    told = delivery(db, Erp(db).user(), channel="system")
    push("system", [told])
    db.execute(text("update belfry.notification_deliveries set read_at = belfry.clock() where id = :id"), {"id": told})
    before = look(db, told)
    push("system", [told], now=at(60))
    assert look(db, told) == before


def test_what_is_over_or_too_late_does_not_reach_the_inbox(db: Connection) -> None:
    reader = Erp(db).user()
    over = delivery(db, reader, channel="system", of=notification(db, alert_id=alert(db, status="RESOLVED")))
    late = delivery(db, reader, channel="system", not_after=NINE - timedelta(minutes=1))
    push("system", [over, late])
    assert states(db, [over, late]) == ["suppressed", "expired"]


def test_the_inbox_cannot_be_switched_off_for_what_is_critical(db: Connection) -> None:
    reader = Erp(db).user()
    db.execute(
        text(
            "insert into belfry.notification_settings (user_id, system_enabled, min_level) values (:u, false, 'URGENT')"
        ),
        {"u": reader},
    )
    small = delivery(db, reader, channel="system")
    grave = delivery(db, reader, channel="system", of=notification(db, severity="CRITICAL"))
    push("system", [small, grave])
    assert states(db, [small, grave]) == ["suppressed", "sent"]
