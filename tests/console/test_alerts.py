"""An alert moves only along its rules, once, by somebody it concerns; each move leaves its event and its audit."""

import threading
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.console.conftest import Program, Reader, Readers
from tests.factories import Erp

MOVES = {
    "acknowledge": ({"PENDING"}, "ACKNOWLEDGED", "ACKNOWLEDGED"),
    "start": ({"PENDING", "ACKNOWLEDGED"}, "PROCESSING", "STARTED"),
    "resolve": ({"PENDING", "ACKNOWLEDGED", "PROCESSING"}, "RESOLVED", "RESOLVED"),
    "ignore": ({"PENDING", "ACKNOWLEDGED"}, "IGNORED", "IGNORED"),
    "close": ({"PENDING", "ACKNOWLEDGED", "PROCESSING", "RESOLVED", "IGNORED", "EXPIRED"}, "CLOSED", "CLOSED"),
}
STATUSES = ("PENDING", "ACKNOWLEDGED", "PROCESSING", "RESOLVED", "IGNORED", "EXPIRED", "CLOSED")


def alert(
    db: Connection,
    *,
    status: str = "PENDING",
    level: str = "WARNING",
    recipients: str = "{}",
    rule: str = "KIT_RATE_LOW",
    minutes_ago: int = 10,
    project: int | None = None,
    name: str = "夹具",
) -> int:
    found = db.execute(
        text("""insert into belfry.alert_records (alert_no, rule_id, dedupe_key, target_type, target_id, target_no, target_name, base_level,
                  alert_level, recipients, status, triggered_at, level_changed_at, project_id)
                select 'AL-' || nextval('belfry.alert_no_seq'), id, gen_random_uuid()::text, target_type, 1, 'T-1', :name, :level,
                  :level, cast(:recipients as text[]), :status, now() - make_interval(mins => :ago), now(), :project
                from belfry.alert_rules where rule_code = :rule returning id"""),
        {
            "level": level,
            "recipients": recipients,
            "status": status,
            "rule": rule,
            "ago": minutes_ago,
            "project": project,
            "name": name,
        },
    ).scalar_one()
    return int(found)


def row(db: Connection, id_: int) -> Any:
    return db.execute(text("select * from belfry.alert_records where id = :id"), {"id": id_}).one()


def press(someone: Reader, id_: int, action: str, version: int = 1, note: str = "") -> Any:
    return someone.post(f"/alerts/{id_}", {"action": action, "version": version, "note": note})


@pytest.mark.parametrize("action", MOVES)
def test_each_action_starts_where_the_rule_says(db: Connection, managing: Program, action: str) -> None:
    allowed, to, event = MOVES[action]
    for status in STATUSES:
        id_ = alert(db, status=status)
        answer = managing.post(f"/api/v1/alerts/{id_}/{action}", {"note": "看过"})
        events = list(
            db.execute(
                text("select event, from_status, to_status, note from belfry.alert_events where alert_id = :id"),
                {"id": id_},
            )
        )
        if status in allowed:
            assert answer.json == {"id": id_, "status": to, "version": 2}
            assert [tuple(e) for e in events] == [(event, status, to, "看过")]
        else:
            assert (answer.status_code, answer.json["error"]["code"]) == (409, "wrong_status")
            assert (row(db, id_).status, events) == (status, [])


def test_the_record_keeps_who_did_what_when(db: Connection, reader: Readers) -> None:
    someone = reader("handler")
    id_ = alert(db)
    press(someone, id_, "acknowledge")
    press(someone, id_, "start", 2)
    press(someone, id_, "resolve", 3, "已更换夹具")
    done = row(db, id_)
    assert (done.acknowledged_by, done.handler_id, done.resolved_by) == (someone.user_id,) * 3
    assert None not in (done.acknowledged_at, done.handle_start_at, done.resolved_at)
    assert (done.status, done.handle_result, done.version) == ("RESOLVED", "已更换夹具", 4)
    audit = list(db.execute(text("select action, target, before, after, reason from belfry.audit_log order by id")))
    assert [a.action for a in audit] == ["alert.acknowledge", "alert.start", "alert.resolve"]
    assert audit[2].target == f"alert:{id_}"
    assert (audit[2].before["status"], audit[2].after["status"], audit[2].reason) == (
        "PROCESSING",
        "RESOLVED",
        "已更换夹具",
    )


def test_an_ignored_alert_is_muted_for_seven_days(db: Connection, managing: Program) -> None:
    id_ = alert(db)
    managing.post(f"/api/v1/alerts/{id_}/ignore")
    left = db.execute(
        text("select mute_until - now() from belfry.alert_records where id = :id"), {"id": id_}
    ).scalar_one()
    assert 6.99 < left.total_seconds() / 86400 <= 7


@pytest.mark.parametrize("recipients", ["{{USER:{me}}}", "{{ROLE:TEST_VIEWER}}", "{{MGR:{report}}}"])
def test_a_recipient_may_handle_it_without_any_role(db: Connection, reader: Readers, recipients: str) -> None:
    someone = reader("viewer")
    report = Erp(db).user(manager_id=someone.user_id)
    id_ = alert(db, recipients=recipients.format(me=someone.user_id, report=report))
    assert "开始处理" in someone.get(f"/alerts/{id_}").text
    assert press(someone, id_, "acknowledge").status_code == 303
    assert row(db, id_).acknowledged_by == someone.user_id


