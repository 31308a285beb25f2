"""The sweeper: what died is taken over, what never came is written down, what waits is started."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.factories import Erp
from tests.shared.test_jobs import add_job

NOW = "2026-03-02T09:30:00+08:00"


def scheduled(db: Connection, job_id: str, *, since: str, schedule: str = "0 * * * *", **columns: Any) -> None:
    add_job(db, job_id, schedule=schedule, swept_through=since, **columns)
    db.execute(
        text("""insert into belfry.job_revisions (job_id, revision, schedule, time_zone, calendar, enabled, catchup,
          catchup_window_s,
        grace_s, effective_at, created_by) select job_id, 1, schedule, time_zone, calendar, enabled, catchup,
          catchup_window_s, grace_s,
        '2026-01-01', 'test' from belfry.jobs where job_id = :id"""),
        {"id": job_id},
    )


def rows(db: Connection) -> list[tuple[Any, ...]]:
    return [
        tuple(r)
        for r in db.execute(
            text("""select to_char(run_at at time zone 'Asia/Shanghai', 'HH24:MI'), kind, state, reason
        from belfry.job_executions where job_id <> 'sweep_runs' order by run_at""")
        )
    ]


def killed(erp: Erp, day: date) -> int:
    """A run whose holder died, without attempts left."""
    add_job(erp.conn, "killed", swept_through="2100-01-01")
    more_killed(erp.conn, 0, 1)
    return 0


def more_killed(db: Connection, target: int, n: int) -> None:
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, attempt, max_attempts,
                  fence, lease_until)
                select 'killed', timestamptz '2026-03-02' - interval '1 minute' * (g + c.n), '2026-03-01', 'scheduled', 'running', 'allow',
                       1, 1, 1, clock_timestamp() - interval '1 second'
                from generate_series(1, :n) g,
                     (select count(*) as n from belfry.job_executions where job_id = 'killed') c"""),
        {"n": n},
    )


