"""The end of a job wakes its dependents within the push, not within the next minute."""

from __future__ import annotations

import base64
import json
from typing import Any

from sqlalchemy import Connection, text

from tests.conftest import load_function, request_to
from tests.shared.test_jobs import add_job

DAY = "2026-03-02"


def push(body: dict[str, Any], *, subscription: str = "dispatch-dependents") -> int:
    data = base64.b64encode(json.dumps(body).encode()).decode()
    message = {"data": data, "attributes": {"event": "job.finished", "now": f"{DAY}T09:01:00+08:00"}, "messageId": "1"}
    envelope = {"subscription": f"projects/belfry-local/subscriptions/{subscription}", "message": message}
    return int(load_function("dispatch_dependents")(request_to(envelope)).status_code)


def event(job: str = "upstream") -> dict[str, Any]:
    return {"v": 1, "event": "job.finished", "job": job, "run_at": f"{DAY}T01:00:00Z", "state": "succeeded"}


def ran(db: Connection, job: str) -> None:
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, finished_at)
                values (:j, '2026-03-02T08:00:00+08:00', '2026-03-02', 'scheduled', 'succeeded', 'skip', '2026-03-02T08:01+08:00')"""),
        {"j": job},
    )


def test_what_waited_and_what_has_no_schedule_are_started(
    db: Connection, function: tuple[str, list[dict[str, Any]]]
) -> None:
    for job, schedule in (
        ("upstream", "0 8 * * *"),
        ("waiter", "0 9 * * *"),
        ("follower", None),
        ("stranger", "0 9 * * *"),
    ):
        add_job(db, job, schedule=schedule, target_uri=function[0], created_at="2026-01-01")
    db.execute(
        text(
            "insert into belfry.job_dependencies values ('waiter', 'upstream'), ('follower', 'upstream'), ('stranger', 'waiter')"
        )
    )
    for job in ("waiter", "stranger"):
        db.execute(
            text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, reason, overlap, created_at)
                    values (:j, '2026-03-02T09:00+08:00', '2026-03-02', 'scheduled', 'waiting', 'dependency', 'skip', '2026-03-02T09:00+08:00')"""),
            {"j": job},
        )
    ran(db, "upstream")
    assert push(event()) == 204
    assert sorted((b["job"], b["kind"]) for b in function[1]) == [("follower", "dependency"), ("waiter", "scheduled")]
    assert push(event()) == 204
    assert len(function[1]) == 2, "a repeated event starts nothing twice"


def test_an_event_nobody_understands_is_put_away(db: Connection) -> None:
    for body, reason in (
        ({**event(), "v": 2}, "unknown_version"),
        ({**event(), "event": "x"}, "unknown_event"),
        ({**event(), "job": 1}, "no_job"),
    ):
        assert push(body) == 204
        assert (
            db.execute(text("select reason from belfry.dead_letters order by id desc limit 1")).scalar_one() == reason
        )
    assert push(event(), subscription="notify-email") == 403
