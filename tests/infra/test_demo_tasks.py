"""The jobs of the task board and the log, over the demo factory, do exactly what its titles promise."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from infra.local.demo import duties, system_logs, tasks
from tests.evidence import messages
from tests.infra.test_demo_jobs import DAYS, levels, morning, promised

__all__ = ["morning"]


def titles(db: Connection, cases: Any) -> dict[int, str]:
    """What the titles of some cases promise, by task."""
    known = {row.title: row.id for row in db.execute(text("select id, title from erp.work_tasks"))}
    return {known[case[0]]: promised(case[0]) for case in cases}


def test_progress_warnings(morning: Any, db: Connection) -> None:
    morning("update_time_progress", "00:00")
    for clock in ("00:00", "23:00"):
        morning("check_task_warnings", clock)
        expected = {task: level for task, level in titles(db, tasks.WARNED).items() if level != "不预警"}
        assert levels(db, "TASK_PROGRESS_WARNING") == expected
    gone = {row.title: row.time_progress for row in db.execute(text("select title, time_progress from erp.work_tasks"))}
    assert all(gone[title] == min(percent, 100) for title, _, status, percent, _ in tasks.WARNED if status == "PROCESSING")


def test_deadline_reminders(morning: Any, db: Connection) -> None:
    morning("check_task_deadline_reminder", "09:00")
    told = {int(key[2]): key[5].split("-")[0] for m in messages(db) if (key := m["dedupe_key"].split("|"))[0] == "TASK_DEADLINE"}
    assert told == {task: tier for task, tier in titles(db, tasks.REMINDED).items() if tier != "不提醒"}


def test_periodic_tasks(morning: Any, db: Connection) -> None:
    state = "select status, updated_at from erp.work_tasks where id = :id"
    expected = titles(db, tasks.PERIODIC)
    before = {task: db.execute(text(state), {"id": task}).one() for task in expected}
    answer = morning("reset_periodic_tasks", "02:00")
    after = {task: db.execute(text(state), {"id": task}).one() for task in expected}
    assert {task for task in expected if before[task] != after[task]} == {t for t, what in expected.items() if what == "重置"}
    assert answer["counters"]["missed_occurrences"] == list(expected.values()).count("错过")
    assert answer["counters"]["stopped"] == list(expected.values()).count("停止")


def test_duties(morning: Any, db: Connection) -> None:
    morning("generate_job_duty_tasks", "04:00")
    made = text("select title, count(*) as n from erp.work_tasks where task_type = 'JOB_DUTY' group by 1")
    assert {row.title: f"{row.n} 个" for row in db.execute(made)} == {
        duty[0]: promise for duty in duties.DUTIES if (promise := promised(duty[0])) != "不生成"}
    assert "JOB_DUTY_UNASSIGNED" in {message["type"] for message in messages(db)}


@pytest.mark.parametrize("morning", DAYS, indirect=True, ids=str)
def test_the_archive(morning: Any, db: Connection) -> None:
    expected = {task for task, what in titles(db, tasks.ENDED).items() if what == "归档"}
    answer = morning("cleanup_old_data", "03:00")
    assert set(db.execute(text("select id from belfry.work_tasks_archive")).scalars()) == expected
    assert answer["counters"]["messages"] == tasks.OLD_MESSAGES


@pytest.mark.parametrize("morning", DAYS, indirect=True, ids=str)
def test_the_log(morning: Any, db: Connection) -> None:
    morning("cleanup_logs", "02:00")
    left = {row[0] for row in db.execute(text("select distinct (at at time zone 'Asia/Shanghai')::date from erp.system_logs"))}
    today = db.execute(text("select max((at at time zone 'Asia/Shanghai')::date) + 1 from erp.system_logs")).scalar_one()
    assert isinstance(today, date)
    assert left == {today - timedelta(days) for days in system_logs.DAYS if days <= 90}