RULES_PROVED_HERE = {
    "JOB_FAILED": "proved by test_an_incident_is_told_first_reminded_and_its_end_is_told: its target is a job, it reminds",
}
CASES = [
    RowsJob(
        "sweep_runs", clock="09:30", every=timedelta(minutes=1),
        arrange=killed,
        multiply=more_killed,
        made=rows,
        reasons={
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
                "all can be judged: lease and grid decide over every run",
            "the_business_day_begins_at_local_midnight": "no day: instants decide",
            "the_number_of_statements_does_not_depend_on_the_rows": "works in steps: what is started is a step a batch",
            "fifty_thousand_rows_are_done_within_the_jobs_timeout": "few rows: the run slots bound what can die at once",
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("catchup", "expected"),
    [
        ("none", [("missed", "06:00"), ("missed", "07:00"), ("missed", "08:00"), ("missed", "09:00")]),
        ("last", [("missed", "06:00"), ("missed", "07:00"), ("missed", "08:00"), ("pending", "09:00")]),
        ("all", [("missed", "06:00"), ("missed", "07:00"), ("pending", "08:00"), ("pending", "09:00")]),
    ],
)
def test_a_tick_that_never_came_is_missed_or_promised_as_the_policy_says(
    db: Connection, perform: Perform, catchup: str, expected: list[tuple[str, str]]
) -> None:
    scheduled(db, "quiet", since="2026-03-02T05:30:00+08:00", catchup=catchup, catchup_window_s=2 * 3600)
    perform("sweep_runs", NOW)
    assert [(r[2], r[0]) for r in rows(db)] == expected
    again = db.execute(text("select xmin::text from belfry.job_executions where job_id = 'quiet'")).all()
    perform("sweep_runs", "2026-03-02T09:31:00+08:00")
    assert db.execute(text("select xmin::text from belfry.job_executions where job_id = 'quiet'")).all() == again


def test_a_tick_within_its_grace_is_not_missed_yet(db: Connection, perform: Perform) -> None:
    scheduled(db, "quiet", since="2026-03-02T08:30:00+08:00", grace_s=300)
    perform("sweep_runs", "2026-03-02T09:04:00+08:00")
    assert rows(db) == []
    perform("sweep_runs", "2026-03-02T09:05:00+08:00")
    assert [r[2] for r in rows(db)] == ["pending"]


def test_a_function_that_refuses_ends_what_waits_instead_of_being_asked_for_ever(
    db: Connection, perform: Perform, function: Any
) -> None:
    url, asked = function
    scheduled(db, "moved", since="2026-03-02T08:30:00+08:00", target_uri=f"{url}refused", max_attempts=2)
    perform("sweep_runs", "2026-03-02T09:05:00+08:00")
    first = db.execute(text("select state, attempt, error from belfry.job_executions where job_id = 'moved'")).one()
    assert (first.state, first.attempt) == ("pending", 1)
    assert "HTTP 403" in first.error
    done = perform("sweep_runs", "2026-03-02T09:07:00+08:00")
    assert done["counters"]["refused"] == 1
    assert rows(db) == [("09:00", "catchup", "failed", "error")]
    perform("sweep_runs", "2026-03-02T09:09:00+08:00")
    assert len(asked) == 2


def test_the_ticks_of_a_paused_job_are_recorded_as_skipped(db: Connection, perform: Perform) -> None:
    scheduled(db, "resting", since="2026-03-02T07:30:00+08:00", paused=True)
    perform("sweep_runs", NOW)
    assert [(r[2], r[3]) for r in rows(db)] == [("skipped", "paused"), ("skipped", "paused")]


def test_a_changed_schedule_is_not_retroactive(db: Connection, perform: Perform) -> None:
    scheduled(db, "edited", since="2026-03-02T06:30:00+08:00", catchup="none")
    db.execute(
        text("""insert into belfry.job_revisions (job_id, revision, schedule, time_zone, calendar, enabled, catchup,
          catchup_window_s, grace_s,
        effective_at, created_by) values ('edited', 2, '30 * * * *', 'Asia/Shanghai', 'every_day', true, 'none', 3600,
          300,
        '2026-03-02T08:10:00+08:00', 'test')""")
    )
    perform("sweep_runs", "2026-03-02T09:40:00+08:00")
    assert [r[0] for r in rows(db)] == ["07:00", "08:00", "08:30", "09:30"]


def test_a_dead_holder_s_run_is_taken_back_and_started_again(
    db: Connection, perform: Perform, function: tuple[str, list[dict[str, Any]]]
) -> None:
    add_job(db, "killed", target_uri=function[0], swept_through="2100-01-01")
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, attempt,
          max_attempts, fence, lease_until,
        started_at) values ('killed', :t, '2026-03-02', 'scheduled', 'running', 'skip', 1, 2, 1, clock_timestamp() -
          interval '1 second', :t)"""),
        {"t": "2026-03-02T09:00:00+08:00"},
    )
    answer = perform("sweep_runs", NOW)
    assert (answer["counters"]["retry_wait"], answer["counters"]["kicked"]) == (1, 1)
    (body,) = function[1]
    assert (body["job"], body["kind"]) == ("killed", "scheduled")
    assert rows(db) == [("09:00", "scheduled", "retry_wait", "lease")]


def test_a_run_without_attempts_left_is_lost_and_one_incident_tells_it(db: Connection, perform: Perform) -> None:
    people = Erp(db)
    owner = people.user("负责人", email="owner@example.com")
    add_job(db, "killed", owner="owner@example.com", swept_through="2100-01-01")
    for hour in ("08", "09"):
        db.execute(
            text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, attempt,
              max_attempts, fence, lease_until)
            values ('killed', :t, '2026-03-02', 'scheduled', 'running', 'allow', 1, 1, 1, clock_timestamp() - interval
              '1 second')"""),
            {"t": f"2026-03-02T{hour}:00:00+08:00"},
        )
    perform("sweep_runs", NOW)
    perform("sweep_runs", "2026-03-02T09:31:00+08:00")
    assert [r[2] for r in rows(db)] == ["lost", "lost"]
    alerts = db.execute(
        text("select target_no, alert_level, facts->>'reason' as reason from belfry.alert_records")
    ).all()
    assert alerts == [("killed", "WARNING", "lost")]
    assert owner in db.execute(text("select user_id from belfry.notification_deliveries")).scalars().all()


def test_a_waiting_tick_is_started_only_when_its_upstream_has_succeeded(
    db: Connection, perform: Perform, function: tuple[str, list[dict[str, Any]]]
) -> None:
    for job_id in ("upstream", "downstream"):
        add_job(db, job_id, target_uri=function[0], swept_through="2100-01-01")
    db.execute(text("insert into belfry.job_dependencies values ('downstream', 'upstream')"))
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, reason, overlap, created_at)
        values ('downstream', :t, '2026-03-02', 'scheduled', 'waiting', 'dependency', 'skip', :t)"""),
        {"t": "2026-03-02T09:00:00+08:00"},
    )
    perform("sweep_runs", NOW)
    assert function[1] == []
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap)
        values ('upstream', '2026-03-02T08:00:00+08:00', '2026-03-02', 'scheduled', 'succeeded', 'skip')""")
    )
    perform("sweep_runs", "2026-03-02T09:31:00+08:00")
    assert [b["job"] for b in function[1]] == ["downstream"]