def test_somebody_it_does_not_concern_may_only_look(db: Connection, reader: Readers) -> None:
    someone = reader("viewer")
    id_ = alert(db, recipients="{USER:999999}")
    assert "只有通知对象" in someone.get(f"/alerts/{id_}").text
    assert press(someone, id_, "acknowledge").status_code == 403
    assert row(db, id_).status == "PENDING"


def test_a_view_token_may_not_move_an_alert_that_nobody_handles(db: Connection, viewing: Program) -> None:
    id_ = alert(db)
    assert viewing.post(f"/api/v1/alerts/{id_}/close").status_code == 403


def test_the_second_of_two_who_press_at_once_is_told(db: Connection, app: Any, reader: Readers) -> None:
    readers = [reader("handler") for _ in range(2)]
    id_ = alert(db)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda r=r, a=a: answers.append(press(r, id_, a).status_code))  # type: ignore[misc]
        for r, a in zip(readers, ("ignore", "resolve"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(answers) == [303, 409]
    assert db.execute(text("select count(*) from belfry.alert_events")).scalar_one() == 1


def test_a_page_that_is_out_of_date_changes_nothing(db: Connection, reader: Readers) -> None:
    someone = reader("handler")
    id_ = alert(db)
    assert press(someone, id_, "acknowledge").status_code == 303
    stale = press(someone, id_, "resolve", version=1)
    assert stale.status_code == 409
    assert "别人刚刚处理过" in stale.text


@pytest.mark.parametrize("path", ["/api/v1/alerts/1/acknowledge", "/api/v1/alerts/99999999999999999999/close"])
def test_an_alert_that_is_not_there_is_404(managing: Program, path: str) -> None:
    assert managing.post(path).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"note": 1}, "note"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"x": 1}, "x"),
        ({"note": "x" * 1001}, "note"),
    ],
    ids=["note", "version", "boolean", "unknown", "long"],
)
def test_a_wrong_body_is_400_and_named(db: Connection, managing: Program, body: dict[str, Any], field: str) -> None:
    answer = managing.post(f"/api/v1/alerts/{alert(db)}/acknowledge", body)
    assert (answer.status_code, answer.json["error"]["field"]) == (400, field)


def test_open_alerts_come_worst_first_then_oldest(db: Connection, managing: Program) -> None:
    made = [
        alert(db, level=level, minutes_ago=ago)
        for level, ago in [("INFO", 1), ("URGENT", 5), ("WARNING", 50), ("URGENT", 9), ("CRITICAL", 2)]
    ]
    alert(db, status="CLOSED", level="URGENT")
    listed = [item["id"] for item in managing.get("/api/v1/alerts").json["items"]]
    assert listed == [made[3], made[1], made[4], made[2], made[0]]


@pytest.mark.parametrize("status", ["open", "done"])
def test_pages_of_alerts_miss_and_repeat_none(db: Connection, managing: Program, status: str) -> None:
    for number in range(7):
        alert(
            db,
            level=("INFO", "URGENT")[number % 2],
            minutes_ago=number // 2,
            status="PENDING" if status == "open" else "CLOSED",
        )
    whole = [item["id"] for item in managing.get(f"/api/v1/alerts?status={status}").json["items"]]
    seen, cursor = [], ""
    while cursor is not None:
        answer = managing.get(f"/api/v1/alerts?status={status}&limit=2" + (f"&cursor={cursor}" if cursor else "")).json
        seen += [item["id"] for item in answer["items"]]
        cursor = answer["next"]
    assert seen == whole
    assert len(set(seen)) == 7


def test_filters_narrow_and_stay_in_the_address(db: Connection, reader: Readers) -> None:
    project = Erp(db).project(project_code="PJ77")
    wanted = alert(db, level="CRITICAL", rule="DELIVERY_DELAY", project=project, name="要找的")
    for others in ({"level": "INFO"}, {"rule": "DELIVERY_DELAY"}, {"level": "CRITICAL"}):
        alert(db, name="别的", **others)
    page = reader("viewer").get(f"/alerts?level=CRITICAL&rule=DELIVERY_DELAY&project={project}&status=PENDING").text
    assert f"/alerts/{wanted}" in page
    assert "别的" not in page
    assert "PJ77" in page
    assert "live=1" in page.partition("data-live")[2][:200]


@pytest.mark.parametrize(
    "query", ["level=WRONG", "project=x", "status=running'--", "show=all", "cursor=%F0%9F", "level=URGENT&cursor=abc"]
)
def test_filters_that_make_no_sense_are_an_error_page(reader: Readers, query: str) -> None:
    assert reader("viewer").get(f"/alerts?{query}").status_code == 400


def test_an_empty_list_says_what_to_do_next(reader: Readers) -> None:
    someone = reader("viewer")
    assert "没有未关闭的预警" in someone.get("/alerts").text
    assert "还没有已结束的预警" in someone.get("/alerts?show=done").text
    assert "没有符合条件的预警" in someone.get("/alerts?level=URGENT").text


def test_one_text_that_cannot_be_rendered_does_not_hide_the_others(db: Connection, reader: Readers) -> None:
    db.execute(text("update belfry.alert_rules set rule_code = 'JOB_FAILED_' where rule_code = 'JOB_FAILED'"))
    db.execute(text("update belfry.alert_rules set rule_code = 'JOB_FAILED' where rule_code = 'KIT_NO_BOM'"))
    alert(db, rule="JOB_FAILED", name="事实不全")
    alert(db, name="完好")
    page = reader("viewer").get("/alerts").text
    assert "事实不全" in page
    assert "完好" in page
