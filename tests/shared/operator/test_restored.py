"""After a restoration nothing that may have been sent is sent again by itself, and nothing else waits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.db import set_clock
from shared.errors import InvalidRequest
from shared.operator import restored
from tests.conftest import Perform, register
from tests.factories import Erp

T = datetime(2026, 3, 2, 9, 30, tzinfo=UTC) - timedelta(hours=8)  # 09:30 in Shanghai
R = T + timedelta(minutes=40)
JOB = "check_overdue_issues"


@pytest.fixture
def told(db: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """E-mail is on; somebody has an issue that is long overdue."""
    from shared import config

    for name, value in {
        "EMAIL_ENABLED": "true",
        "EMAIL_SMTP_SERVER": "127.0.0.1",
        "EMAIL_FROM": "b@example.com",
    }.items():
        monkeypatch.setenv(name, value)
    config.config.cache_clear()
    overdue(db)
    register(db, JOB)
    return db


def overdue(db: Connection) -> None:
    erp = Erp(db)
    someone = erp.user(email="someone@example.com")
    erp.issue(project_id=erp.project(pm_id=someone), assignee_id=someone, due_date=date(2026, 2, 1))


def states(db: Connection) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in db.execute(
            text("""select channel, state, reason, count(*)::int from belfry.notification_deliveries
                    group by 1, 2, 3 order by 1, 2, 3""")
        )
    ]


def at(when: datetime) -> str:
    return when.isoformat()


def come_back(db: Connection, now: datetime = R) -> dict[str, Any]:
    set_clock(db, now)
    return restored.hold(db, T, actor="li", reason="disk")


def test_what_waited_to_be_sent_is_held_and_what_was_not_due_yet_is_not(told: Connection, perform: Perform) -> None:
    perform(JOB, "2026-03-02T09:00+08:00")
    email = [row for row in states(told) if row[0] == "email"]
    assert email == [("email", "queued", None, 1)]
    told.execute(text("""insert into belfry.notification_deliveries (notification_id, user_id, channel, generation,
                         state, next_attempt_at, not_after)
                         select notification_id, user_id, channel, 7, 'deferred', cast(:later as timestamptz), not_after
                         from belfry.notification_deliveries where channel = 'email'"""),
                 {"later": R + timedelta(hours=9)})  # fmt: skip
    made = come_back(told)
    assert made["held"] == {"email": 1}
    assert [row for row in states(told) if row[0] == "email"] == [
        ("email", "deferred", None, 1), ("email", "suppressed", "restored", 1),
    ]  # fmt: skip
    assert ("system", "queued", None, 1) in states(told)  # the inbox was forgotten, too


def test_the_forgotten_ticks_run_again_and_what_they_tell_outside_is_held(told: Connection, perform: Perform) -> None:
    made = come_back(told)
    assert JOB in made["jobs"]
    answer = perform(JOB, "2026-03-02T10:00+08:00", now=at(R + timedelta(minutes=1)))
    assert answer["state"] == "succeeded"
    assert told.execute(text("select count(*) from belfry.alert_records")).scalar_one() == 1
    assert [row for row in states(told) if row[0] == "email"] == [("email", "suppressed", "restored", 1)]
    assert ("system", "queued", None, 1) in states(told)


def test_the_first_run_after_it_finds_what_was_told_and_the_second_only_news(
    told: Connection, perform: Perform
) -> None:
    come_back(told)
    perform(JOB, "2026-03-02T11:00+08:00")  # its forgotten tick was not caught up
    assert [row for row in states(told) if row[0] == "email"] == [("email", "suppressed", "restored", 1)]
    overdue(told)
    perform(JOB, "2026-03-02T12:00+08:00")
    assert [row for row in states(told) if row[0] == "email"] == [
        ("email", "queued", None, 1), ("email", "suppressed", "restored", 1),
    ]  # fmt: skip


def test_a_run_that_was_under_way_is_held_although_its_tick_is_older(told: Connection, perform: Perform) -> None:
    told.execute(text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, max_attempts,
                         created_at) values (:j, '2026-03-02T09:00+08:00', '2026-03-02', 'catchup', 'pending', 'skip', 3,
                         '2026-03-02T09:00+08:00')"""), {"j": JOB})  # fmt: skip
    come_back(told)
    told.execute(text("update belfry.biz_config set value = value - 'jobs' where key = 'restored'"))
    assert (
        perform(JOB, "2026-03-02T09:00+08:00", kind="catchup", now=at(R + timedelta(minutes=1)))["state"] == "succeeded"
    )
    assert [row for row in states(told) if row[0] == "email"] == [("email", "suppressed", "restored", 1)]


def test_a_job_that_did_not_ring_in_between_tells_as_ever(told: Connection, perform: Perform) -> None:
    told.execute(text("update belfry.jobs set schedule = '0 3 * * *'"))
    made = come_back(told)
    assert made["jobs"] == []
    perform(JOB, "2026-03-03T03:00+08:00")
    assert [row for row in states(told) if row[0] == "email"] == [("email", "queued", None, 1)]


def test_said_twice_it_is_said_once_and_a_time_that_cannot_be_is_refused(told: Connection) -> None:
    first = come_back(told)
    again = come_back(told, R + timedelta(minutes=5))
    assert (again["at"], again["to"]) == (first["at"], first["to"])
    assert told.execute(text("select count(*) from belfry.audit_log where action = 'restored'")).scalar_one() == 1
    for wrong in (R + timedelta(hours=1), R - timedelta(days=40)):
        with pytest.raises(InvalidRequest):
            restored.hold(told, wrong, actor="li")


def test_numbers_of_the_forgotten_time_are_not_given_a_second_time(told: Connection, perform: Perform) -> None:
    perform(JOB, "2026-03-02T09:00+08:00")
    before = told.execute(text("select max(id) from belfry.notification_deliveries")).scalar_one()
    come_back(told)
    overdue(told)
    perform(JOB, "2026-03-02T10:00+08:00", now=at(R))
    after = told.execute(text("select min(id) from belfry.notification_deliveries where id > :b"), {"b": before})
    assert after.scalar_one() >= before + restored.APART  # a mail's Message-ID names its delivery


def test_only_an_operators_word_with_a_reason_sends_what_is_held(told: Connection, perform: Perform) -> None:
    come_back(told)
    perform(JOB, "2026-03-02T10:00+08:00", now=at(R))
    with pytest.raises(InvalidRequest):
        restored.resend(told, actor="li", reason=" ")
    assert restored.counted(told) == {"email": 1}
    assert restored.resend(told, actor="li", reason="nobody got them") == {"email": 1}
    assert [row for row in states(told) if row[0] == "email"] == [("email", "queued", None, 1)]
    announced = told.execute(text("""select count(*) from belfry.outbox
                                     where attributes ->> 'channel' = 'email' and published_at is null"""))  # fmt: skip
    assert announced.scalar_one() == 1
    assert restored.resend(told, actor="li", reason="again") == {}
    assert restored.end(told, actor="li") == {}
    assert told.execute(text("select count(*) from belfry.biz_config where key = 'restored'")).scalar_one() == 0
    actions = told.execute(text("select action, actor, reason from belfry.audit_log order by id")).all()
    assert [tuple(row) for row in actions if row.action.startswith("restored")] == [
        ("restored", "li", "disk"), ("restored_resend", "li", "nobody got them"), ("restored_resend", "li", "again"),
        ("restored_end", "li", None),
    ]  # fmt: skip
