"""A kick starts what waits, and says honestly whether anybody was there."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared import kicks
from shared.errors import Unavailable
from tests.console.conftest import Listener
from tests.shared.test_jobs import add_job


@pytest.fixture
def listening(database_url: str) -> object:
    made = Listener()
    yield made
    made.stop()


def test_the_answer_comes_back_with_its_status(listening: Listener) -> None:
    listening.status = 202
    assert kicks.kick(listening.url, {"job": "x"}) == {"status": "succeeded", "http_status": 202}


def test_no_answer_in_time_means_that_it_runs(listening: Listener) -> None:
    listening.patience.clear()
    assert kicks.kick(listening.url, {"job": "x"}, timeout=0.2) is None
    assert listening.asked == [{"job": "x"}]


def test_nobody_there_is_unavailable(database_url: str) -> None:
    with pytest.raises(Unavailable):
        kicks.kick("http://127.0.0.1:9/", {"job": "x"})


@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b""])
def test_what_answers_no_json_object_is_no_function(listening: Listener, answer: bytes) -> None:
    listening.answer = answer
    with pytest.raises(Unavailable):
        kicks.kick(listening.url, {"job": "x"})


def test_a_redirect_is_not_followed(listening: Listener) -> None:
    listening.status = 307
    assert kicks.kick(listening.url, {"job": "x"}) == {"status": "succeeded", "http_status": 307}
    assert len(listening.asked) == 1


def test_a_virtual_clock_goes_with_the_kick(listening: Listener) -> None:
    kicks.kick(listening.url, {"job": "x"}, now=datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    kicks.kick(listening.url, {"job": "x"})
    assert listening.headers[0]["X-Belfry-Now"] == "2026-03-02T01:00:00+00:00"
    assert "X-Belfry-Now" not in listening.headers[1]


# ---------------------------------------------------------------- refused for good

REFUSAL = b'{"error": {"code": "wrong_job", "message": "this function does not serve that job"}}'


def promised(db: Connection, listening: Listener, *, state: str = "pending", **columns: Any) -> kicks.Pending:
    add_job(db, "bell", **{"max_attempts": 3, **columns})
    db.execute(text("update belfry.jobs set target_uri = :url, backoff_s = '{30,120,300}'"), {"url": listening.url})
    made = kicks.insert_pending(db, "bell", run_at=datetime(2026, 3, 2, tzinfo=UTC), kind="catchup")
    db.execute(text("alter table belfry.job_executions disable trigger legal_moves"))
    db.execute(text("update belfry.job_executions set state = :state"), {"state": state})
    db.execute(text("alter table belfry.job_executions enable trigger legal_moves"))
    return made


def kicked(db: Connection, due: kicks.Pending) -> kicks.Kicked:
    found = kicks.kick_all([due], now=None)
    kicks.record(db, found)
    return found


def execution(db: Connection) -> Any:
    return db.execute(
        text("""select *, round(extract(epoch from retry_at - belfry.clock()))::int as wait
                from belfry.job_executions""")
    ).one()


def test_a_refused_kick_is_an_attempt_with_its_error_and_waits_as_the_backoff_says(
    db: Connection, listening: Listener
) -> None:
    listening.status, listening.answer = 403, REFUSAL
    due = promised(db, listening)
    found = kicked(db, due)
    assert (found.reached, [execution_id for execution_id, _ in found.refused]) == (0, [due.execution_id])
    row = execution(db)
    assert (row.state, row.attempt, row.error_class) == ("pending", 1, "KickRefused")
    assert row.error == "the function refuses the call: HTTP 403, wrong_job: this function does not serve that job"
    assert 25 <= row.wait <= 30
    assert kicks.take_due(db, 10) == []
    kicked(db, due)
    assert 115 <= execution(db).wait <= 120


@pytest.mark.parametrize("state", ["pending", "retry_wait", "waiting"])
def test_the_last_refusal_ends_it_and_the_job_is_in_trouble(db: Connection, listening: Listener, state: str) -> None:
    listening.status, listening.answer = 404, b"<html>Not Found</html>"
    due = promised(db, listening, state=state)
    for _ in range(3):
        kicked(db, due)
    row = execution(db)
    assert (row.state, row.reason, row.attempt, row.retry_at) == ("failed", "error", 3, None)
    assert [one["outcome"] for one in row.attempts] == ["failed"] * 3
    assert "not a function (HTTP 404)" in row.error
    told = db.execute(text("select trouble, consecutive_failures, last_error from belfry.job_summaries")).one()
    assert told == ("failed", 1, row.error)
    kicked(db, due)
    assert execution(db).attempt == 3


@pytest.mark.parametrize(
    ("status", "answer"), [(429, b"{}"), (408, b"{}"), (429, b"Rate exceeded."), (503, b"{}"), (500, b"<html>")]
)
def test_a_function_that_is_busy_or_broken_is_asked_again_and_nothing_is_counted(
    db: Connection, listening: Listener, status: int, answer: bytes
) -> None:
    listening.status, listening.answer = status, answer
    due = promised(db, listening)
    assert kicked(db, due).refused == ()
    assert (execution(db).state, execution(db).attempt, execution(db).error) == ("pending", 0, None)


def test_a_refusal_that_comes_late_changes_nothing_that_runs(db: Connection, listening: Listener) -> None:
    due = promised(db, listening)
    db.execute(
        text("""update belfry.job_executions
                set state = 'running', lease_until = clock_timestamp() + interval '1 minute', attempt = 1""")
    )
    kicks.record(db, kicks.Kicked(0, ((due.execution_id, "late"),)))
    assert (execution(db).state, execution(db).attempt, execution(db).error) == ("running", 1, None)


def test_what_a_refusal_says_is_stored_without_secrets_and_odd_letters(db: Connection, listening: Listener) -> None:
    listening.status = 400
    listening.answer = b'{"error": {"code": "x", "message": "postgresql://u:hunter2@h/d \\ud800\\u0000"}}'
    kicked(db, promised(db, listening))
    assert "hunter2" not in execution(db).error
