"""A person reads their own messages, and only they mark them as read."""

from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.console.conftest import Program, Readers


def message(
    db: Connection, user: int | None, *, channel: str = "system", state: str = "sent", name: str = "通知渠道"
) -> int:
    found = db.execute(
        text("""with n as (insert into belfry.notifications (dedupe_key, type, severity, facts, not_after)
                  values (gen_random_uuid()::text, 'ALERT', 'WARNING', jsonb_build_object('target_no', 'T-1', 'target_name', cast(:name as text)),
                          now() + interval '1 day') returning id)
                insert into belfry.notification_deliveries (notification_id, user_id, channel, state, not_after, sent_at)
                select id, :user, :channel, :state, now() + interval '1 day', now() from n returning id"""),
        {"user": user, "channel": channel, "state": state, "name": name},
    ).scalar_one()
    return int(found)


def unread(db: Connection, user: int | None) -> list[int]:
    statement = text(
        "select id from belfry.notification_deliveries where user_id = :user and read_at is null order by id"
    )
    return list(db.execute(statement, {"user": user}).scalars())


def test_the_inbox_holds_what_was_sent_to_me_in_the_console(db: Connection, reader: Readers) -> None:
    me, other = reader("viewer"), reader("viewer")
    message(db, me.user_id, name="给我的")
    message(db, other.user_id, name="给别人的")
    message(db, me.user_id, channel="email", name="邮件")
    message(db, me.user_id, state="suppressed", name="没有发出的")
    page = me.get("/inbox").text
    assert "给我的" in page
    for hidden in ("给别人的", "邮件</a>", "没有发出的"):
        assert hidden not in page


def test_the_badge_counts_what_is_unread_on_every_page(db: Connection, reader: Readers) -> None:
    me = reader("viewer")
    for _ in range(3):
        message(db, me.user_id)
    assert '<span class="count">3' in me.get("/alerts").text


def test_one_message_is_marked_and_the_others_stay(db: Connection, reader: Readers) -> None:
    me = reader("viewer")
    first, second = message(db, me.user_id), message(db, me.user_id)
    me.get("/inbox")
    assert me.post("/inbox/read", {"id": first}).status_code == 303
    assert unread(db, me.user_id) == [second]


def test_all_means_all_that_the_page_showed(db: Connection, reader: Readers) -> None:
    me = reader("viewer")
    shown = [message(db, me.user_id) for _ in range(2)]
    me.get("/inbox")
    later = message(db, me.user_id)
    me.post("/inbox/read", {"until": shown[-1]})
    assert unread(db, me.user_id) == [later]


def test_nobody_marks_the_messages_of_others(db: Connection, reader: Readers) -> None:
    me, other = reader("viewer"), reader("admin")
    mine = message(db, me.user_id)
    other.post("/inbox/read", {"id": mine})
    other.client.post(
        "/api/v1/notifications/read",
        json={"ids": [mine]},
        headers={"X-CSRF-Token": other.csrf, "Idempotency-Key": "k" * 16},
    )
    assert unread(db, me.user_id) == [mine]


@pytest.mark.parametrize("form", [{}, {"id": "x"}, {"id": "1", "until": "2"}])
def test_a_form_that_names_no_message_is_400(reader: Readers, form: dict[str, str]) -> None:
    assert reader("viewer").post("/inbox/read", form).status_code == 400


def test_the_api_reads_and_marks(db: Connection, reader: Readers) -> None:
    me = reader("viewer")
    ids = [message(db, me.user_id) for _ in range(3)]
    page = me.get("/api/v1/notifications?limit=2").json
    assert [item["id"] for item in page["items"]] == ids[:0:-1]
    rest = me.get(f"/api/v1/notifications?limit=2&cursor={page['next']}").json
    assert ([item["id"] for item in rest["items"]], rest["next"]) == ([ids[0]], None)

    def mark(body: dict[str, Any], key: str) -> Any:
        return me.client.post(
            "/api/v1/notifications/read", json=body, headers={"X-CSRF-Token": me.csrf, "Idempotency-Key": key * 16}
        )

    assert mark({"ids": ids[:1]}, "a").json == {"read": 1}
    assert [item["id"] for item in me.get("/api/v1/notifications?unread=true").json["items"]] == ids[:0:-1]
    assert mark({"all": True}, "b").json == {"read": 2}
    for wrong in ({}, {"ids": ids, "all": True}, {"ids": ["1"]}, {"ids": [True]}, {"ids": [2**63]}):
        assert mark(wrong, "c").status_code == 400


def test_a_token_has_no_inbox(managing: Program) -> None:
    assert managing.get("/api/v1/notifications").json["error"]["code"] == "no_inbox"


def test_an_empty_inbox_says_what_will_come(reader: Readers) -> None:
    someone = reader("viewer")
    assert "收件箱是空的" in someone.get("/inbox").text
    assert "没有未读消息" in someone.get("/inbox?unread=1").text
