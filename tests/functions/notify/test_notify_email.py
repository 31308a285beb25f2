"""E-mail: real SMTP by phase; what the server says decides what becomes of a delivery, and nothing is sent twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from tests.conftest import _forget_process_state
from tests.factories import Erp
from tests.smtp_server import DROP, HANG, MailServer, mail_server
from tests.telling import (
    FACTS,
    NINE,
    alert,
    announced,
    at,
    channel_state,
    clock,
    delivery,
    logged,
    look,
    notification,
    policy,
    push,
    states,
)

Point = Callable[..., None]


@pytest.fixture
def point(db: Connection, monkeypatch: pytest.MonkeyPatch) -> Point:
    """Point the channel at a server."""
    clock(db, NINE)

    def to(server: MailServer | int, **settings: str) -> None:
        monkeypatch.setenv("EMAIL_ENABLED", "true")
        monkeypatch.setenv("EMAIL_SMTP_SERVER", "127.0.0.1")
        monkeypatch.setenv("EMAIL_SMTP_PORT", str(server if isinstance(server, int) else server.port))
        monkeypatch.setenv("EMAIL_FROM", "Project Bot <bot@example.com>")
        monkeypatch.setenv("EMAIL_TIMEOUT", "0.3")
        monkeypatch.setenv("BELFRY_URL", "https://belfry.example.com")
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        _forget_process_state()

    return to


@pytest.fixture
def server(point: Point) -> Iterator[MailServer]:
    with mail_server() as running:
        point(running)
        yield running


def test_a_delivery_becomes_one_message_with_everything_a_reader_needs(db: Connection, server: MailServer) -> None:
    reader = Erp(db).user(email="wang.fang@example.com")
    alert_id = alert(db)
    sent = delivery(db, reader, of=notification(db, severity="CRITICAL", alert_id=alert_id, type="ISSUE_TEST"))

    assert push("email", [sent]) == 204

    (message,) = server.taken
    row = look(db, sent)
    assert (row.state, row.phase, row.attempt, row.sent_at) == ("sent", "accepted", 1, NINE)
    assert message["To"] == "wang.fang@example.com"
    assert message["From"] == "Project Bot <bot@example.com>"
    assert message["Subject"] == "[严重] 预警：ISS-7 焊接缺陷"
    assert message["Message-ID"] == row.provider_message_id == f"<{sent}.0@example.com>"
    assert message["X-Belfry-Delivery"] == str(sent)
    assert message["Date"] is not None
    plain = message.get_body(("plain",))
    html = message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert f"https://belfry.example.com/alerts/{alert_id}" in plain.get_content()
    assert f'href="https://belfry.example.com/alerts/{alert_id}"' in html.get_content()
    assert [c for c in server.commands if c.lower().startswith("rcpt")] == ["rcpt TO:<wang.fang@example.com>"]


def test_an_english_reader_reads_english(db: Connection, server: MailServer) -> None:
    sent = delivery(db, Erp(db).user(language="en"), of=notification(db, severity="URGENT"))
    push("email", [sent])
    assert server.taken[0]["Subject"] == "[URGENT] Alert: ISS-7 焊接缺陷"


def test_a_name_from_the_business_data_becomes_neither_markup_nor_a_header(db: Connection, server: MailServer) -> None:
    name = "<script>alert(1)</script>\r\nBcc: evil@example.com\u202e"
    sent = delivery(db, Erp(db).user(), of=notification(db, facts={**FACTS, "target_name": name}))
    push("email", [sent])
    (message,) = server.taken
    html = message.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
    assert "&lt;script&gt;" in html.get_content()
    assert message["Bcc"] is None
    assert "\u202e" not in message["Subject"]


def test_ten_pushes_of_one_message_at_once_send_it_once(db: Connection, server: MailServer, point: Point) -> None:
    point(server, DB_POOL_SIZE="10")
    ids = [delivery(db, Erp(db).user()) for _ in range(3)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: push("email", ids), range(10)))
    assert answers == [204] * 10
    assert sorted(m["X-Belfry-Delivery"] for m in server.taken) == sorted(map(str, ids))
    assert push("email", ids) == 204
    assert len(server.taken) == 3


def test_more_deliveries_than_a_chunk_go_out_over_one_connection(db: Connection, server: MailServer) -> None:
    reader = Erp(db).user()
    ids = [delivery(db, reader) for _ in range(25)]
    push("email", ids)
    assert states(db, ids) == ["sent"] * 25
    assert len([c for c in server.commands if c.upper().startswith("EHLO")]) == 1


def test_a_delivery_that_does_not_exist_is_answered_and_not_sent(db: Connection, server: MailServer) -> None:
    assert push("email", [424242]) == 204
    assert server.taken == []


def test_the_message_of_another_channel_is_left_alone(db: Connection, server: MailServer) -> None:
    other = delivery(db, Erp(db).user(), channel="system")
    push("email", [other])
    assert look(db, other).state == "queued"


# Fault rows 38-40 of the matrix: what the server does, and what becomes of the delivery.
REFUSALS = [
    ({"BANNER": "421 too busy"}, "retry_wait", "connect_421"),
    ({"BANNER": DROP}, "retry_wait", "connect"),
    ({"BANNER": HANG}, "retry_wait", "connect"),
    ({"EHLO": HANG}, "retry_wait", "connect"),
    ({"MAIL": "451 later"}, "retry_wait", "mail_451"),
    ({"MAIL": "552 too much"}, "dead", "mail_552"),
    ({"MAIL": DROP}, "retry_wait", "disconnected"),
    ({"RCPT": "450 mailbox busy"}, "retry_wait", "rcpt_450"),
    ({"RCPT": "550 no such user"}, "dead", "rcpt_550"),
    ({"RCPT": HANG}, "retry_wait", "disconnected"),
    ({"DATA": "451 later"}, "retry_wait", "data_451"),
    ({"DATA": "554 no"}, "dead", "data_554"),
    ({"DATA": DROP}, "retry_wait", "disconnected"),
    ({"DOT": "452 disk full"}, "retry_wait", "dot_452"),
    ({"DOT": "550 spam"}, "dead", "dot_550"),
    ({"DOT": DROP}, "uncertain", "no_answer"),
    ({"DOT": HANG}, "uncertain", "no_answer"),
    ({"EHLO": "250-x\n250 STARTTLS", "STARTTLS": "454 no TLS today"}, "deferred", "starttls_454"),
    ({"EHLO": "250-x\n250 STARTTLS", "STARTTLS": "220 \x01 not TLS"}, "deferred", "tls"),
    ({"MAIL": "530 authentication required"}, "deferred", "mail_530"),
]


@pytest.mark.parametrize(("answers", "state", "code"), REFUSALS, ids=lambda v: str(v))
def test_what_the_server_says_decides_what_becomes_of_the_delivery(
    db: Connection, point: Point, answers: dict[str, str], state: str, code: str
) -> None:
    with mail_server(**answers) as server:
        point(server)
        tried = delivery(db, Erp(db).user())
        assert push("email", [tried]) == 204
    row = look(db, tried)
    assert (row.state, row.error_code, row.attempt) == (state, code, 1)
    assert row.lease_until is None
    waits = {"retry_wait": 5, "uncertain": 15, "deferred": 10, "dead": 0}
    assert row.next_attempt_at == at(waits[state])
    assert row.failures == (1 if state == "retry_wait" else 0)


def test_a_server_that_nobody_answers_at_fails_the_chunk_at_once(db: Connection, point: Point) -> None:
    with mail_server() as gone:
        port = gone.port
    point(port)
    ids = [delivery(db, Erp(db).user()) for _ in range(3)]
    push("email", ids)
    assert states(db, ids) == ["retry_wait"] * 3
    assert channel_state(db, "email").consecutive_failures == 1


LOGIN = {"EHLO": "250-x\n250 AUTH PLAIN"}


def test_a_refused_login_opens_the_breaker_and_never_shows_the_password(db: Connection, point: Point) -> None:
    echo = "535 no: CANARY-secret-1 AGJvdABDQU5BUlktc2VjcmV0LTE="
    with mail_server(EHLO=LOGIN["EHLO"], AUTH=echo) as server:
        point(server, EMAIL_USERNAME="bot", EMAIL_PASSWORD="CANARY-secret-1")
        tried = delivery(db, Erp(db).user())
        with logged() as lines:
            assert push("email", [tried]) == 204
    row, breaker = look(db, tried), channel_state(db, "email")
    assert (row.state, row.reason, row.error_code, row.failures) == ("deferred", "breaker", "auth_535", 0)
    assert (breaker.opened_at, breaker.open_until) == (NINE, at(10))
    assert "auth_535" in lines.getvalue()
    shown = f"{row.last_error} {breaker.last_error} {lines.getvalue()}"
    assert "CANARY" not in shown
    assert "Q0FOQVJZ" not in shown
    assert "AGJvdAB" not in shown


@pytest.mark.parametrize(
    ("name", "state", "code"),
    # 127.1 is the same server by a name that does not say so.
    [("127.0.0.1", "sent", None), ("localhost", "sent", None), ("127.1", "deferred", "tls")],
)
def test_a_password_travels_in_clear_only_within_this_machine(
    db: Connection, point: Point, name: str, state: str, code: str | None
) -> None:
    with mail_server(EHLO=LOGIN["EHLO"]) as server:
        point(server, EMAIL_USERNAME="bot", EMAIL_PASSWORD="CANARY-secret-1", EMAIL_SMTP_SERVER=name)
        tried = delivery(db, Erp(db).user())
        push("email", [tried])
    assert (look(db, tried).state, look(db, tried).error_code) == (state, code)
    assert any(c.upper().startswith("AUTH") for c in server.commands) == (state == "sent")


@pytest.mark.parametrize("address", ["a@b, evil@x", "not an address", "王芳@example.com", "a@b@c", "<a@b>"])
def test_what_is_not_one_plain_address_is_dead_at_once_and_the_next_channel_is_tried(
    db: Connection, server: MailServer, address: str
) -> None:
    reader = Erp(db).user(email=address)
    tried = delivery(db, reader)
    push("email", [tried])
    row = look(db, tried)
    assert (row.state, row.error_code) == ("dead", "invalid_address")
    assert server.taken == []
    other = db.execute(
        text("select channel, state from belfry.notification_deliveries where notification_id = :n and id <> :id"),
        {"n": row.notification_id, "id": tried},
    ).all()
    assert other == [("system", "queued")]
    assert announced(db)[-1][0] == "system"


def test_from_critical_up_a_dead_channel_tells_every_other_one_the_person_has(db: Connection, point: Point) -> None:
    with mail_server(RCPT="550 no such user") as server:
        point(server, WECHAT_ENABLED="true", SMS_ENABLED="true")
        reader = Erp(db).user(wechat_userid="wf", phone="13800000000")
        told = notification(db, severity="CRITICAL")
        delivery(db, reader, of=told, channel="system", state="sent")
        push("email", [delivery(db, reader, of=told)])
    channels = db.execute(
        text("select channel, state from belfry.notification_deliveries where notification_id = :n order by channel"),
        {"n": told},
    ).all()
    # SMS stays silent: without settings nobody asked for it.
    assert channels == [("email", "dead"), ("system", "sent"), ("wechat", "queued")]


def test_who_was_told_in_the_inbox_is_not_told_again_for_a_dead_warning(db: Connection, point: Point) -> None:
    with mail_server(RCPT="550 no such user") as server:
        point(server, WECHAT_ENABLED="true")
        reader = Erp(db).user(wechat_userid="wf")
        told = notification(db)
        delivery(db, reader, of=told, channel="system", state="sent")
        push("email", [delivery(db, reader, of=told)])
    count = text("select count(*) from belfry.notification_deliveries where notification_id = :n")
    assert db.execute(count, {"n": told}).scalar_one() == 2


def test_an_uncertain_message_is_sent_once_more_with_the_same_identity_and_then_given_up(
    db: Connection, point: Point
) -> None:
    with mail_server(DOT=DROP) as server:
        point(server)
        tried = delivery(db, Erp(db).user())
        push("email", [tried])
        push("email", [tried], now=at(14))
        assert len(server.taken) == 1

        clock(db, at(15))
        db.execute(text("select belfry.retry_deliveries(null)"))
        push("email", [tried], now=at(15))
        assert look(db, tried).state == "dead"
        assert look(db, tried).reason == "uncertain"

        clock(db, at(40))
        db.execute(text("select belfry.retry_deliveries(null)"))
        push("email", [tried], now=at(40))
    assert [m["Message-ID"] for m in server.taken] == [f"<{tried}.0@example.com>"] * 2


def test_the_ladder_is_5_15_30_60_minutes_and_then_the_delivery_is_dead_and_visible(
    db: Connection, point: Point
) -> None:
    policy(db, breaker_failures=100)
    with mail_server(RCPT="450 busy") as server:
        point(server)
        tried = delivery(db, Erp(db).user())
        now, waits = 0.0, []
        while (row := look(db, tried)).state != "dead":
            if row.state == "retry_wait":
                due = (row.next_attempt_at - NINE).total_seconds() / 60
                push("email", [tried], now=at(due - 0.1))
                assert look(db, tried).attempt == row.attempt
                waits.append(due - now)
                now = due
            push("email", [tried], now=at(now))
    assert waits == [5, 15, 30, 60]
    assert (row.attempt, row.reason, row.error_code) == (5, "ladder", "rcpt_450")
    assert "450" in row.last_error


def test_five_failures_in_a_row_open_the_breaker_and_one_probe_closes_it(db: Connection, point: Point) -> None:
    readers = [Erp(db).user() for _ in range(8)]
    with mail_server(BANNER="421 down") as server:
        point(server)
        for reader in readers[:5]:
            push("email", [delivery(db, reader)])
        assert channel_state(db, "email").opened_at == NINE
        asked = len(server.commands)
        waiting = [delivery(db, reader) for reader in readers[5:]]
        push("email", waiting, now=at(1))
        assert [look(db, i).reason for i in waiting] == ["breaker"] * 3
        assert len(server.commands) == asked

    with mail_server() as server:
        point(server)
        clock(db, at(10))
        db.execute(text("select * from belfry.release_deliveries('{system,email}', 5, null)"))
        assert announced(db)[-1] == ("email", [waiting[0]])
        push("email", waiting, now=at(10))
        assert states(db, waiting) == ["sent", "deferred", "deferred"]
        assert channel_state(db, "email").opened_at is None

        db.execute(text("select * from belfry.release_deliveries('{system,email}', 5, null)"))
        push("email", waiting, now=at(10))
        assert states(db, waiting) == ["sent"] * 3


def test_a_failed_probe_opens_the_breaker_again_and_that_is_worse(db: Connection, point: Point) -> None:
    policy(db, breaker_failures=1)
    with mail_server(BANNER="421 down") as server:
        point(server)
        first, second = (delivery(db, Erp(db).user()) for _ in range(2))
        push("email", [first])
        push("email", [second], now=at(11))
    breaker = channel_state(db, "email")
    assert (breaker.opened_at, breaker.opened_before, breaker.last_opened_at) == (NINE, NINE, at(11))
    assert breaker.open_until == at(21)
    assert look(db, second).state == "retry_wait"


def test_the_breaker_lets_one_probe_through_even_if_two_instances_ask(db: Connection, point: Point) -> None:
    policy(db, breaker_failures=1)
    with mail_server(BANNER="421 down") as server:
        point(server)
        push("email", [delivery(db, Erp(db).user())])
    with mail_server(DOT="451 later") as server:
        point(server, DB_POOL_SIZE="4")
        ids = [delivery(db, Erp(db).user()) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i: push("email", [i], now=at(11)), ids))
        assert len(server.taken) == 1


# What may have changed between the fan-out and now (D-33).
def _disable(db: Connection, user: int, **columns: str) -> None:
    names, slots = ", ".join(columns), ", ".join(f"'{v}'" for v in columns.values())
    db.execute(text(f"insert into belfry.notification_settings (user_id, {names}) values ({user}, {slots})"))


def test_preferences_and_people_are_read_again_when_a_delivery_is_claimed(db: Connection, server: MailServer) -> None:
    erp = Erp(db)
    off, left, quiet, fussy, moved = (erp.user() for _ in range(5))
    ids = [delivery(db, person, target="old@example.com") for person in (off, left, quiet, fussy, moved)]
    _disable(db, off, email_enabled="false")
    db.execute(text("update erp.users set is_active = false where id = :id"), {"id": left})
    _disable(db, quiet, quiet_start="08:00", quiet_end="10:00")
    _disable(db, fussy, min_level="CRITICAL")
    db.execute(text("update erp.users set email = 'new@example.com' where id = :id"), {"id": moved})

    push("email", ids)

    rows = [look(db, i) for i in ids]
    assert [(r.state, r.reason) for r in rows] == [
        ("suppressed", "preference"),
        ("suppressed", "user_inactive"),
        ("deferred", "quiet_hours"),
        ("suppressed", "min_level"),
        ("sent", None),
    ]
    assert rows[2].next_attempt_at == at(60)
    assert [m["To"] for m in server.taken] == ["new@example.com"]


def test_an_alert_that_was_handled_meanwhile_is_not_sent_but_its_end_is(db: Connection, server: MailServer) -> None:
    reader, over = Erp(db).user(), alert(db, status="RESOLVED")
    stale = delivery(db, reader, of=notification(db, alert_id=over))
    end = delivery(db, reader, of=notification(db, alert_id=over, reason="RESOLVED"))
    push("email", [stale, end])
    assert (look(db, stale).state, look(db, stale).reason) == ("suppressed", "alert_closed")
    assert look(db, end).state == "sent"


def test_urgent_news_pass_through_quiet_hours_and_critical_only_for_who_asked(
    db: Connection, server: MailServer
) -> None:
    quiet, keen = Erp(db).user(), Erp(db).user()
    _disable(db, quiet, quiet_start="08:00", quiet_end="10:00")
    _disable(db, keen, quiet_start="08:00", quiet_end="10:00", critical_bypass="true")
    ids = [
        delivery(db, quiet, of=notification(db, severity="URGENT", reason="ESCALATED", facts={
            **FACTS, "escalation": {"from": "CRITICAL", "to": "URGENT", "count": 1, "since": NINE.isoformat()}})),
        delivery(db, quiet, of=notification(db, severity="CRITICAL")),
        delivery(db, keen, of=notification(db, severity="CRITICAL")),
    ]  # fmt: skip
    push("email", ids)
    assert states(db, ids) == ["sent", "deferred", "sent"]


def test_nothing_is_sent_after_its_time(db: Connection, server: MailServer) -> None:
    late = delivery(db, Erp(db).user(), not_after=NINE + timedelta(hours=1))
    push("email", [late], now=at(61))
    assert (look(db, late).state, server.taken) == ("expired", [])


def test_a_channel_that_is_switched_off_suppresses_and_does_not_fail(db: Connection, point: Point) -> None:
    point(1, EMAIL_ENABLED="false")
    asked = delivery(db, Erp(db).user())
    assert push("email", [asked]) == 204
    assert (look(db, asked).state, look(db, asked).reason) == ("suppressed", "channel_disabled")
    assert channel_state(db, "email").failure_count == 0


def test_a_text_that_cannot_be_made_is_dead_and_says_so(db: Connection, server: MailServer) -> None:
    broken = delivery(db, Erp(db).user(), of=notification(db, type="JOB_FAILED", facts={"level": "WARNING"}))
    push("email", [broken])
    row = look(db, broken)
    assert (row.state, row.error_code) == ("dead", "no_text")
    assert re.fullmatch(r"no text for JOB_FAILED: \w+", row.last_error)


def test_a_sender_that_was_overtaken_does_not_send(db: Connection, server: MailServer) -> None:
    """Its lease ran out while it connected, another instance took the delivery: the phase is refused, so is DATA."""
    taken = delivery(
        db, Erp(db).user(), state="sending", phase="connecting", attempt=1, lease_until=NINE - timedelta(days=1)
    )
    push("email", [taken])
    assert look(db, taken).attempt == 2
    assert db.execute(text("select belfry.delivery_committing(:id, 1)"), {"id": taken}).scalar_one() is False
    assert db.execute(text("select belfry.delivery_sent(:id, 1, 'x')"), {"id": taken}).scalar_one() is False
    assert len(server.taken) == 1