def test_a_function_that_does_not_answer_is_kicked_again_a_minute_later(db: Connection, perform: Perform) -> None:
    add_job(db, "unreachable", target_uri="http://127.0.0.1:9/", swept_through="2100-01-01")
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap)
        values ('unreachable', '2026-03-02T09:00:00+08:00', '2026-03-02', 'catchup', 'pending', 'skip')""")
    )
    answer = perform("sweep_runs", NOW)
    assert (answer["status"], answer["counters"]["kicked"]) == ("succeeded", 0)
    assert perform("sweep_runs", "2026-03-02T09:32:00+08:00")["counters"]["kicked"] == 0
    assert db.execute(
        text("select kicked_at = '2026-03-02T09:32:00+08:00' from belfry.job_executions where job_id = 'unreachable'")
    ).scalar_one()


def incident(db: Connection) -> tuple[Any, ...] | None:
    row = db.execute(
        text("""select target_no, facts->>'reason', status from belfry.alert_records order by id desc limit 1""")
    ).one_or_none()
    return tuple(row) if row else None


def told(db: Connection) -> list[str]:
    return list(db.execute(text("select reason from belfry.notifications order by id")).scalars())


def test_a_run_over_its_longest_duration_is_reported_while_it_runs(db: Connection, perform: Perform) -> None:
    add_job(db, "slow", sla_max_duration_s=60, swept_through="2100-01-01")
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, attempt, fence, lease_until, started_at)
                values ('slow', :t, '2026-03-02', 'scheduled', 'running', 'skip', 1, 1, clock_timestamp() + interval '1 hour', :t)"""),
        {"t": "2026-03-02T09:00:00+08:00"},
    )
    perform("sweep_runs", "2026-03-02T09:00:30+08:00")
    assert incident(db) is None
    perform("sweep_runs", "2026-03-02T09:02:00+08:00")
    assert incident(db) == ("slow", "sla_max_duration", "PENDING")


def test_a_job_that_is_not_done_by_its_hour_is_reported_once_a_day_and_recovers(
    db: Connection, perform: Perform
) -> None:
    add_job(db, "report", sla_finish_by="08:30", swept_through="2100-01-01")
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap)
                values ('report', '2026-03-02T08:00+08:00', '2026-03-02', 'scheduled', 'pending', 'skip')""")
    )
    perform("sweep_runs", "2026-03-02T08:30:00+08:00")
    assert incident(db) is None
    perform("sweep_runs", "2026-03-02T08:31:00+08:00")
    assert incident(db) == ("report", "sla_finish_by", "PENDING")
    perform("sweep_runs", "2026-03-03T08:20:00+08:00")
    assert incident(db) == ("report", "sla_finish_by", "RESOLVED")


def test_an_incident_is_told_first_reminded_and_its_end_is_told(db: Connection, perform: Perform) -> None:
    Erp(db).role("SYS_ADMIN", users=[Erp(db).user("管理员")])
    add_job(db, "broken", swept_through="2100-01-01")
    db.execute(
        text(
            "insert into belfry.job_summaries (job_id, trouble, trouble_since, consecutive_failures) values ('broken', 'failed', :t, 1)"
        ),
        {"t": "2026-03-02T09:00:00+08:00"},
    )
    perform("sweep_runs", "2026-03-02T09:01:00+08:00")
    perform("sweep_runs", "2026-03-02T09:02:00+08:00")
    assert told(db) == ["NEW"]
    perform("sweep_runs", "2026-03-02T13:01:00+08:00")
    perform("sweep_runs", "2026-03-02T13:02:00+08:00")
    assert told(db) == ["NEW", "REMINDER"]
    db.execute(text("update belfry.job_summaries set trouble = null, consecutive_failures = 0"))
    perform("sweep_runs", "2026-03-02T13:03:00+08:00")
    perform("sweep_runs", "2026-03-02T13:04:00+08:00")
    assert told(db) == ["NEW", "REMINDER", "RESOLVED"]
    assert (
        db.execute(text("select count(*) from belfry.notification_deliveries where channel = 'system'")).scalar_one()
        == 3
    )
