"""What should the jobs of the task board and the log do? The rulebook row by row in plain Python, over random rows."""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from infra.local.demo.rows import Factory
from tests.factories import Erp

SHANGHAI = ZoneInfo("Asia/Shanghai")
STATUSES = ("NEW", "PENDING", "PROCESSING", "PROCESSING", "SUSPENDED", "COMPLETED", "CLOSED", "CANCELLED")
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Row = Any
TASK = (
    "id task_code title category status project_id creator_id assignee_id progress time_progress expected_start expected_end actual_end "
    "deadline reminder_enabled reminder_before_hours updated_at created_at task_type priority source_type source_id"
)


def rows(db: Connection, table: str) -> list[Row]:
    return list(db.execute(text(f"select * from {table} order by 1")))


def insert_tasks(erp: Erp, now: datetime, tasks: list[dict[str, Any]]) -> None:
    """Tasks by column; what is not given is what the ERP's own default says."""
    default = {
        "category": "NORMAL", "status": "PROCESSING", "progress": 0, "time_progress": 0, "reminder_enabled": True,
        "reminder_before_hours": 24, "updated_at": now - 5 * DAY, "created_at": now - 400 * DAY, "task_type": "MANUAL", "priority": "MEDIUM",
    }
    names = TASK.split()
    Factory(erp.conn, now.date()).insert("erp.work_tasks", TASK, [
        [{**default, "id": n, "task_code": f"TK-{n}", "title": f"任务 {n}", **task}.get(name) for name in names]
        for n, task in enumerate(tasks, 1)])


def people_and_projects(erp: Erp) -> tuple[list[int], list[int | None]]:
    """People, and projects that are alive, over, put away, or none."""
    people = [erp.user() for _ in range(5)]
    projects = [erp.project(), erp.project(), erp.project(status="ST30"), erp.project(is_active=False), erp.project(is_archived=True)]
    return people, [*projects, None, None]


def alive(db: Connection) -> set[int | None]:
    """The projects that jobs look at; a task without a project counts."""
    return {None} | {p.id for p in rows(db, "erp.projects") if p.is_active and not p.is_archived and p.status not in ("ST30", "ST99")}


# ---------------------------------------------------------------- jobs T2, T3, 20
def make_board(erp: Erp, rng: random.Random, now: datetime) -> None:
    people, projects = people_and_projects(erp)
    tasks = []
    for _ in range(500):
        span = timedelta(minutes=rng.choice([0, 1, 100, 1000, 6007, 144000]))
        gone = rng.choice([-0.1, 0.0, 0.5, 0.79, 0.7999, 0.8, 0.81, 0.8999, 0.9, 0.92, 0.9499, 0.95, 0.99, 1.0, 1.3])
        start = now - span * gone
        end = start + span if rng.random() > 0.03 else start - rng.choice([MINUTE, DAY])
        near = rng.choice([-9000, -4321, -4320, -1441, -600, -541, -540, -1, 0, 1, 59, 60, 119, 120, 121, 1439, 1440, 1441, 2880, 2881])
        tasks.append({
            "status": rng.choice(STATUSES), "project_id": rng.choice(projects), "creator_id": rng.choice([None, *people]),
            "assignee_id": rng.choice(people), "progress": rng.choice([0, 50, 78, 79, 80, 85, 89, 90, 91, 94, 95, 96, 99, 100]),
            "time_progress": rng.choice([0, 80, 100]), "expected_start": rng.choice([start] * 9 + [None]),
            "expected_end": rng.choice([end] * 9 + [None]), "deadline": rng.choice([now + near * MINUTE] * 4 + [None]),
            "reminder_enabled": rng.random() > 0.1, "reminder_before_hours": rng.choice([24, 24, 24, 48, 2, 1, 0, -3]),
        })
    insert_tasks(erp, now, tasks)
    for task in rng.sample(range(1, 501), 60):
        for cycle in range(1, rng.randint(2, 4)):
            erp.cycle(task, cycle)


