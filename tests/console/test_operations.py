"""Operating jobs over the API: who may, what it answers, and that a repeated request is one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.conftest import register
from tests.console.conftest import Listener, Program

JOB = "check_milestone_alerts"  # every day at 08:00


@pytest.fixture
def registered(db: Connection, listener: Listener) -> Listener:
    register(db, JOB)
    db.execute(text("update belfry.jobs set target_uri = :url"), {"url": listener.url})
    return listener


def ran(db: Connection, state: str, day: str = "2026-03-02", reason: str | None = None) -> str:
    return str(
        db.execute(
            text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, reason, overlap)
                    values (:j, cast(:d as date) + interval '8 hours' - interval '8 hours', :d, 'scheduled', :s, :r, 'skip')
                    returning id"""),
            {"j": JOB, "d": day, "s": state, "r": reason},
        ).scalar_one()
    )


def test_a_job_is_paused_with_a_reason_and_resumed_with_what_it_missed(
    db: Connection, registered: Listener, managing: Program
) -> None:
    refused = managing.post(f"/api/v1/jobs/{JOB}/pause", {})
    assert (refused.status_code, refused.json["error"]["field"]) == (400, "reason")
    paused = managing.post(f"/api/v1/jobs/{JOB}/pause", {"reason": "盘点", "until": "2099-01-01T00:00:00+08:00"})
    assert (paused.status_code, paused.json["status"]) == (200, "paused")
    assert db.execute(text("select status, paused_reason from belfry.jobs")).one() == ("paused", "盘点")
    ran(db, "skipped", reason="paused")
    resumed = managing.post(f"/api/v1/jobs/{JOB}/resume", {"missed": "last"})
    assert (resumed.status_code, resumed.json["promised"]) == (200, 1)
    assert [asked["kind"] for asked in registered.asked] == ["catchup"]
    again = managing.post(f"/api/v1/jobs/{JOB}/resume", {})
    assert (again.status_code, again.json["error"]["code"]) == (409, "not_paused")


def test_a_run_is_cancelled_once_and_run_again_with_its_own_time(
    db: Connection, registered: Listener, managing: Program
) -> None:
    waiting, done = ran(db, "pending"), ran(db, "failed", "2026-03-01")
    assert managing.post(f"/api/v1/executions/{waiting}/cancel", {}).status_code == 202
    assert managing.post(f"/api/v1/executions/{waiting}/cancel", {}).json["error"]["code"] == "not_cancellable"
    assert managing.post(f"/api/v1/executions/{done}/rerun", {}).json["error"]["field"] == "reason"
    again = managing.post(f"/api/v1/executions/{done}/rerun", {"reason": "数据已更正"})
    assert (again.status_code, again.json["parent_id"]) == (202, done)
    (asked,) = registered.asked
    assert (asked["execution_id"], asked["run_at"]) == (again.json["execution_id"], "2026-03-01T00:00:00+00:00")


def test_a_range_is_filled_by_an_administrator_alone(db: Connection, registered: Listener, managing: Program) -> None:
    body: dict[str, Any] = {"from": "2026-03-01T00:00:00+08:00", "to": "2026-03-03T23:00:00+08:00", "reason": "补数"}
    assert managing.post(f"/api/v1/jobs/{JOB}/backfill", body).status_code == 403
    assert db.execute(text("select count(*) from belfry.job_executions")).scalar_one() == 0
    progress = managing.client.get(f"/api/v1/jobs/{JOB}/backfill", headers=managing.headers)
    assert progress.json == {"id": JOB, "states": {}}
