"""Which alerts are open this morning already? The ones whose age decides: escalation, acknowledgement, mute, flapping, leftovers."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from infra.local.demo.issues import ISSUE
from infra.local.demo.milestones import MILESTONE
from infra.local.demo.people import USER
from infra.local.demo.rows import Factory
from shared.cronfile.loading import load
from shared.erp import issues, milestones

CRON = Path(__file__).parents[3] / "cron.yaml"
# The first escalation run of the day is at 00:10. Ages are hours before it: "24w" counts hours of workdays (08:00-20:00) only.
# rule, target, status, level since, the status's own clock (acknowledged, started, resolved), escalations so far
OPEN = (
    ("MILESTONE_DUE", "长周期件到货", "PENDING", "24:00w", None, 0), ("MILESTONE_DUE", "控制软件冻结", "PENDING", "23:59w", None, 0),
    ("MILESTONE_DUE", "客户派驻培训", "PENDING", "8:00w", None, 0), ("MILESTONE_DUE", "厂房基础交付", "PENDING", "7:59w", None, 0),
    ("MILESTONE_DUE", "电网增容", "ACKNOWLEDGED", "24:00w", "15:59w", 0), ("MILESTONE_DUE", "运输方案确认", "ACKNOWLEDGED", "24:00w", "16:00w", 0),
    ("MILESTONE_DUE", "设备装箱", "PENDING", "3:59", None, 0), ("ISSUE_OVERDUE", "操作手册缺英文版", "PENDING", "4:00", None, 0),
    ("MILESTONE_DUE", "整线联调", "PENDING", "2:00", None, 0), ("BLOCKING_ISSUE", "机器人控制柜故障", "PENDING", "4:00", None, 2),
    ("ISSUE_OVERDUE", "急停回路接线不规范", "PROCESSING", "30:00w", "23:59w", 0), ("ISSUE_OVERDUE", "机架喷涂色差", "PROCESSING", "30:00w", "24:01w", 0),
    ("ISSUE_OVERDUE", "螺栓扭矩未记录", "IGNORED", "20:00", None, 0), ("ISSUE_OVERDUE", "门限位开关损坏", "IGNORED", "40:00", None, 0),
    ("ISSUE_OVERDUE", "标签打印偏移", "RESOLVED", "30:00", "9:00", 0),
)
# Open alerts whose target is well again or gone: id, name, what the first scan makes of them.
LEFT_OVER = ((ISSUE["触摸屏死机"], "触摸屏死机（已关闭：RESOLVED）"), (9999, "已从系统中删除的问题（对象不存在：EXPIRED）"))
IGNORED_AS_INFO = "门限位开关损坏"
COLUMNS = (
    "id alert_no rule_id dedupe_key target_type target_id target_no target_name project_id base_level alert_level facts "
    "recipients trigger_value threshold_value status triggered_at level_changed_at acknowledged_by acknowledged_at "
    "handler_id handle_start_at resolved_at handle_result escalation_count escalated_at mute_until version"
)


def populate(factory: Factory) -> None:
    """What the jobs would say of these targets, with ages of our own; each with its event, none with a notification yet."""
    rules = {row.rule_code: row for row in factory.connection.execute(text("select * from belfry.alert_rules"))}
    said = _violations(factory)
    rows = []
    for rule, name, status, since, clock, escalations in OPEN:
        violation = said[rule, (ISSUE | MILESTONE)[name]]
        if name == IGNORED_AS_INFO:
            violation |= {"level": "INFO"}
        rows.append(_record(factory, rules[rule], violation, status, since, clock, escalations))
    for target, name in LEFT_OVER:
        violation = said["ISSUE_OVERDUE", ISSUE["急停回路接线不规范"]] | {"target_id": target, "target_no": f"IS-{target:04}", "target_name": name}
        rows.append(_record(factory, rules["ISSUE_OVERDUE"], violation, "PENDING", "26:00", None, 0))
    numbered = [
        (number, f"AL-{row[14]:%Y%m%d}-{number:06}", *row) for number, row in enumerate(rows, 1)
    ]
    factory.insert("belfry.alert_records", COLUMNS, numbered)
    factory.connection.execute(text("select setval('belfry.alert_no_seq', :last)"), {"last": len(rows)})
    factory.insert(
        "belfry.alert_events", "alert_id event to_level to_status at",
        [(row[0], "CREATED", row[9], "PENDING", row[16]) for row in numbered],
    )


def _violations(factory: Factory) -> dict[tuple[str, int], dict[str, Any]]:
    """The jobs' own answers for the day, by rule and target."""
    jobs = load(CRON).jobs
    overdue, near, blocking = (jobs[f"check_{name}"].params for name in ("overdue_issues", "milestone_alerts", "blocking_issues"))
    statements = {
        "ISSUE_OVERDUE": issues.past_due(factory.day, overdue["warning_days"], overdue["critical_days"]),
        "MILESTONE_DUE": milestones.near_or_overdue(factory.day, near["before_days"], near["urgent_after_days"]),
        "BLOCKING_ISSUE": issues.blocking(factory.instant(0, "00:05"), blocking["critical_hours"], blocking["urgent_hours"]),
    }
    return {
        (rule, row["target_id"]): dict(row)
        for rule, statement in statements.items() for row in factory.connection.execute(statement).mappings()
    }


def _record(
    factory: Factory, rule: Any, violation: dict[str, Any], status: str, since: str, clock: str | None, escalations: int,
) -> tuple[object, ...]:
    level, changed = violation["level"], _ago(factory, since)
    at = _ago(factory, clock) if clock else None
    handler = USER["gaoxiang"] if status in ("ACKNOWLEDGED", "PROCESSING", "IGNORED") else None
    return (
        rule.id, f"{rule.rule_code}|{rule.target_type}|{violation['target_id']}", rule.target_type, violation["target_id"],
        violation["target_no"], violation["target_name"], violation["project_id"], level, level, violation["facts"],
        violation["recipients"], violation["trigger_value"], violation["threshold_value"], status, changed, changed,
        handler if status == "ACKNOWLEDGED" else None, at if status == "ACKNOWLEDGED" else None, handler,
        at if status == "PROCESSING" else None, at if status == "RESOLVED" else None, "AUTO" if status == "RESOLVED" else None,
        escalations, changed if escalations else None, changed + timedelta(days=7) if status == "IGNORED" else None, 1,
    )


def _works(factory: Factory, day: date) -> bool:
    answer: bool = factory.connection.execute(text("select belfry.is_workday(:day)"), {"day": day}).scalar_one()
    return answer


def _ago(factory: Factory, age: str) -> datetime:
    """So many hours before 00:10 of the day; with a "w" only the working hours of workdays count."""
    hours, minutes = map(int, re.findall(r"\d+", age))
    left = timedelta(hours=hours, minutes=minutes)
    if not age.endswith("w"):
        return factory.instant(0, "00:10") - left
    back = 1
    while True:
        day = factory.instant(-back, "08:00")
        if _works(factory, day.date()):
            if left <= timedelta(hours=12):
                return factory.instant(-back, "20:00") - left
            left -= timedelta(hours=12)
        back += 1
