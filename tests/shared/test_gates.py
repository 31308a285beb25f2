"""Offsets, intervals and dates end to end: what cron cannot say is said by a gate, and a gated tick leaves no row."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared import executions
from shared.db import set_clock
from shared.ledger import expected
from shared.operator import declared, operations, reload_rows
from shared.schedule import Schedule
from shared.triggers import every, once
from tests.shared.test_jobs import add_job, effective, effects, failing, post

SHANGHAI = "Asia/Shanghai"
MONDAY = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
DAY = timedelta(days=1)


def custom(db: Connection, schedule: Schedule, *, func: str = "effective", **columns: Any) -> None:
    """A custom job `mine` that the function of another one runs, registered on Monday before nine."""
    before = MONDAY - timedelta(hours=1)
    set_clock(db, before)
    add_job(db, func)
    add_job(db, "mine", origin="custom", swept_through=before, **columns)
    db.execute(text("update belfry.jobs set func = :func where job_id = 'mine'"), {"func": func})
    assert reload_rows.set_timing(db, "mine", schedule, actor="li", now=before)


def ring(at: datetime, function: Any = effective) -> dict[str, Any]:
    """Cloud Scheduler rings `mine`, as its cron expression says."""
    return post(function, at=at.isoformat(), X_CloudScheduler_JobName="mine", X_Belfry_Now=at.isoformat())


def ledger(db: Connection) -> list[tuple[str, str, str]]:
    query = """select to_char(run_at at time zone 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI'), kind, state
               from belfry.job_executions where job_id = 'mine' order by run_at"""
    return [tuple(row) for row in db.execute(text(query))]


def job(db: Connection) -> Any:
    return db.execute(text("select * from belfry.jobs where job_id = 'mine'")).one()


def test_every_third_day_runs_and_the_days_between_leave_no_row(db: Connection) -> None:
    custom(db, every(3 * DAY, MONDAY, SHANGHAI))
    answers = [ring(MONDAY + number * DAY) for number in range(7)]
    assert [answer["status"] for answer in answers] == [
        "succeeded", "not_due", "not_due", "succeeded", "not_due", "not_due", "succeeded",
    ]  # fmt: skip
    assert {answer["http_status"] for answer in answers} == {200}
    assert [at for at, _, _ in ledger(db)] == ["2026-03-02 09:00", "2026-03-05 09:00", "2026-03-08 09:00"]


def test_the_sweep_expects_only_the_ticks_that_the_gate_lets_through(db: Connection) -> None:
    custom(db, every(3 * DAY, MONDAY, SHANGHAI), catchup="none")
    expected.record_missing(db, MONDAY + 7 * DAY)
    assert ledger(db) == [
        (f"2026-03-{day:02} 09:00", "scheduled", "missed") for day in (2, 5, 8)
    ]  # fmt: skip


def test_an_interval_does_not_ring_before_the_day_it_counts_from(db: Connection) -> None:
    custom(db, every(3 * DAY, MONDAY + 9 * DAY, SHANGHAI))
    assert [ring(MONDAY + number * DAY)["status"] for number in (0, 3, 6, 9)] == ["not_due"] * 3 + ["succeeded"]


def test_an_interval_within_the_day_is_plain_cron(db: Connection) -> None:
    custom(db, every(timedelta(hours=6), MONDAY, SHANGHAI))
    assert (job(db).schedule, job(db).gate_every_days, job(db).gate_year) == ("0 3-23/6 * * *", None, None)
    assert ring(MONDAY)["status"] == "succeeded"
    assert ring(MONDAY + timedelta(hours=6))["kind"] == "scheduled"


def test_a_date_runs_once_and_disables_itself(db: Connection) -> None:
    custom(db, once(MONDAY, SHANGHAI))
    assert ring(MONDAY)["status"] == "succeeded"
    assert (job(db).status, job(db).override_reason) == ("disabled", "its one date is over")
    assert ring(MONDAY)["status"] == "duplicate"
    assert ring(MONDAY + 365 * DAY)["status"] == "not_due"
    assert len(ledger(db)) == effects(db) == 1


def test_a_date_of_another_year_is_not_due(db: Connection) -> None:
    custom(db, once(MONDAY + 365 * DAY, SHANGHAI))
    assert ring(MONDAY)["status"] == "not_due"
    assert (ledger(db), job(db).status) == ([], "active")


def test_a_date_that_fails_is_tried_again_before_it_is_over(db: Connection) -> None:
    custom(db, once(MONDAY, SHANGHAI), func="failing", max_attempts=2)
    assert ring(MONDAY, failing)["status"] == "retry_wait"
    assert job(db).status == "active"
    db.execute(text("update belfry.job_executions set retry_at = :at"), {"at": MONDAY})
    assert ring(MONDAY, failing)["status"] == "failed"
    assert job(db).status == "disabled"


def test_a_date_that_is_caught_up_is_over_too(db: Connection) -> None:
    custom(db, once(MONDAY, SHANGHAI))
    late = MONDAY + timedelta(minutes=10)
    assert expected.record_missing(db, late) == {"pending": 1}
    (promised,) = db.execute(text("select id from belfry.job_executions")).scalars()
    body = {"job": "mine", "run_at": MONDAY.isoformat(), "kind": "catchup", "execution_id": str(promised)}
    assert post(effective, body, at=None, X_Belfry_Now=late.isoformat())["status"] == "succeeded"
    assert job(db).status == "disabled"


def test_an_interval_that_becomes_cron_is_not_changed_for_the_days_before(db: Connection) -> None:
    custom(db, every(3 * DAY, MONDAY, SHANGHAI), catchup="none")
    wednesday = MONDAY + 2 * DAY + timedelta(hours=1)
    assert reload_rows.set_timing(db, "mine", Schedule("0 9 * * *", SHANGHAI), actor="li", now=wednesday)
    expected.record_missing(db, MONDAY + 4 * DAY)
    assert [at for at, _, _ in ledger(db)] == ["2026-03-02 09:00", "2026-03-05 09:00"]


def test_a_gate_is_written_once_however_often_it_is_said(db: Connection) -> None:
    custom(db, every(3 * DAY, MONDAY, SHANGHAI))
    reload_rows.set_timing(db, "mine", every(3 * DAY, MONDAY, SHANGHAI), actor="li", now=MONDAY)
    assert job(db).revision == 1
    reload_rows.set_timing(db, "mine", every(4 * DAY, MONDAY, SHANGHAI), actor="li", now=MONDAY)
    assert job(db).revision == 2


def test_only_a_custom_job_is_timed_here(db: Connection) -> None:
    add_job(db, "effective")
    assert not reload_rows.set_timing(db, "effective", once(MONDAY, SHANGHAI), actor="li")
    assert db.execute(text("select schedule from belfry.jobs")).scalar_one() == "0 * * * *"


def test_an_operator_s_schedule_replaces_the_gate_with_it(db: Connection) -> None:
    custom(db, once(MONDAY + 365 * DAY, SHANGHAI))
    db.execute(text("update belfry.jobs set override_schedule = '0 9 * * *' where job_id = 'mine'"))
    reload_rows.revise(db, actor="li", now=MONDAY - timedelta(minutes=1))
    assert [ring(MONDAY + number * DAY)["status"] for number in (0, 1)] == ["succeeded", "succeeded"]
    assert job(db).status == "active"
    assert expected.record_missing(db, MONDAY + 2 * DAY + timedelta(minutes=6)) == {"pending": 1}


def test_a_backfill_fills_only_what_the_gate_lets_through(db: Connection) -> None:
    custom(db, every(3 * DAY, MONDAY, SHANGHAI))
    ticks = operations.ticks_of_range(db, "mine", MONDAY, MONDAY + 6 * DAY, MONDAY + 7 * DAY)
    assert ticks == [MONDAY, MONDAY + 3 * DAY, MONDAY + 6 * DAY]


@pytest.mark.parametrize("called_at", ["09:04", "09:00"], ids=["by Cloud Scheduler, late", "by Belfry, on the tick"])
def test_a_window_s_offset_moves_the_call_and_not_the_tick(db: Connection, called_at: str) -> None:
    add_job(db, "effective", schedule="0 9 * * *", window_s=600, offset_s=240, target_uri="http://127.0.0.1/")
    row = dict(db.execute(text("select to_jsonb(j) from belfry.jobs j")).scalar_one())
    rings = declared.ring(row, "", made_here=True)
    assert rings is not None
    assert rings.schedule == "4 9 * * *"
    first = post(effective, at="2026-03-02T09:04:00+08:00")
    assert (first["status"], first["run_at"]) == ("succeeded", "2026-03-02T01:00:00+00:00")
    again = post(effective, at=f"2026-03-02T{called_at}:00+08:00")
    assert (again["status"], again["execution_id"]) == ("duplicate", first["execution_id"])


def test_a_gate_is_looked_at_by_the_job_s_own_calendar_day(db: Connection) -> None:
    custom(db, every(3 * DAY, datetime.fromisoformat("2026-03-02T01:00:00+08:00"), SHANGHAI))
    row = executions.read_job(db, "mine")
    assert row is not None
    sunday_in_utc = datetime.fromisoformat("2026-03-01T17:00:00+00:00")
    assert row.gate_opens(sunday_in_utc)
    assert not row.gate_opens(sunday_in_utc + DAY)
