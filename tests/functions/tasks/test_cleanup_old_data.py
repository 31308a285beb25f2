"""T4 by the rulebook: ended tasks move into the archive, messages read long ago go; whatever somebody needs stays."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.evidence import everything, messages
from tests.factories import Erp
from tests.telling import alert, notification

JOB = "cleanup_old_data"
SUNDAY = date(2026, 3, 1)
THREE = datetime.fromisoformat("2026-03-01T03:00+08:00")
AT = THREE.isoformat()
DAY = timedelta(days=1)


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def ended(erp: Erp, days: float = 91, **columns: Any) -> int:
    """A task closed and not touched for so many days."""
    return erp.work_task(**{"status": "CLOSED", "updated_at": THREE - timedelta(days=days)} | columns)


def left(db: Connection) -> list[int]:
    return list(db.execute(text("select id from erp.work_tasks order by id")).scalars())


def archived(db: Connection) -> list[int]:
    return list(db.execute(text("select id from belfry.work_tasks_archive order by id")).scalars())


def message(db: Connection, days: float, *, read: bool = True, channel: str = "system", state: str = "sent") -> int:
    """A delivery made so many days ago."""
    made = THREE - timedelta(days=days)
    row = {"n": notification(db), "c": channel, "s": state, "at": made, "read": made + DAY if read else None}
    return int(db.execute(text("""
        insert into belfry.notification_deliveries (notification_id, user_id, channel, state, not_after, created_at, read_at)
        values (:n, 1, :c, :s, :at, :at, :read) returning id"""), row).scalar_one())


# ---------------------------------------------------------------- what every job promises
def _arrange(erp: Erp, day: date) -> int:
    return erp.work_task(status="CLOSED", updated_at=datetime.combine(day, time(), THREE.tzinfo) - 90 * DAY)


def _multiply(db: Connection, target: int, n: int) -> None:
    db.execute(text("""insert into erp.work_tasks (task_code, title, assignee_id, status, updated_at)
        select 'C-' || c || '-' || g, 'x', (select min(id) from erp.users), 'CLOSED', timestamptz '2025-11-01'
        from (select count(*) as c from belfry.work_tasks_archive) x, generate_series(1, :n) g"""), {"n": n})


def _made(db: Connection) -> Sequence[Any]:
    return archived(db)


CASES = [RowsJob(
    JOB, clock="03:00", day=SUNDAY, every=7 * DAY, arrange=_arrange, multiply=_multiply, made=_made,
    reasons={
        "the_number_of_statements_does_not_depend_on_the_rows": "works in steps: a transaction a thousand tasks",
        "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
            "proved by test_a_batch_that_cannot_go_is_listed_and_told_and_the_other_kind_is_done: a step that raises",
    },
)]  # fmt: skip


# ---------------------------------------------------------------- which tasks
def test_tasks_closed_or_cancelled_for_more_than_ninety_days_go(erp: Erp, db: Connection, perform: Perform) -> None:
    going = [ended(erp, 90.001), ended(erp, 400), ended(erp, 91, status="CANCELLED"), ended(erp, 91, category="JOB_DUTY")]
    staying = [ended(erp, 90), ended(erp, 1)] + [
        ended(erp, 400, status=status) for status in ("NEW", "PENDING", "PROCESSING", "SUSPENDED", "COMPLETED")]
    assert perform(JOB, AT)["counters"]["tasks"] == len(going)
    assert (archived(db), left(db)) == (going, staying)


def test_tasks_that_come_back_stay_and_those_that_do_not_go(erp: Erp, db: Connection, perform: Perform) -> None:
    comes_back, stopped, silent = (ended(erp, category="PERIODIC") for _ in range(3))
    erp.recurrence(comes_back, is_active=True)
    erp.recurrence(stopped, is_active=False)
    perform(JOB, AT)
    assert (archived(db), left(db)) == ([stopped, silent], [comes_back])


def test_a_task_with_an_unfinished_part_stays(erp: Erp, db: Connection, perform: Perform) -> None:
    waits, over = ended(erp), ended(erp)
    for whole, status in ((waits, "COMPLETED"), (waits, "SUSPENDED"), (over, "COMPLETED"), (over, "CANCELLED")):
        erp.work_task(status=status, source_type="WORK_TASK", source_id=whole)
    erp.work_task(status="NEW", source_type="ISSUE", source_id=over)  # another table's number
    perform(JOB, AT)
    assert archived(db) == [over]


def test_a_task_that_an_open_alert_speaks_of_stays(erp: Erp, db: Connection, perform: Perform) -> None:
    spoken_of, resolved, other = ended(erp), ended(erp), ended(erp)
    for target, status, target_type in ((spoken_of, "PROCESSING", "WORK_TASK"), (resolved, "RESOLVED", "WORK_TASK"),
                                        (other, "PENDING", "ISSUE")):
        made = alert(db)
        db.execute(text("update belfry.alert_records set target_id = :t, target_type = :y, status = :s where id = :id"),
                   {"t": target, "y": target_type, "s": status, "id": made})
    perform(JOB, AT)
    assert archived(db) == [resolved, other]


def test_the_archive_has_the_whole_task_with_all_that_belonged_to_it(erp: Erp, db: Connection, perform: Perform) -> None:
    task, other = ended(erp, title="周例会", category="PERIODIC"), erp.work_task()
    for number in (2, 1):
        erp.cycle(task, number)
    erp.cycle(other, 1)
    erp.recurrence(task, is_active=False)
    whole = db.execute(text("select to_jsonb(t) from erp.work_tasks t where id = :id"), {"id": task}).scalar_one()
    counters = perform(JOB, AT)["counters"]
    assert (counters["tasks"], counters["cycles"], counters["recurrences"]) == (1, 2, 1)
    kept = db.execute(text("select * from belfry.work_tasks_archive")).one()
    assert (kept.id, kept.archived_at, kept.payload["task"]) == (task, THREE, whole)
    assert [cycle["cycle_no"] for cycle in kept.payload["cycles"]] == [1, 2]
    assert kept.payload["recurrence"]["is_active"] is False
    assert db.execute(text("select array_agg(task_id) from belfry.task_cycles")).scalar_one() == [other]


def test_it_works_in_batches_until_nothing_is_left(erp: Erp, db: Connection, perform: Perform) -> None:
    tasks = [ended(erp) for _ in range(7)]
    assert perform(JOB, AT, params={"batch": 3})["counters"]["tasks"] == 7
    assert archived(db) == tasks
    steps = db.execute(text("select item_key from belfry.execution_items where item_key like 'tasks%' order by 1"))
    assert steps.scalars().all() == ["tasks 1.1", "tasks 1.2", "tasks 1.3"]


def test_it_stops_in_time_and_goes_on_next_week(erp: Erp, db: Connection, perform: Perform) -> None:
    ended(erp)
    _multiply(db, 0, 600)
    perform(JOB, "2026-02-22T03:00+08:00", params={"count_only": True})
    db.execute(text("update belfry.jobs set timeout_s = 30"))
    counters = perform(JOB, AT, params={"batch": 1, "stop_at_percent": 1})["counters"]
    assert counters["stopped_early"] >= 1
    assert 0 <= counters.get("tasks", 0) < 601
    assert perform(JOB, (THREE + 7 * DAY).isoformat())["counters"]["tasks"] == 601 - counters.get("tasks", 0)


# ---------------------------------------------------------------- which messages
def test_in_app_messages_read_and_older_than_180_days_go(db: Connection, perform: Perform) -> None:
    message(db, 181)
    message(db, 181, state="delivered")
    staying = [message(db, 180), message(db, 181, read=False), message(db, 400, channel="email"), message(db, 400, state="dead")]
    assert perform(JOB, AT)["counters"]["messages"] == 2
    assert db.execute(text("select array_agg(id order by id) from belfry.notification_deliveries")).scalar_one() == staying


# ---------------------------------------------------------------- what is said of it
def test_count_only_says_what_would_go_and_leaves_it(erp: Erp, db: Connection, perform: Perform) -> None:
    for _ in range(3):
        ended(erp)
    message(db, 200)
    before = {name: sum_ for name, sum_ in everything(db).items() if "execution" not in name and "job" not in name}
    counters = perform(JOB, AT, params={"count_only": True, "batch": 1})["counters"]
    assert (counters["tasks_found"], counters["messages_found"]) == (3, 1)
    assert before.items() <= everything(db).items()


def test_a_run_that_did_something_is_in_the_audit_log_and_another_is_not(erp: Erp, db: Connection, perform: Perform) -> None:
    perform(JOB, "2026-02-22T03:00+08:00")
    ended(erp)
    perform(JOB, AT)
    (entry,) = db.execute(text("select actor, action, job_id, after from belfry.audit_log"))
    assert (entry.actor, entry.action, entry.job_id) == (f"job:{JOB}", "tasks.archive", JOB)
    assert entry.after == {"tasks": 1, "messages": 0, "cycles": 0, "recurrences": 0, "failed": 0}


def test_the_administrators_are_told_of_a_large_run_only(erp: Erp, db: Connection, perform: Perform) -> None:
    admin = erp.user("叶帆", roles=["SYS_ADMIN"])
    for _ in range(3):
        ended(erp, 100)
    perform(JOB, "2026-02-22T03:00+08:00", params={"tell_rows": 3})
    for _ in range(4):
        ended(erp)
    perform(JOB, AT, params={"tell_rows": 3})
    (told,) = messages(db)
    assert (told["type"], sorted(told["told"]), told["facts"]["tasks"]) == ("CLEANUP_DONE", [f"{admin} email", f"{admin} system"], 4)


def test_a_batch_that_cannot_go_is_listed_and_told_and_the_other_kind_is_done(erp: Erp, db: Connection, perform: Perform) -> None:
    task = ended(erp)
    message(db, 200)
    db.execute(text("create table erp.task_comments (task_id bigint references erp.work_tasks)"))
    db.execute(text("insert into erp.task_comments values (:id)"), {"id": task})
    answer = perform(JOB, AT)
    assert (answer["state"], answer["counters"]["failed"], answer["counters"]["messages"]) == ("partial", 1, 1)
    item = db.execute(text("select item_type, item_key, error from belfry.execution_items where status = 'failed'")).one()
    assert item[:2] == ("STEP", "tasks 1.1")
    assert "task_comments" in item.error
    assert (left(db), archived(db)) == ([task], [])
    assert [m["facts"]["failed"] for m in messages(db) if m["type"] == "CLEANUP_DONE"] == [1]


def test_what_belfry_keeps_of_itself_is_left_to_prune_history(erp: Erp, db: Connection, perform: Perform) -> None:
    """Two jobs with one row between them would be two retentions."""
    for state in ("sent", "delivered", "dead", "expired", "suppressed", "cancelled"):
        for channel in ("email", "wechat", "sms") if state in ("sent", "delivered") else ("system", "email"):
            message(db, 4000, channel=channel, state=state)
    message(db, 4000, read=False)
    assert not perform(JOB, AT)["counters"].get("messages")
