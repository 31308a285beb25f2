"""What is forgotten stays forgotten: no row past its retention, and no forgotten tick ever runs again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.shared.test_jobs import add_job, effective, post

NOW = "2026-03-02T03:40:00+08:00"


def ran(db: Connection, job: str, run_at: str, state: str = "succeeded") -> None:
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap)
                values (:j, :t, cast(:t as date), 'scheduled', :s, 'skip')"""),
        {"j": job, "t": run_at, "s": state},
    )


def left(db: Connection, job: str) -> list[Any]:
    query = "select run_at::date::text from belfry.job_executions where job_id = :j order by run_at"
    return list(db.execute(text(query), {"j": job}).scalars())


def published(db: Connection, n: int = 1) -> int:
    """So many messages that left a year ago; the first one's id."""
    made = text("""insert into belfry.outbox (topic, attributes, payload, published_at)
                   select 'job-events', '{}', '{}', timestamptz '2025-03-02' from generate_series(1, :n) returning id""")
    return int(db.execute(made, {"n": n}).scalars().all()[0])


CASES = [
    RowsJob(
        "prune_history", clock="03:40",
        arrange=lambda erp, day: published(erp.conn),
        multiply=lambda db, target, n: published(db, n) and None,
        made=lambda db: db.execute(text("select id from belfry.outbox order by id")).all(),
        reasons={
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done": "all can be judged: age alone decides",
            "the_business_day_begins_at_local_midnight": "no day: retention is counted back from the instant",
            "the_number_of_statements_does_not_depend_on_the_rows": "works in steps: one statement a batch",
        },
    ),
]  # fmt: skip


def test_runs_past_their_retention_go_and_what_waits_or_is_younger_stays(db: Connection, perform: Perform) -> None:
    add_job(db, "effective")
    for day, state in (("2025-08-01", "succeeded"), ("2025-08-02", "pending"), ("2025-10-01", "failed")):
        ran(db, "effective", f"{day}T01:00:00Z", state)
    answer = perform("prune_history", NOW)
    assert (answer["status"], answer["counters"]["executions"]) == ("succeeded", 1)
    assert left(db, "effective") == ["2025-08-02", "2025-10-01"]


def test_the_sweepers_keep_a_day(db: Connection, perform: Perform) -> None:
    add_job(db, "sweeper", priority="high")
    db.execute(text("update belfry.jobs set category = 'platform'"))
    for time in ("2026-02-28T19:00:00Z", "2026-03-01T19:50:00Z"):
        ran(db, "sweeper", time)
    perform("prune_history", NOW)
    assert left(db, "sweeper") == ["2026-03-01"]


def test_a_forgotten_tick_is_a_duplicate_for_ever(db: Connection, perform: Perform) -> None:
    add_job(db, "effective")
    ran(db, "effective", "2025-08-01T01:00:00Z")
    perform("prune_history", NOW)
    assert left(db, "effective") == []
    assert post(effective, at="2025-08-01T01:00:00Z")["status"] == "duplicate"
    assert db.execute(text("select count(*) from belfry.biz_calendar where note = 'effect'")).scalar_one() == 0


def test_it_works_in_batches_until_nothing_is_left(db: Connection, perform: Perform) -> None:
    add_job(db, "effective")
    for day in range(1, 8):
        ran(db, "effective", f"2025-07-0{day}T01:00:00Z")
    answer = perform("prune_history", NOW, params={"batch": 3})
    assert answer["counters"]["executions"] == 7
    steps = db.execute(text("select item_key from belfry.execution_items where item_key like 'executions%' order by 1"))
    assert steps.scalars().all() == ["executions 1.1", "executions 1.2", "executions 1.3"]


def test_a_delivery_s_key_outlives_every_message_that_could_name_it(db: Connection, perform: Perform) -> None:
    db.execute(
        text("""with n as (
                  insert into belfry.notifications (dedupe_key, type, severity, not_after, fanned_out, created_at, facts)
                  select 'k' || d, 'ALERT', 'INFO', '2026-01-01', true, date '2026-03-01' - d, '{"x": 1}'
                  from unnest(array[200, 60]) d returning id, created_at)
                insert into belfry.notification_deliveries (notification_id, user_id, channel, state, not_after, created_at)
                select id, 1, 'email', 'sent', '2026-01-01', created_at from n""")
    )
    perform("prune_history", NOW)
    rows = db.execute(
        text("""select n.dedupe_key, n.facts = '{}', d.id is null from belfry.notifications n
                left join belfry.notification_deliveries d on d.notification_id = n.id order by 1""")
    ).all()
    assert rows == [("k200", True, True), ("k60", False, False)]


def test_the_inbox_keeps_what_nobody_read_and_leaves_what_was_read_to_the_clean_up(db: Connection, perform: Perform) -> None:
    """One owner for each row: read in-app messages are cleanup_old_data's."""
    db.execute(
        text("""with n as (
                  insert into belfry.notifications (dedupe_key, type, severity, not_after, fanned_out, created_at)
                  select 'k' || d, 'ALERT', 'INFO', '2026-01-01', true, date '2026-03-01' - d
                  from unnest(array[200, 800]) d returning id, created_at)
                insert into belfry.notification_deliveries (notification_id, user_id, channel, state, not_after, created_at,
                  read_at)
                select id, u, 'system', case u when 3 then 'expired' else 'sent' end, '2026-01-01', created_at,
                       case u when 1 then created_at end
                from n, unnest(array[1, 2, 3]) u""")
    )
    assert perform("prune_history", NOW)["counters"]["deliveries"] == 3
    rows = db.execute(
        text("""select n.dedupe_key, d.user_id from belfry.notification_deliveries d
                join belfry.notifications n on n.id = d.notification_id order by 1, 2""")
    ).all()
    assert rows == [("k200", 1), ("k200", 2), ("k800", 1)]


def test_an_old_tick_that_never_had_a_row_still_runs(db: Connection, perform: Perform) -> None:
    add_job(db, "effective")
    perform("prune_history", NOW)
    assert post(effective, at="2025-08-01T01:00:00Z")["status"] == "succeeded"
