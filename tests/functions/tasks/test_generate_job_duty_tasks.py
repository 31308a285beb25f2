"""Job 25 by the rulebook: duties become tasks ahead of their day, one a person, whatever month or rest lies between."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from shared.taskboard.duties import Morning, occurrences
from tests.acceptance.cases import RowsJob
from tests.conftest import Perform
from tests.evidence import messages
from tests.factories import TODAY, Erp
from tests.shared.rules.recurrence_cases import NEXT, REST

JOB = "generate_job_duty_tasks"
FOUR = "2026-03-02T04:00+08:00"
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


def at(day: str) -> str:
    return f"{day}T04:00+08:00"


def tasks(db: Connection) -> list[Any]:
    return list(db.execute(text("select * from erp.work_tasks order by id")))


def planned(db: Connection) -> list[tuple[int, int, str]]:
    """Template, person and day of every task."""
    return sorted((t.source_id, t.assignee_id, str(t.plan_date)) for t in tasks(db))


# ---------------------------------------------------------------- what every job promises
def _arrange(erp: Erp, day: date) -> int:
    position = erp.position()
    erp.user(position_id=position)
    return erp.duty(position_id=position)


def _spoil(erp: Erp, day: date) -> str:
    erp.duty(frequency="WEEKLY", day_of_week=None)
    return "JOB_DUTY_TEMPLATE"


def _multiply(db: Connection, target: int, n: int) -> None:
    db.execute(text("""insert into erp.users (username, position_id)
        select 'user-' || c || '-' || g, position_id from erp.job_duty_templates, (select count(*) as c from erp.users) u,
          generate_series(1, :n) g where id = :id"""), {"n": n, "id": target})


def _made(db: Connection) -> Sequence[Any]:
    return planned(db)


CASES = [RowsJob(JOB, clock="04:00", arrange=_arrange, spoil=_spoil, multiply=_multiply, made=_made)]


# ---------------------------------------------------------------- which day
@pytest.mark.parametrize("skip", [False, True])
def test_every_case_has_the_occurrence_of_the_rule(skip: bool, erp: Erp, db: Connection) -> None:
    position, by_day = erp.position(), dict[date, dict[int, date]]()
    for frequency, days, day, found in REST if skip else NEXT:
        columns = {"of_week": "day_of_week", "of_month": "day_of_month", "month": "month_of_year"}
        duty = erp.duty(position_id=position, frequency=frequency, skip_rest_days=skip, generate_before_days=366,
                        **{columns[name]: value for name, value in days.items()})
        by_day.setdefault(day, {})[duty] = found
    for day, expected in by_day.items():
        morning = Morning(datetime.combine(day, time(4), SHANGHAI), day, SHANGHAI, time(18))
        seen = {row.id: row.plan_date for row in db.execute(occurrences(morning))}
        assert {duty: seen[duty] for duty in expected} == expected, day


@pytest.mark.parametrize(("year", "last"), [("2026", "02-28"), ("2028", "02-29")])
def test_monthly_31_in_february_is_the_last_day(year: str, last: str, erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2"""
    position = erp.position()
    person = erp.user(position_id=position)
    duty = erp.duty(position_id=position, frequency="MONTHLY", day_of_month=31)
    perform(JOB, at(f"{year}-02-26"))
    assert planned(db) == [(duty, person, f"{year}-{last}")]


