"""T3 by the rulebook: the time progress of tasks in work, written only where it differs."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.erp.tables import work_tasks
from tests.acceptance.cases import RowsJob
from tests.acceptance.many import copies_of
from tests.conftest import Perform
from tests.evidence import everything
from tests.factories import Erp
from tests.shared.rules.task_cases import TIME

JOB = "update_time_progress"
NINE = datetime.fromisoformat("2026-03-02T09:00+08:00")
HALF_PAST = "2026-03-02T09:30+08:00"


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def minutes(start: int, end: int) -> dict[str, datetime]:
    return {"expected_start": NINE + timedelta(minutes=start), "expected_end": NINE + timedelta(minutes=end)}


def shown(db: Connection) -> dict[int, int]:
    return {row.id: row.time_progress for row in db.execute(text("select id, time_progress from erp.work_tasks"))}


# ---------------------------------------------------------------- what every job promises
def _arrange(erp: Erp, day: date) -> int:
    midnight = datetime.combine(day, datetime.min.time(), NINE.tzinfo)
    return erp.work_task(expected_start=midnight, expected_end=midnight + timedelta(minutes=500))


def _spoil(erp: Erp, day: date) -> str:
    erp.work_task(**minutes(5, -5))
    return "WORK_TASK"


def _made(db: Connection) -> Sequence[Any]:
    return sorted(shown(db).items())


CASES = [RowsJob(
    JOB, clock="00:30", every=timedelta(minutes=30), arrange=_arrange, spoil=_spoil, made=_made,
    multiply=copies_of(work_tasks, "task_code"),
)]  # fmt: skip


# ---------------------------------------------------------------- what is written
def test_the_percent_is_what_the_rule_says(erp: Erp, db: Connection, perform: Perform) -> None:
    one = {"assignee_id": erp.user()}
    expected = {
        erp.work_task(time_progress=33, **minutes(start, end), **one): 33 if percent is None else percent
        for start, end, percent in TIME
    }
    assert perform(JOB)["counters"]["failed"] == [percent for *_, percent in TIME].count(None)
    assert shown(db) == expected


def test_before_the_start_it_is_0_and_after_the_end_100(erp: Erp, db: Connection, perform: Perform) -> None:
    before, after = erp.work_task(time_progress=5, **minutes(1, 9)), erp.work_task(time_progress=99, **minutes(-9, -1))
    perform(JOB)
    assert shown(db) == {before: 0, after: 100}


def test_tasks_that_are_not_in_work_stand_still(erp: Erp, db: Connection, perform: Perform) -> None:
    for status in ("NEW", "PENDING", "SUSPENDED", "COMPLETED", "CLOSED", "CANCELLED"):
        erp.work_task(status=status, time_progress=12, **minutes(-50, 50))
    assert perform(JOB)["counters"]["updated"] == 0
    assert set(shown(db).values()) == {12}


def test_a_task_without_both_times_stands_still(erp: Erp, db: Connection, perform: Perform) -> None:
    for missing in ("expected_start", "expected_end"):
        erp.work_task(time_progress=12, **{**minutes(-50, 50), missing: None})
    assert perform(JOB)["state"] == "succeeded"
    assert set(shown(db).values()) == {12}


def test_a_second_run_of_the_same_time_writes_no_row(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.work_task(**minutes(-50, 50))
    assert perform(JOB)["counters"] == {"failed": 0, "checked": 1, "updated": 1}
    before = everything(db)["erp.work_tasks"]
    written = db.execute(text("select xmin::text from erp.work_tasks")).scalar_one()
    assert perform(JOB, kind="manual")["counters"]["updated"] == 0
    assert everything(db)["erp.work_tasks"] == before
    assert db.execute(text("select xmin::text from erp.work_tasks")).scalar_one() == written


def test_nothing_else_of_the_task_moves(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.work_task(progress=7, **minutes(-50, 50))
    row = "select to_jsonb(t) - 'time_progress' from erp.work_tasks t"
    before = db.execute(text(row)).scalar_one()
    perform(JOB)
    assert db.execute(text(row)).scalar_one() == before


def test_a_time_written_in_any_zone_is_the_same_instant(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-57: naive local times were read as UTC, eight hours off."""
    for noon in ("2026-03-02T04:00+00:00", "2026-03-02T12:00+08:00", "2026-03-01T23:00-05:00"):
        end = datetime.fromisoformat(noon)
        erp.work_task(expected_start=end - timedelta(hours=6), expected_end=end)  # from six to noon
    perform(JOB)
    assert set(shown(db).values()) == {50}


def test_a_task_that_ends_before_it_starts_is_listed_and_the_others_are_written(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.work_task(task_code="TK-1", **minutes(5, -5))
    other = erp.work_task(**minutes(-50, 50))
    answer = perform(JOB)
    assert (answer["state"], answer["counters"]["failed"], shown(db)[other]) == ("partial", 1, 50)
    item: Any = db.execute(text("select item_type, item_key, status, error from belfry.execution_items")).one()
    assert item[:3] == ("WORK_TASK", "TK-1", "failed")
    assert "lies before expected_start" in item.error


def test_the_percent_moves_on_with_the_next_half_hour(erp: Erp, db: Connection, perform: Perform) -> None:
    task = erp.work_task(**minutes(-30, 70))
    perform(JOB)
    perform(JOB, HALF_PAST)
    assert shown(db) == {task: 60}
