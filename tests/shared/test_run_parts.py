"""A run of several questions that do not depend on each other: what one of them breaks is undone, the others stay."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.jobs import Run, job
from tests.shared.test_jobs import add_job, post


def write(run: Run, day: str) -> None:
    run.db.execute(text("insert into belfry.biz_calendar values (cast(:d as date), true, 'effect')"), {"d": day})
    run.count(created=1)


def refused(run: Run) -> None:
    run.db.execute(text("select no_such_column from belfry.biz_calendar"))


def days(db: Connection) -> list[str]:
    return list(db.execute(text("select day::text from belfry.biz_calendar where note = 'effect' order by 1")).scalars())


def items(db: Connection) -> list[Any]:
    return [tuple(row) for row in db.execute(text("select item_type, item_key, status, error from belfry.execution_items order by item_key"))]


def test_a_part_that_the_database_refuses_is_undone_and_the_others_stay(db: Connection) -> None:
    @job
    def in_parts(run: Run) -> None:
        with run.part("first"):
            write(run, "2031-01-01")
        with run.part("second"):
            write(run, "2031-01-02")
            run.item_failed("ROW", 7, "is nonsense")
            refused(run)
        with run.part("third"):
            write(run, "2031-01-03")

    add_job(db, "in_parts")
    answer = post(in_parts)
    assert (answer["state"], answer["counters"]) == ("partial", {"created": 2, "failed": 1})
    assert days(db) == ["2031-01-01", "2031-01-03"]
    assert items(db) == [
        ("part", "first", "succeeded", ""), ("part", "second", "failed", '42703: column "no_such_column" does not exist'),
        ("part", "third", "succeeded", ""),
    ]


def test_when_no_part_succeeds_the_run_fails(db: Connection) -> None:
    @job
    def in_parts(run: Run) -> None:
        for name in ("first", "second"):
            with run.part(name):
                refused(run)

    add_job(db, "in_parts")
    answer = post(in_parts)
    assert answer["state"] == "retry_wait"
    assert items(db) == []


@pytest.mark.parametrize("error", ["57014", "40001", "55P03", "53300"])
def test_what_would_trouble_every_part_is_raised(error: str, db: Connection) -> None:
    @job
    def in_parts(run: Run) -> None:
        with run.part("first"):
            write(run, "2031-01-01")
        with run.part("second"):
            run.db.execute(text(f"do $$ begin raise exception sqlstate '{error}'; end $$"))

    add_job(db, "in_parts")
    assert post(in_parts)["state"] == "retry_wait"
    assert days(db) == []


def test_a_mistake_of_our_own_is_raised(db: Connection) -> None:
    @job
    def in_parts(run: Run) -> None:
        with run.part("first"):
            raise ValueError("not the database's fault")

    add_job(db, "in_parts")
    assert post(in_parts)["state"] == "retry_wait"


def test_a_dry_run_lists_the_parts_and_leaves_nothing(db: Connection) -> None:
    @job
    def in_parts(run: Run) -> None:
        with run.part("first"):
            write(run, "2031-01-01")
        with run.part("second"):
            refused(run)

    add_job(db, "in_parts")
    answer = post(in_parts, {"job": "in_parts", "run_at": "2026-03-02T09:00:00+08:00", "kind": "manual", "dry_run": True})
    assert answer["counters"] == {"created": 1, "failed": 1}
    assert [(item["item_key"], item["status"]) for item in answer["would"]["items"]] == [("first", "succeeded"), ("second", "failed")]
    assert days(db) == []
