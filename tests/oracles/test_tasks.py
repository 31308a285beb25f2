"""Over random rows, the jobs of the task board and the log do what the rulebook says, and nothing else."""

import random
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import Erp
from tests.oracles import tasks as oracle

SEEDS = [1, 2]
NINE = datetime.fromisoformat("2026-03-02T09:00+08:00")
TWO = datetime.fromisoformat("2026-03-02T02:00+08:00")
THREE = datetime.fromisoformat("2026-03-01T03:00+08:00")


@pytest.mark.parametrize("seed", SEEDS)
def test_time_progress(seed: int, db: Connection, perform: Perform) -> None:
    oracle.make_board(Erp(db), random.Random(seed), NINE)
    expected = oracle.time_progress(db, NINE)
    changed = sum(row.time_progress != expected[row.id] for row in oracle.rows(db, "erp.work_tasks"))
    assert perform("update_time_progress", NINE.isoformat())["counters"]["updated"] == changed > 30
    assert {row.id: row.time_progress for row in oracle.rows(db, "erp.work_tasks")} == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_progress_warnings(seed: int, db: Connection, perform: Perform) -> None:
    oracle.make_board(Erp(db), random.Random(seed), NINE)
    perform("check_task_warnings", NINE.isoformat())
    found = {a.target_id: (a.base_level, a.facts["cycle_no"], set(a.recipients)) for a in oracle.rows(db, "belfry.alert_records")}
    expected = oracle.warnings(db, NINE)
    assert found == expected
    assert {level for level, *_ in expected.values()} == {"INFO", "WARNING", "CRITICAL", "URGENT"}


@pytest.mark.parametrize("seed", SEEDS)
def test_deadline_reminders(seed: int, db: Connection, perform: Perform) -> None:
    oracle.make_board(Erp(db), random.Random(seed), NINE)
    perform("check_task_deadline_reminder", NINE.isoformat())
    found = {}
    for row in oracle.rows(db, "belfry.notifications"):
        _, _, task, _, _, tier = row.dedupe_key.split("|")
        found[int(task)] = (tier, row.severity, set(row.recipients))
    expected = oracle.reminders(db, NINE)
    assert found == expected
    assert len({tier for tier, *_ in expected.values()}) >= 4


@pytest.mark.parametrize("seed", SEEDS)
def test_periodic_tasks(seed: int, db: Connection, perform: Perform) -> None:
    oracle.make_periodic(Erp(db), random.Random(seed), TWO)
    expected = oracle.periodic(db, TWO)
    before = {task.id: task for task in oracle.rows(db, "erp.work_tasks")}
    perform("reset_periodic_tasks", TWO.isoformat())
    memory = {r.task_id: (r.missed_count, r.missed_at, r.is_active) for r in oracle.rows(db, "belfry.task_recurrence")}
    kept: dict[int, int] = {}
    for cycle in oracle.rows(db, "belfry.task_cycles"):
        kept[cycle.task_id] = kept.get(cycle.task_id, 0) + 1
    found: dict[int, tuple[Any, ...]] = {
        t.id: (t.status, t.progress, t.expected_start, t.expected_end, t.deadline, kept.get(t.id, 0), memory.get(t.id))
        for t in oracle.rows(db, "erp.work_tasks")
    }
    assert found == expected
    assert sum(before[task].status != expected[task][0] for task in before) > 40


@pytest.mark.parametrize("day", [date(2026, 2, 14), date(2026, 3, 2), date(2026, 12, 30)], ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_duties(seed: int, day: date, db: Connection, perform: Perform) -> None:
    oracle.make_duties(Erp(db), random.Random(seed), day)
    perform("generate_job_duty_tasks", f"{day}T04:00+08:00")
    made = {(t.source_id, t.assignee_id, t.plan_date, t.deadline) for t in oracle.rows(db, "erp.work_tasks")}
    expected = oracle.duties(db, day)
    assert made == expected
    assert len(expected) > 100


@pytest.mark.parametrize("seed", SEEDS)
def test_the_archive(seed: int, db: Connection, perform: Perform) -> None:
    oracle.make_old(Erp(db), random.Random(seed), THREE)
    expected = oracle.archived(db, THREE)
    everybody = {task.id for task in oracle.rows(db, "erp.work_tasks")}
    perform("cleanup_old_data", THREE.isoformat(), params={"batch": 7})
    assert {row.id for row in oracle.rows(db, "belfry.work_tasks_archive")} == expected
    assert {task.id for task in oracle.rows(db, "erp.work_tasks")} == everybody - expected
    assert len(expected) > 20


@pytest.mark.parametrize("seed", SEEDS)
def test_the_log(seed: int, db: Connection, perform: Perform) -> None:
    ends = oracle.make_log(Erp(db), random.Random(seed), TWO)
    expected = oracle.kept_lines(db, TWO)
    perform("cleanup_logs", TWO.isoformat(), params={"batch": 50})
    assert {line.id for line in oracle.rows(db, "erp.system_logs")} == expected
    left = db.execute(text("select relname from pg_class join pg_inherits on inhrelid = oid where inhparent = 'erp.system_logs'::regclass"))
    assert set(left.scalars()) == oracle.kept_partitions(ends, TWO) | {"system_logs_default"}