def test_lead_3_on_29_january_for_day_1_makes_the_task_of_1_february(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2, D-55: month ends were not crossed."""
    position = erp.position()
    person = erp.user(position_id=position)
    duty = erp.duty(position_id=position, frequency="MONTHLY", day_of_month=1, generate_before_days=3)
    perform(JOB, at("2026-01-28"))
    assert planned(db) == []
    perform(JOB, at("2026-01-29"))
    assert planned(db) == [(duty, person, "2026-02-01")]


def test_each_person_of_the_position_gets_one_task(erp: Erp, db: Connection, perform: Perform) -> None:
    """9.2, D-55: users were searched by columns that do not exist, and whether a task exists was asked per template."""
    position = erp.position()
    people = [erp.user(position_id=position) for _ in range(3)]
    erp.user(position_id=erp.position())
    erp.user(position_id=position, is_active=False)
    duty = erp.duty(position_id=position)
    assert perform(JOB, FOUR)["counters"]["created"] == 3
    assert perform(JOB, FOUR, kind="manual")["counters"]["created"] == 0
    assert planned(db) == [(duty, person, str(TODAY)) for person in people]


@pytest.mark.parametrize(("frequency", "days"), [
    ("DAILY", {}), ("WEEKLY", {"day_of_week": 1}), ("MONTHLY", {"day_of_month": 2}),
    ("YEARLY", {"day_of_month": 2, "month_of_year": 3}),
])
def test_on_the_day_itself_the_task_is_for_that_day(frequency: str, days: dict[str, int], erp: Erp, db: Connection, perform: Perform) -> None:
    """D-55: on the due day itself the target became today plus the lead."""
    position = erp.position()
    person = erp.user(position_id=position)
    duty = erp.duty(position_id=position, frequency=frequency, generate_before_days=3, **days)
    perform(JOB, FOUR)
    assert planned(db) == [(duty, person, "2026-03-02")]


def test_the_same_occurrence_is_made_once_on_the_days_before_it(erp: Erp, db: Connection, perform: Perform) -> None:
    position = erp.position()
    erp.user(position_id=position)
    erp.duty(position_id=position, frequency="WEEKLY", day_of_week=4, generate_before_days=3)
    made = [perform(JOB, at(f"2026-03-0{day}"))["counters"]["created"] for day in range(1, 8)]
    assert made == [0, 1, 0, 0, 0, 0, 0]


def test_duties_on_days_of_rest_move_to_one_workday(erp: Erp, db: Connection, perform: Perform) -> None:
    position = erp.position()
    person = erp.user(position_id=position)
    moves = erp.duty(position_id=position, skip_rest_days=True, generate_before_days=0)
    stays = erp.duty(position_id=position, generate_before_days=0)
    for day in (6, 7, 8, 9):  # Friday to Monday
        perform(JOB, at(f"2026-03-0{day}"))
    assert [day for duty, _, day in planned(db) if duty == moves] == ["2026-03-06", "2026-03-09"]
    assert [day for duty, _, day in planned(db) if duty == stays] == [f"2026-03-0{day}" for day in (6, 7, 8, 9)]
    assert {who for _, who, _ in planned(db)} == {person}


# ---------------------------------------------------------------- who
def test_a_department_narrows_the_position(erp: Erp, db: Connection, perform: Perform) -> None:
    position, here, there = erp.position(), erp.department(), erp.department()
    one, other = (erp.user(position_id=position, department_id=d) for d in (here, there))
    narrow, wide = erp.duty(position_id=position, department_id=here), erp.duty(position_id=position)
    perform(JOB, FOUR)
    assert planned(db) == sorted([(narrow, one, str(TODAY)), (wide, one, str(TODAY)), (wide, other, str(TODAY))])


def test_who_joins_later_gets_the_task_while_its_day_is_ahead(erp: Erp, db: Connection, perform: Perform) -> None:
    position = erp.position()
    erp.user(position_id=position)
    duty = erp.duty(position_id=position, frequency="WEEKLY", day_of_week=4, generate_before_days=3)
    perform(JOB, at("2026-03-02"))
    late = erp.user(position_id=position)
    perform(JOB, at("2026-03-05"))
    too_late = erp.user(position_id=position)
    perform(JOB, at("2026-03-06"))
    assert (duty, late, "2026-03-05") in planned(db)
    assert too_late not in {who for _, who, _ in planned(db)}


def test_switched_off_duties_make_nothing(erp: Erp, db: Connection, perform: Perform) -> None:
    position = erp.position()
    erp.user(position_id=position)
    erp.duty(position_id=position, is_active=False)
    erp.duty(position_id=position, auto_generate=False)
    assert perform(JOB, FOUR)["counters"]["checked"] == 0
    assert planned(db) == []


def test_duties_that_nobody_has_are_counted_and_listed_to_the_pmo_once_a_week(erp: Erp, db: Connection, perform: Perform) -> None:
    head = erp.user("苏慧", roles=["PMO"])
    erp.duty(duty_name="锅炉巡检", position_id=erp.position(position_name="锅炉工"))
    erp.duty(duty_name="消防演练", position_id=None, department_id=erp.department(dept_name="仓储部"))
    for day in ("2026-03-02", "2026-03-03", "2026-03-08", "2026-03-09"):
        assert perform(JOB, at(day))["counters"]["without_people"] == 2
    first, second = messages(db)
    assert (first["dedupe_key"], second["dedupe_key"]) == ("JOB_DUTY_UNASSIGNED|2026-W10", "JOB_DUTY_UNASSIGNED|2026-W11")
    assert sorted(first["told"]) == [f"{head} email", f"{head} system"]
    assert first["facts"]["items"] == [
        {"duty": "锅炉巡检", "position": "锅炉工", "department": None}, {"duty": "消防演练", "position": None, "department": "仓储部"}]


# ---------------------------------------------------------------- the task, and what is told
def test_the_task_is_due_at_six_of_its_day(erp: Erp, db: Connection, perform: Perform) -> None:
    position = erp.position()
    person = erp.user(position_id=position)
    duty = erp.duty(position_id=position, duty_name="月度盘点", frequency="WEEKLY", day_of_week=3, deadline_offset_days=2,
                    default_priority="HIGH", estimated_hours="1.5")
    perform(JOB, FOUR)
    (task,) = tasks(db)
    assert (task.title, task.task_type, task.category, task.source_type, task.source_id) == (
        "月度盘点", "JOB_DUTY", "JOB_DUTY", "JOB_DUTY_TEMPLATE", duty)
    assert (task.assignee_id, task.creator_id, task.status, task.priority) == (person, None, "NEW", "HIGH")
    assert (task.plan_date, task.deadline) == (date(2026, 3, 4), datetime(2026, 3, 6, 10, tzinfo=UTC))
    assert (task.reminder_enabled, task.reminder_before_hours, float(task.estimated_hours)) == (True, 24, 1.5)


def test_task_numbers_come_from_a_sequence(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-55: the number generator collided with itself in the loop."""
    position = erp.position()
    for _ in range(3):
        erp.user(position_id=position)
        erp.duty(position_id=position)
    perform(JOB, FOUR)
    perform(JOB, at("2026-03-03"))
    assert [task.task_code for task in tasks(db)] == [
        f"JD-2026030{2 + number // 9}-{number + 1:06}" for number in range(18)]


def test_a_person_gets_one_message_that_lists_all_new_duties(erp: Erp, db: Connection, perform: Perform) -> None:
    position = erp.position()
    person = erp.user("郑浩", position_id=position)
    erp.duty(position_id=position, duty_name="设备点检", duty_description="按点检表逐项检查")
    erp.duty(position_id=position, duty_name="周清扫", frequency="WEEKLY", day_of_week=3)
    for _ in range(2):
        perform(JOB, FOUR, kind="manual")
    (told,) = messages(db)
    assert told["told"] == [f"{person} system"]
    assert (told["facts"]["count"], [item["title"] for item in told["facts"]["items"]]) == (2, ["设备点检", "周清扫"])
    assert told["facts"]["items"][0]["description"] == "按点检表逐项检查"
    assert db.execute(text("select not_before from belfry.notifications")).scalar_one() == datetime(2026, 3, 1, 23, 30, tzinfo=UTC)


def test_duties_that_do_not_say_their_day_are_listed_and_the_others_are_made(erp: Erp, db: Connection, perform: Perform) -> None:
    position = erp.position()
    erp.user(position_id=position)
    shared: dict[str, Any] = {"position_id": position, "duty_name": "点检"}
    bad = [erp.duty(**shared, **columns) for columns in (
        {"frequency": "WEEKLY"}, {"frequency": "MONTHLY"}, {"frequency": "YEARLY", "day_of_month": 1},
        {"frequency": "YEARLY", "month_of_year": 1}, {"generate_before_days": -1}, {"generate_before_days": 367})]
    good = erp.duty(**shared)
    assert perform(JOB, FOUR)["counters"]["failed"] == 6
    items = db.execute(text("select item_key from belfry.execution_items where item_type = 'JOB_DUTY_TEMPLATE'"))
    assert set(items.scalars()) == {f"点检#{duty}" for duty in bad}
    assert {task.source_id for task in tasks(db)} == {good}


def test_what_is_today_is_the_factory_s_day(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-57: five past midnight in Shanghai is still yesterday in UTC."""
    position = erp.position()
    erp.user(position_id=position)
    erp.duty(position_id=position)
    perform(JOB, "2026-03-02T00:05+08:00", kind="manual")
    (task,) = tasks(db)
    assert task.plan_date == TODAY
    assert task.deadline == datetime.combine(TODAY, time(18), SHANGHAI)
    assert task.created_at < datetime.combine(TODAY, time(), UTC) + timedelta(hours=1)
