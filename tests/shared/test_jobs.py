"""What one tick promises: the claim, the effect, the fence, and the answer that a caller gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Request, Response
from sqlalchemy import Connection, text

from shared.errors import PermanentError
from shared.jobs import Run, job
from tests.conftest import request_to

TICK = "2026-03-02T09:00:00+08:00"
Serve = Callable[..., dict[str, Any]]


def add_job(db: Connection, job_id: str, **columns: Any) -> None:
    values = {"schedule": "0 * * * *", **columns}
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    db.execute(
        text(f"""insert into belfry.jobs (job_id, func, name, category, {names})
                 values (:job_id, :job_id, '{{"zh": "测试", "en": "Test"}}', 'issues', {marks})"""),
        {"job_id": job_id, **values},
    )


def post(
    function: Callable[[Request], Response],
    body: dict[str, Any] | None = None,
    *,
    at: str | None = TICK,
    **headers: str,
) -> dict[str, Any]:
    sent = {"X-CloudScheduler-ScheduleTime": at} if at else {}
    answer = function(request_to(body, headers={**sent, **{k.replace("_", "-"): v for k, v in headers.items()}}))
    return {**json.loads(answer.get_data()), "http_status": answer.status_code}


def effects(db: Connection) -> int:
    return int(db.execute(text("select count(*) from belfry.biz_calendar where note = 'effect'")).scalar_one())


@job
def effective(run: Run) -> None:
    """Writes one row."""
    run.db.execute(
        text("insert into belfry.biz_calendar values (:d, true, 'effect') on conflict do nothing"), {"d": run.biz_date}
    )
    run.count(created=1)


@job
def failing(run: Run) -> None:
    """Writes one row, then fails."""
    run.db.execute(text("insert into belfry.biz_calendar values (:d, true, 'effect')"), {"d": run.biz_date})
    raise ValueError("no luck")


@job
def hopeless(run: Run) -> None:
    """Cannot succeed by trying again."""
    raise PermanentError("state cannot be rebuilt")


def test_a_tick_runs_once_and_its_repetition_changes_nothing(db: Connection) -> None:
    add_job(db, "effective")
    first = post(effective)
    assert (first["http_status"], first["status"], first["counters"]) == (200, "succeeded", {"created": 1})
    before = db.execute(text("select xmin::text, * from belfry.job_executions")).all()
    again = post(effective)
    assert (again["http_status"], again["status"], again["duplicate"]) == (200, "duplicate", True)
    assert again["execution_id"] == first["execution_id"]
    assert again["counters"] == {"created": 1}
    assert db.execute(text("select xmin::text, * from belfry.job_executions")).all() == before


def test_a_repeated_trigger_some_seconds_later_is_the_same_tick(db: Connection) -> None:
    add_job(db, "effective")
    assert post(effective)["status"] == "succeeded"
    assert post(effective, at="2026-03-02T09:00:37+08:00")["status"] == "duplicate"


def test_a_time_off_the_grid_is_a_manual_run(db: Connection) -> None:
    add_job(db, "effective")
    assert post(effective, at="2026-03-02T09:07:00+08:00")["kind"] == "manual"


def test_the_window_offset_is_taken_off_before_the_tick_is_looked_up(db: Connection) -> None:
    add_job(db, "effective", offset_s=240)
    answer = post(effective, at="2026-03-02T09:04:00+08:00")
    assert (answer["kind"], answer["run_at"]) == ("scheduled", "2026-03-02T01:00:00+00:00")


def test_the_business_day_is_the_tick_s_day_in_the_job_s_zone(db: Connection) -> None:
    add_job(db, "effective", schedule="5 0 * * *")
    post(effective, at="2026-03-01T16:05:00Z")
    assert db.execute(text("select day::text from belfry.biz_calendar where note = 'effect'")).scalars().all() == [
        "2026-03-02"
    ]


def test_a_failure_rolls_the_effect_back_and_is_tried_again(db: Connection) -> None:
    add_job(db, "failing", max_attempts=2)
    answer = post(failing)
    assert (answer["http_status"], answer["status"]) == (200, "retry_wait")
    assert effects(db) == 0
    row = db.execute(
        text(
            """select state, attempt, error_class, error, retry_at > clock_timestamp() as later, attempts
               from belfry.job_executions"""
        )
    ).one()
    assert row[:5] == ("retry_wait", 1, "ValueError", "no luck", True)
    assert [a["outcome"] for a in row.attempts] == ["retry_wait"]
    assert post(failing)["status"] == "pending"
    db.execute(text("update belfry.job_executions set retry_at = clock_timestamp()"))
    assert post(failing)["status"] == "failed"
    assert db.execute(text("select failure_count, consecutive_failures, trouble from belfry.job_summaries")).one() == (
        1,
        1,
        "failed",
    )
    assert post(failing)["status"] == "duplicate"


def test_a_permanent_error_is_not_tried_again(db: Connection) -> None:
    add_job(db, "hopeless", max_attempts=3)
    assert post(hopeless)["status"] == "failed"


def test_a_dry_run_answers_what_it_would_write_and_writes_nothing(db: Connection) -> None:
    add_job(db, "effective")
    answer = post(effective, {"job": "effective", "run_at": TICK, "dry_run": True}, at=None)
    assert answer["status"] == "dry_run"
    assert answer["would"]["written"] == {"belfry.biz_calendar": {"inserted": 1, "updated": 0, "deleted": 0}}
    assert effects(db) == 0
    assert db.execute(text("select count(*) from belfry.job_executions")).scalar_one() == 0


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"paused": True}, "paused"),
        ({"enabled": False}, "disabled"),
        ({"orphan": True}, "disabled"),
        ({"calendar": "cn_workdays", "schedule": "0 9 * * *"}, "calendar"),
    ],
)
def test_a_gated_tick_is_a_recorded_skip(db: Connection, columns: dict[str, Any], reason: str) -> None:
    add_job(db, "effective", **columns)
    answer = post(effective, at="2026-03-01T09:00:00+08:00")  # a Sunday
    assert (answer["http_status"], answer["status"], answer["reason"]) == (200, "skipped", reason)
    assert effects(db) == 0
    assert db.execute(text("select state, reason from belfry.job_executions")).one() == ("skipped", reason)


def test_the_global_switch_skips_every_tick_but_not_a_manual_run(db: Connection) -> None:
    add_job(db, "effective")
    db.execute(text("update belfry.biz_config set value = 'false' where key = 'scheduler.enabled'"))
    assert post(effective)["reason"] == "disabled"
    assert post(effective, {"kind": "manual"}, at=None)["status"] == "succeeded"


def test_a_tick_waits_for_its_upstream_and_runs_when_it_has_succeeded(db: Connection) -> None:
    add_job(db, "effective", schedule="0 9 * * *")
    add_job(db, "upstream", schedule="0 8 * * *")
    db.execute(text("insert into belfry.job_dependencies values ('effective', 'upstream')"))
    assert post(effective, X_Belfry_Now=TICK)["status"] == "waiting"
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap)
                       values ('upstream', '2026-03-02T08:00+08:00', '2026-03-02', 'scheduled', 'succeeded', 'skip')""")
    )
    assert post(effective, X_Belfry_Now=TICK)["status"] == "succeeded"


