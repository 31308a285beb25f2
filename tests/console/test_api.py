"""The API: what it answers, what it refuses and how it says so, and that the same request twice is one."""

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared import executions
from shared.db import set_clock
from shared.schedule import Schedule, now
from tests.conftest import register
from tests.console.conftest import Listener, Program

JOB = "check_overdue_issues"
CORPUS = [json.loads(line) for line in Path(__file__).with_name("rest_corpus.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture
def registered(db: Connection, listener: Listener) -> Listener:
    for job_id in (JOB, "check_delivery_delay", "sweep_runs"):
        register(db, job_id)
    db.execute(text("update belfry.jobs set target_uri = :url"), {"url": listener.url})
    return listener


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: (row.get("get") or row["post"] + " " + row["body"])[:60])
def test_bad_input_changes_nothing_and_says_what_is_wrong(
    db: Connection, registered: Listener, managing: Program, row: dict[str, Any]
) -> None:
    headers = {"Idempotency-Key": "corpus-key-0000001", **managing.headers, **row.get("headers", {})}
    if "get" in row:
        answer = managing.client.get(row["get"], headers=headers)
    else:
        kind = row.get("type", "application/json")
        answer = managing.client.post(row["post"], data=row["body"], content_type=kind, headers=headers)
    error = answer.json["error"]
    assert (answer.status_code, error["code"], error["field"]) == (row["status"], row["code"], row["field"])
    assert set(error) == {"code", "message", "field", "allowed", "request_id"}
    assert error["request_id"] == answer.headers["X-Request-Id"]
    assert registered.asked == []
    assert db.execute(text("select count(*) from belfry.job_executions")).scalar_one() == 0
    if answer.status_code == 405:
        assert answer.headers["Allow"]


def test_a_body_that_is_too_large_is_413(registered: Listener, managing: Program) -> None:
    answer = managing.post(f"/api/v1/jobs/{JOB}/execute", {"reason": "x" * 300_000})
    assert (answer.status_code, answer.json["error"]["code"]) == (413, "too_large")


def test_health_is_public_and_says_whether_the_database_answers(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert app.test_client().get("/healthz").json == {"status": "ok", "database": "ok", "sweeps": "never"}
    from shared import config, db

    db.forget_engine()
    monkeypatch.setenv("DATABASE_URL", "postgresql://belfry@127.0.0.1:9/nothing")
    config.config.cache_clear()
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.json) == (503, {"status": "unavailable", "database": "unreachable"})


@pytest.mark.parametrize(("minutes", "said"), [(4, "ok"), (6, "late")])
def test_health_says_when_the_run_sweep_has_not_committed_for_five_minutes(
    app: Any, db: Connection, minutes: int, said: str
) -> None:
    register(db, "sweep_runs")
    db.execute(
        text("""insert into belfry.job_summaries (job_id, last_success_at)
                values ('sweep_runs', clock_timestamp() - make_interval(mins => :m))
                on conflict (job_id) do update set last_success_at = excluded.last_success_at"""),
        {"m": minutes},
    )
    assert app.test_client().get("/healthz").json["sweeps"] == said


def test_without_the_database_the_api_is_503_and_not_500(
    app: Any, monkeypatch: pytest.MonkeyPatch, managing: Program
) -> None:
    from shared import config, db

    monkeypatch.setenv("DATABASE_URL", "postgresql://belfry@127.0.0.1:9/nothing")
    db.forget_engine()
    config.config.cache_clear()
    answer = managing.get("/api/v1/jobs")
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"]


def test_a_connection_that_died_in_the_pool_is_not_the_readers_problem(
    db: Connection, registered: Listener, managing: Program
) -> None:
    assert managing.get("/api/v1/jobs").status_code == 200
    db.execute(
        text(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )
    )
    assert managing.get("/api/v1/jobs").status_code == 200


def test_a_job_answers_with_the_fields_of_the_older_system_and_ours(registered: Listener, managing: Program) -> None:
    job = managing.get(f"/api/v1/jobs/{JOB}").json
    older = {
        "id",
        "name",
        "job_type",
        "func",
        "cron_expression",
        "args",
        "kwargs",
        "status",
        "next_run_time",
        "description",
        "created_at",
        "updated_at",
        "created_by",
    }
    assert older <= job.keys()
    assert (job["id"], job["func"], job["cron_expression"], job["status"]) == (JOB, JOB, "0 * * * *", "active")
    assert job["kwargs"]["warning_days"] == 3
    assert len(job["next_run_times"]) == 5
    assert job["next_run_times"][0] == job["next_run_time"]
    assert job["next_run_time"].endswith("+00:00")


def test_jobs_come_in_pages_and_filters_narrow(registered: Listener, managing: Program) -> None:
    first = managing.get("/api/v1/jobs?limit=2").json
    second = managing.get(f"/api/v1/jobs?limit=2&cursor={first['next']}").json
    assert [job["id"] for job in first["items"] + second["items"]] == [JOB, "sweep_runs", "check_delivery_delay"]
    assert second["next"] is None
    assert [job["id"] for job in managing.get("/api/v1/jobs?category=platform").json["items"]] == ["sweep_runs"]
    assert [job["id"] for job in managing.get("/api/v1/jobs?q=到货").json["items"]] == ["check_delivery_delay"]
    assert managing.get("/api/v1/jobs?q=%25").json["items"] == []


def test_executions_come_in_pages_newest_first(db: Connection, registered: Listener, managing: Program) -> None:
    grid, moment = Schedule("0 * * * *", "Asia/Shanghai"), now()
    ticks = list(reversed(list(grid.ticks(moment - timedelta(hours=5), moment))))
    for tick in reversed(ticks):
        set_clock(db, tick)
        claim = executions.claim(db, JOB, tick, "scheduled", lease=90, owner="test")
        executions.finish(db, claim.execution_id, claim.fence, "succeeded", counters={"checked": 1})
    set_clock(db, None)
    path = f"/api/v1/jobs/{JOB}/executions?limit=2"
    seen: list[str] = []
    page = managing.get(path).json
    seen += [item["run_at"] for item in page["items"]]
    while page["next"]:
        page = managing.get(f"{path}&cursor={page['next']}").json
        seen += [item["run_at"] for item in page["items"]]
    assert seen == [tick.isoformat() for tick in ticks]
    assert managing.get(f"/api/v1/jobs/{JOB}/executions?state=failed").json["items"] == []
    one = managing.get(f"/api/v1/executions/{managing.get(path).json['items'][0]['id']}").json
    assert (one["state"], one["counters"], one["attempts"][0]["outcome"]) == ("succeeded", {"checked": 1}, "succeeded")


# The same request twice


def execute(managing: Program, key: str, body: dict[str, Any] | None = None) -> Any:
    return managing.post("/api/v1/jobs/check_delivery_delay/execute", body or {"reason": "x"}, Idempotency_Key=key)


def test_the_same_key_gives_the_first_answer_and_starts_nothing(
    db: Connection, registered: Listener, managing: Program
) -> None:
    first = execute(managing, "a" * 16)
    again = execute(managing, "a" * 16)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json == first.json
    assert again.headers["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in first.headers
    assert len(registered.asked) == 1
    assert db.execute(text("select count(*) from belfry.job_executions")).scalar_one() == 1


def test_the_same_key_for_something_else_is_422(registered: Listener, managing: Program) -> None:
    execute(managing, "a" * 16)
    other = execute(managing, "a" * 16, {"reason": "y"})
    assert (other.status_code, other.json["error"]["code"]) == (422, "idempotency_key_reused")


def test_a_key_of_another_caller_is_another_key(registered: Listener, managing: Program, viewing: Program) -> None:
    execute(managing, "a" * 16)
    answer = viewing.post("/api/v1/notifications/read", {"all": True}, Idempotency_Key="a" * 16)
    assert answer.json["error"]["code"] == "no_inbox"


def test_a_refused_request_leaves_its_key_free(db: Connection, registered: Listener, managing: Program) -> None:
    db.execute(text("update belfry.jobs set target_uri = null"))
    assert execute(managing, "a" * 16).status_code == 409
    db.execute(text("update belfry.jobs set target_uri = :url"), {"url": registered.url})
    assert execute(managing, "a" * 16).status_code == 202


def test_eight_at_once_with_one_key_start_one_run(db: Connection, registered: Listener, managing: Program) -> None:
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(execute(managing, "a" * 16))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    ids = {answer.json["execution_id"] for answer in answers if answer.status_code == 202}
    assert len(ids) == 1
    assert {answer.status_code for answer in answers} <= {202, 409, 503}
    assert db.execute(text("select count(*) from belfry.job_executions")).scalar_one() == 1
    assert len(registered.asked) == 1


@pytest.mark.parametrize("key", ["ü" * 20, "a" * 256, "a b\tcdefghijklmnop"])
def test_a_key_that_is_none_is_400(registered: Listener, managing: Program, key: str) -> None:
    answer = managing.client.post(
        "/api/v1/jobs/check_delivery_delay/execute",
        json={"reason": "x"},
        headers={**managing.headers, "Idempotency-Key": key},
    )
    assert answer.json["error"]["code"] == "invalid_idempotency_key"