def _percent(task: Row, now: datetime) -> int | None:
    if task.status != "PROCESSING" or task.expected_start is None or task.expected_end is None or task.expected_end < task.expected_start:
        return None
    if now < task.expected_start:
        return 0
    if now >= task.expected_end:
        return 100
    return int((now - task.expected_start) / MINUTE * 100 // ((task.expected_end - task.expected_start) / MINUTE))


def time_progress(db: Connection, now: datetime) -> dict[int, int]:
    """T3: the percentages as they should stand after the run."""
    return {t.id: t.time_progress if (percent := _percent(t, now)) is None else percent for t in rows(db, "erp.work_tasks")}


def warnings(db: Connection, now: datetime) -> dict[int, tuple[str, int, set[str]]]:
    """T2: level, cycle and recipients by task."""
    over: dict[int, int] = {}
    for cycle in rows(db, "belfry.task_cycles"):
        over[cycle.task_id] = max(over.get(cycle.task_id, 0), cycle.cycle_no)
    found, live = {}, alive(db)
    for task in rows(db, "erp.work_tasks"):
        percent = _percent(task, now)
        if percent is None or task.project_id not in live:
            continue
        if percent == 100 and task.progress < 100:
            level = "URGENT"
        elif percent >= 95 and task.progress < 95:
            level = "CRITICAL"
        elif percent >= 90 and task.progress < 90:
            level = "WARNING"
        elif percent >= 80 and task.progress < 80:
            level = "INFO"
        else:
            continue
        told = {f"USER:{task.assignee_id}"}
        if level in ("CRITICAL", "URGENT") and task.creator_id:
            told.add(f"USER:{task.creator_id}")
        found[task.id] = (level, over.get(task.id, 0) + 1, told)
    return found


def reminders(db: Connection, now: datetime) -> dict[int, tuple[str, str, set[str]]]:
    """Job 20 at a time of day from eight on: tier, severity and recipients by task."""
    found, live = {}, alive(db)
    for task in rows(db, "erp.work_tasks"):
        if task.status not in ("NEW", "PENDING", "PROCESSING") or task.deadline is None or task.project_id not in live:
            continue
        if not task.reminder_enabled or task.reminder_before_hours < 0:
            continue
        hours = (task.deadline - now) / HOUR
        told = {f"USER:{task.assignee_id}"}
        if hours <= 0:
            if hours < -72 and task.creator_id:
                told.add(f"USER:{task.creator_id}")
            found[task.id] = (f"OVER-{now.astimezone(SHANGHAI).date()}", "WARNING", told)
        elif hours <= task.reminder_before_hours:
            found[task.id] = ("H2", "WARNING", told) if hours <= 2 else (f"H{task.reminder_before_hours}", "INFO", told)
    return found


# ---------------------------------------------------------------- job T1
def make_periodic(erp: Erp, rng: random.Random, now: datetime) -> None:
    people, _ = people_and_projects(erp)
    tasks = []
    for _ in range(400):
        start = now - timedelta(hours=rng.choice([0, 23, 24, 25, 167, 168, 169, 335, 336, 337, 24 * 31, 24 * 59, 24 * 365, 24 * 800, -48]))
        start -= timedelta(days=rng.randint(0, 40)) if rng.random() < 0.5 else timedelta()
        end = start + timedelta(hours=rng.choice([1, 24, 100])) if rng.random() > 0.1 else start - DAY
        tasks.append({
            "category": rng.choice(["PERIODIC", "PERIODIC", "PERIODIC", "NORMAL"]), "status": rng.choice([*STATUSES, "COMPLETED", "COMPLETED"]),
            "assignee_id": rng.choice(people), "progress": rng.choice([0, 40, 100]), "expected_start": rng.choice([start] * 5 + [None]),
            "expected_end": rng.choice([end] * 5 + [None]), "actual_end": rng.choice([None, start + HOUR]), "updated_at": start + 2 * HOUR,
            "deadline": rng.choice([None, start + 5 * HOUR]),
        })
    insert_tasks(erp, now, tasks)
    for task in rng.sample(range(1, 401), 250):
        frequency = rng.choice([*FREQUENCIES, None])
        missed = rng.choice([0, 0, 2])
        erp.recurrence(
            task, frequency=frequency, every=rng.choice([1, 1, 2, 3]),
            day=rng.choice([None, None, 1, 3, 7, 31]), month=rng.choice([None, 2, 11]), at_time=rng.choice([None, None, time(1, 30), time(9)]),
            end_date=rng.choice([None, None, None, *(now.date() + n * DAY for n in (-2, -1, 0, 1))]),
            is_active=rng.choice([True, True, True, None, False]), missed_count=missed,
            missed_at=now - 400 * DAY if missed else None,
        )
    for task in rng.sample(range(1, 401), 40):
        erp.cycle(task, 1)


def _last_day(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _occurs(frequency: str, every: int, first: date, wanted: int, month: int, day: date) -> bool:
    """Whether something that began on a day happens on another, told by looking at that day alone."""
    if frequency == "DAILY":
        return (day - first).days % every == 0
    if frequency == "WEEKLY":
        monday = first - timedelta(days=first.weekday())
        return day.isoweekday() == wanted and (day - monday).days // 7 % every == 0
    on_the_day = day.day == min(wanted, _last_day(day))
    if frequency == "MONTHLY":
        return on_the_day and ((day.year - first.year) * 12 + day.month - first.month) % every == 0
    return on_the_day and day.month == month and (day.year - first.year) % every == 0


def _days(since: date, until: date) -> Iterator[date]:
    return (since + timedelta(days=n) for n in range((until - since).days + 1))


def periodic(db: Connection, now: datetime, default: str = "WEEKLY") -> dict[int, tuple[Any, ...]]:
    """T1, of every task: status, progress, plan and deadline, cycles kept, and its recurrence's memory."""
    told = {r.task_id: r for r in rows(db, "belfry.task_recurrence")}
    cycles = rows(db, "belfry.task_cycles")
    local, today = now.astimezone(SHANGHAI).replace(tzinfo=None), now.astimezone(SHANGHAI).date()
    found = {}
    for task in rows(db, "erp.work_tasks"):
        r = told.get(task.id)
        kept = sum(cycle.task_id == task.id for cycle in cycles)
        memory = (r.missed_count, r.missed_at, r.is_active) if r else None
        after = (task.status, task.progress, task.expected_start, task.expected_end, task.deadline, kept, memory)
        found[task.id] = after
        active = r.is_active if r else None
        if task.status in ("SUSPENDED", "CANCELLED") or not (task.category == "PERIODIC" if active is None else active):
            continue
        if task.status == "CLOSED" and active is not True:
            continue
        frequency, every = (r and r.frequency) or default, r.every if r else 1
        if frequency == "WEEKLY" and r and (r.day or 1) > 7:
            continue
        anchor = task.expected_start or task.actual_end or task.updated_at
        start = anchor.astimezone(SHANGHAI).replace(tzinfo=None)
        wanted = (r and r.day) or (start.isoweekday() if frequency == "WEEKLY" else start.day)
        month, clock = (r and r.month) or start.month, (r and r.at_time) or start.time()
        happened = [o for day in _days(start.date(), today) if _occurs(frequency, every, start.date(), wanted, month, day)
                    and start < (o := datetime.combine(day, clock)) <= local]
        latest, end = happened[-1] if happened else None, r.end_date if r else None
        if latest and end and (latest.date() > end or today > end + DAY):
            latest = None
        memory = memory or (0, None, None)
        if latest and task.status in ("COMPLETED", "CLOSED"):
            begins = latest.replace(tzinfo=SHANGHAI)
            whole = task.expected_start and task.expected_end and task.expected_end - task.expected_start
            until = begins + (whole if whole and whole > timedelta() else 7 * DAY)
            if task.expected_start is None and task.expected_end and task.expected_end > anchor:
                until = begins + 7 * DAY
            memory = (0, None, memory[2])
            after = ("NEW", 0, begins, until, task.deadline and task.deadline + (begins - anchor), kept + 1, None)
        elif latest and memory[1] != latest.replace(tzinfo=SHANGHAI):
            memory = (memory[0] + 1, latest.replace(tzinfo=SHANGHAI), memory[2])
            after = (*after[:6], None)
        if end and today > end:
            memory = (*memory[:2], False)
        found[task.id] = (*after[:6], memory if r or memory != (0, None, None) else None)
    return found


# ---------------------------------------------------------------- job 25
def make_duties(erp: Erp, rng: random.Random, day: date) -> None:
    positions, departments = [erp.position() for _ in range(6)], [erp.department() for _ in range(3)]
    for _ in range(60):
        erp.user(position_id=rng.choice([None, *positions[:5]]), department_id=rng.choice([None, *departments]), is_active=rng.random() > 0.15)
    for _ in range(200):
        ahead = day + timedelta(days=rng.choice([-1, 0, 1, 2, 3, 4, 7, 30, 200]))
        erp.duty(
            position_id=rng.choice([None, *positions]), department_id=rng.choice([None, None, *departments]), frequency=rng.choice(FREQUENCIES),
            day_of_week=rng.choice([ahead.isoweekday()] * 9 + [None]), day_of_month=rng.choice([ahead.day] * 6 + [30, 31, None]),
            month_of_year=rng.choice([ahead.month] * 9 + [None]), generate_before_days=rng.choice([0, 1, 3, 3, 7, 30, 366, -1, 400]),
            skip_rest_days=rng.random() < 0.5, deadline_offset_days=rng.choice([0, 0, 2]), is_active=rng.random() > 0.1,
            auto_generate=rng.random() > 0.1,
        )


def duties(db: Connection, day: date) -> set[tuple[int, int, date, datetime]]:
    """Job 25: template, person, day and deadline of every task."""
    known = {row.day: row.is_workday for row in rows(db, "belfry.biz_calendar")}
    people, found = [u for u in rows(db, "erp.users") if u.is_active], set()

    def moved(to: date) -> date:
        while not known.get(to, to.isoweekday() < 6):
            to += DAY
        return to

    for duty in rows(db, "erp.job_duty_templates"):
        wanted = duty.day_of_week if duty.frequency == "WEEKLY" else duty.day_of_month
        lacks = (duty.frequency != "DAILY" and wanted is None) or (duty.frequency == "YEARLY" and duty.month_of_year is None)
        if lacks or not (duty.is_active and duty.auto_generate) or not 0 <= duty.generate_before_days <= 366:
            continue
        first = date(2000, 1, 1) if duty.frequency != "WEEKLY" else date(2000, 1, 3)
        raw = (d for d in _days(day - 40 * DAY, day + 400 * DAY) if _occurs(duty.frequency, 1, first, wanted, duty.month_of_year, d))
        plan = next(on for d in raw if (on := moved(d) if duty.skip_rest_days else d) >= day)
        if plan - timedelta(days=duty.generate_before_days) > day:
            continue
        due = datetime.combine(plan + timedelta(days=duty.deadline_offset_days), time(18), SHANGHAI)
        found |= {
            (duty.id, u.id, plan, due) for u in people
            if duty.position_id is not None and u.position_id == duty.position_id
            and duty.department_id in (None, u.department_id)}
    return found


# ---------------------------------------------------------------- jobs T4, W3
def make_old(erp: Erp, rng: random.Random, now: datetime) -> None:
    people, _ = people_and_projects(erp)
    insert_tasks(erp, now, [{
        "status": rng.choice(STATUSES), "category": rng.choice(["NORMAL", "PERIODIC"]), "assignee_id": rng.choice(people),
        "updated_at": now - 90 * DAY - rng.choice([-40 * DAY, -MINUTE, timedelta(), MINUTE, 300 * DAY]),
        "source_type": rng.choice([None, None, "WORK_TASK", "ISSUE"]), "source_id": rng.randint(1, 400),
    } for _ in range(400)])
    for task in rng.sample(range(1, 401), 120):
        erp.recurrence(task, is_active=rng.choice([True, False, None]))
    erp.conn.execute(text("""
        insert into belfry.alert_records (alert_no, rule_id, dedupe_key, target_type, target_id, base_level, alert_level, status, triggered_at,
          level_changed_at)
        select 'A-' || n, (select id from belfry.alert_rules where rule_code = 'TASK_PROGRESS_WARNING'), 'k' || n, k.t, k.id, 'INFO', 'INFO', k.s,
               cast(:now as timestamptz), cast(:now as timestamptz)
        from jsonb_to_recordset(cast(:alerts as jsonb)) k (n int, t text, id bigint, s text)"""), {
        "now": now, "alerts": _json([
            {"n": n, "t": rng.choice(["WORK_TASK", "ISSUE"]), "id": rng.randint(1, 400),
             "s": rng.choice(["PENDING", "ACKNOWLEDGED", "PROCESSING", "RESOLVED", "IGNORED", "CLOSED"])} for n in range(100)])})


def _json(value: Any) -> str:
    import json

    return json.dumps(value)


def archived(db: Connection, now: datetime) -> set[int]:
    """T4: the tasks that go."""
    tasks = rows(db, "erp.work_tasks")
    busy = {t.source_id for t in tasks if t.source_type == "WORK_TASK" and t.status not in ("COMPLETED", "CLOSED", "CANCELLED")}
    spoken_of = {a.target_id for a in rows(db, "belfry.alert_records")
                 if a.target_type == "WORK_TASK" and a.status in ("PENDING", "ACKNOWLEDGED", "PROCESSING")}
    recurs = {r.task_id for r in rows(db, "belfry.task_recurrence") if r.is_active}
    return {t.id for t in tasks if t.status in ("CLOSED", "CANCELLED") and t.updated_at < now - 90 * DAY} - busy - spoken_of - recurs


def make_log(erp: Erp, rng: random.Random, now: datetime) -> dict[str, date]:
    """A log of two years in months of its own, but for some that nobody made; each partition's end."""
    first, ends = date(2024, 6, 1), {}
    while first < now.date():
        following = (first + 31 * DAY).replace(day=1)
        if rng.random() > 0.2:
            name = f"system_logs_{first:%Y_%m}"
            erp.conn.execute(text(f"""create table erp.{name} partition of erp.system_logs
                for values from ('{first} 00:00+08') to ('{following} 00:00+08')"""))
            ends[name] = following
        first = following
    Factory(erp.conn, now.date()).insert("erp.system_logs", "at level message", [
        (now - rng.choice([rng.random() * 600 * DAY, 90 * DAY, 90 * DAY + MINUTE, 90 * DAY - MINUTE]), "INFO", "x") for _ in range(500)])
    return ends


def kept_lines(db: Connection, now: datetime) -> set[int]:
    """W3: the lines that stay."""
    return {line.id for line in rows(db, "erp.system_logs") if line.at >= now - 90 * DAY}


def kept_partitions(ends: dict[str, date], now: datetime) -> set[str]:
    """W3: the months that stay."""
    cut_off = (now - 90 * DAY).astimezone(SHANGHAI)
    return {name for name, end in ends.items() if datetime.combine(end, time(), SHANGHAI) > cut_off}