def test_an_unknown_job_and_another_function_s_job_are_refused(db: Connection) -> None:
    assert post(effective)["error"]["code"] == "unknown_job"
    add_job(db, "failing")
    wrong = post(effective, {"job": "failing"})
    assert (wrong["http_status"], wrong["error"]["code"]) == (403, "wrong_job")


def test_a_custom_job_runs_another_job_s_function_with_its_own_parameters(db: Connection) -> None:
    add_job(db, "effective")
    add_job(db, "effective_twice", schedule="30 * * * *")
    db.execute(text("update belfry.jobs set func = 'effective' where job_id = 'effective_twice'"))
    answer = post(effective, at="2026-03-02T09:30:00+08:00", X_CloudScheduler_JobName="effective_twice")
    assert (answer["status"], answer["job"], answer["kind"]) == ("succeeded", "effective_twice", "scheduled")


def test_an_illegal_move_is_refused_by_the_database(db: Connection) -> None:
    add_job(db, "effective")
    post(effective)
    with pytest.raises(Exception, match="may not go from succeeded to running"):
        db.execute(text("update belfry.job_executions set state = 'running', lease_until = clock_timestamp()"))
    with pytest.raises(Exception, match="may not change"):
        db.execute(text("update belfry.job_executions set counters = '{}'"))


def test_the_state_machine_s_views_are_empty_after_all_this(db: Connection) -> None:
    add_job(db, "effective")
    post(effective)
    views = (
        db.execute(
            text("select viewname from pg_views where schemaname = 'belfry' and viewname like 'v\\_invariant\\_%'")
        )
        .scalars()
        .all()
    )
    assert len(views) >= 8
    for view in views:
        assert db.execute(text(f"select * from belfry.{view}")).all() == [], view
