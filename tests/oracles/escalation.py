"""Which alerts climb a step now, and whom is that told? Rulebook 31 alert by alert, over random alerts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from infra.local.demo.rows import Factory
from tests.factories import Erp
from tests.oracles.reading import LEVELS, Row, Rows

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR = timedelta(hours=1)
LIMIT = {"INFO": 24, "WARNING": 8, "CRITICAL": 4, "URGENT": 2}
STRETCH = {"PENDING": 1, "ACKNOWLEDGED": 2, "PROCESSING": 3}


def generate(erp: Erp, rng: random.Random, now: datetime) -> None:
    """Three hundred alerts in every state, old enough for their step, or a minute too young."""
    factory = Factory(erp.conn, now.date())
    bosses = [erp.user(), erp.user(is_active=False), None]
    departments = [*(erp.department(manager_user_id=boss) for boss in bosses), None]
    people = [
        erp.user(manager_id=boss, department_id=department, is_active=rng.random() > 0.15)
        for boss in (*bosses, None) for department in departments
    ]  # fmt: skip
    for code in ("PMO", "GM", "PROC"):
        erp.role(code, users=rng.sample(people, 2) if code != "GM" else [])
    projects = [*(erp.project(pm_id=person) for person in (*people[:3], None)), None]
    erp.conn.exec_driver_sql("update belfry.alert_rules set is_enabled = false where rule_code = 'KIT_NO_BOM'")
    erp.conn.exec_driver_sql(f"update belfry.alert_rules set notify_user_ids = '{{{people[1]}}}' where rule_code = 'COST_OVERRUN'")
    rules = erp.conn.exec_driver_sql("select id, rule_code from belfry.alert_rules order by id").all()

    def ago(hours: float) -> datetime:
        return now - timedelta(hours=hours) + timedelta(minutes=rng.choice((-1, 0, 0, 1)))

    alerts, events = [], []
    for n in range(1, 301):
        level, status = rng.choice(LEVELS), rng.choice([*STRETCH] * 3 + ["RESOLVED", "IGNORED", "EXPIRED", "CLOSED"])
        since = ago(rng.choice((1, 2, 4, 6, 8, 12, 24, 29, 48, 72, 200, 800)))
        taken = ago(rng.choice((1, 4, 8, 12, 16, 24, 60)))
        escalated = rng.choice((None, since, ago(rng.choice((1, 2, 4, 8, 12, 30)))))
        whom = rng.sample([*(f"USER:{p}" for p in people), *(f"MGR:{p}" for p in people[:5]), "ROLE:PROC", "ROLE:NOBODY"], rng.randint(0, 3))
        alerts.append((
            n, f"AL-{n}", rng.choice(rules).id, f"key-{n}", "X", n, f"NO-{n}", rng.choice(projects), rng.choice(LEVELS[: LEVELS.index(level) + 1]), level,
            status, since, since, taken if status == "ACKNOWLEDGED" else None,
            taken if status == "PROCESSING" and rng.random() < 0.8 else None, escalated, rng.choice((None, None, rng.choice(people))),
            whom, rng.choice((None, None, None, None, now + HOUR, now - HOUR, now)), 0,
        ))  # fmt: skip
        if level == "URGENT":
            hours = rng.sample(range(1, 30), rng.choice((0, 3, 7, 15)))
            events += [(n, "ESCALATED", "URGENT", "URGENT", ago(h)) for h in hours]
    factory.insert(
        "belfry.alert_records",
        "id alert_no rule_id dedupe_key target_type target_id target_no project_id base_level alert_level status triggered_at level_changed_at "
        "acknowledged_at handle_start_at escalated_at handler_id recipients mute_until escalation_count", alerts,
    )  # fmt: skip
    factory.insert("belfry.alert_events", "alert_id event from_level to_level at", events)


@dataclass(frozen=True)
class Step:
    level: str
    level_changed_at: datetime
    count: int
    escalated_to: int | None
    told: frozenset[str]


def steps(db: Connection, now: datetime) -> dict[int, Step]:
    """What happens to each alert at that moment; alerts that stay as they are are missing."""
    rows = Rows(db)
    rules = {rule.id: rule for rule in rows.alert_rules}
    return {
        alert.id: _step(rows, alert, rules[alert.rule_id], now)
        for alert in rows.alert_records if _is_due(rows, alert, rules[alert.rule_id], now)
    }  # fmt: skip


def _is_due(rows: Rows, alert: Row, rule: Row, now: datetime) -> bool:
    if alert.status not in STRETCH or not rule.is_enabled or not rule.escalates:
        return False
    if alert.mute_until is not None and alert.mute_until > now:
        return False
    marks, hours = [alert.level_changed_at], LIMIT[alert.alert_level]
    if alert.status == "ACKNOWLEDGED":
        marks.append(alert.acknowledged_at)
    if alert.status == "PROCESSING":
        marks.append(alert.handle_start_at)
    if alert.alert_level == "URGENT":
        if alert.escalated_at is not None and alert.escalated_at > alert.level_changed_at:
            hours = 4  # told again already
        marks.append(alert.escalated_at)
        today = now.astimezone(SHANGHAI).date()
        repeats = [
            e for e in rows.alert_events
            if e.alert_id == alert.id and e.event == "ESCALATED" and e.from_level == "URGENT" and e.at.astimezone(SHANGHAI).date() == today
        ]
        if len(repeats) >= 6:
            return False
    clock = max(mark for mark in marks if mark is not None)
    passed = _working(rows, clock, now) if alert.alert_level in ("INFO", "WARNING") else now - clock
    return passed >= hours * STRETCH[alert.status] * HOUR


def _working(rows: Rows, start: datetime, end: datetime) -> timedelta:
    """The time between 08:00 and 20:00 of workdays."""
    said = {row.day: row.is_workday for row in rows.biz_calendar}
    day, total = start.astimezone(SHANGHAI).date(), timedelta()
    while day <= end.astimezone(SHANGHAI).date():
        if said.get(day, day.isoweekday() <= 5):
            opens, closes = (datetime.combine(day, time(hour), SHANGHAI) for hour in (8, 20))
            total += max(timedelta(), min(end, closes) - max(start, opens))
        day += timedelta(days=1)
    return total


def _step(rows: Rows, alert: Row, rule: Row, now: datetime) -> Step:
    users = {user.id: user for user in rows.users}
    heads = {department.id: department.manager_user_id for department in rows.departments}
    level = LEVELS[min(3, LEVELS.index(alert.alert_level) + 1)]

    def active(user: int | None) -> int | None:
        return user if user in users and users[user].is_active else None

    everybody = [*alert.recipients, *(f"USER:{u}" for u in rule.notify_user_ids), *(f"ROLE:{r}" for r in rule.notify_roles)]
    handler = active(alert.handler_id) or next((p for token in everybody for p in people(rows, token) if active(p)), None)
    boss = active(users[handler].manager_id or heads.get(users[handler].department_id)) if handler else None
    head = active(heads.get(users[handler].department_id)) if handler else None
    manager = next((p.pm_id for p in rows.projects if p.id == alert.project_id), None)

    told = {f"USER:{handler}"} if handler else set(everybody)
    to: Any = handler
    if level in ("CRITICAL", "URGENT"):
        told |= {f"USER:{boss}" if boss else "ROLE:GM"} | ({f"USER:{manager}"} if manager else set())
        to = boss or handler
    if level == "URGENT":
        told |= {"ROLE:PMO"} | ({f"USER:{head}"} if head else set())
        to = head or boss or handler
    if alert.alert_level == "URGENT":
        told |= {"ROLE:GM"}
    changed = alert.level_changed_at if level == alert.alert_level else now
    return Step(level, changed, alert.escalation_count + 1, to, frozenset(told))


def people(rows: Rows, token: str) -> list[int | None]:
    """Everybody whom a token means, active or not."""
    kind, _, whom = token.partition(":")
    if kind == "ROLE":
        role = next((role.id for role in rows.roles if role.role_code == whom and role.is_active), None)
        return sorted(one.user_id for one in rows.user_roles if one.role_id == role)
    user = next((user for user in rows.users if user.id == int(whom)), None)
    if kind == "USER" or user is None:
        return [user and user.id]
    heads = {department.id: department.manager_user_id for department in rows.departments}
    return [user.manager_id or heads.get(user.department_id)]
