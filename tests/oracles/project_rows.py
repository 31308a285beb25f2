"""Which random projects do the oracles of health and milestones judge? Every status, dates around each threshold."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

from infra.local.demo.rows import SHANGHAI, Factory
from tests.factories import Erp
from tests.oracles.reading import LEVELS, days_near

STATUSES = ["ST08"] * 12 + ["ST01", "ST14", "ST19", "ST22", "ST26", "ST30", "ST30", "ST99"]


def generate(erp: Erp, rng: random.Random, day: date) -> None:
    """Ninety projects with what belongs to them; most have little, so that every colour is there."""
    factory = Factory(erp.conn, day)
    people = [*(erp.user(is_active=n > 0) for n in range(6)), None]
    erp.role("PMO", users=[erp.user()])
    numbers = range(1, 91)

    def near(low: int, high: int, none: float = 0.0) -> date | None:
        return days_near(rng, day, low, high, none)

    plans = []
    for _ in numbers:
        start = near(-100, 5, none=0.1)
        end = near(-3, 12, none=0.1) if rng.random() < 0.3 else near(20, 100, none=0.1)
        if start and end and rng.random() < 0.4:  # as far behind as the threshold, or a day more or less
            end = start + timedelta(days=100)
        planned = 50 if start is None or end is None or end <= start else max(0, min(100, (day - start).days * 100 // (end - start).days))
        behind = rng.choice((-20, 0, 5, 9, 10, 11, 24, 25, 26, 60))
        plans.append((start, end, 130 if rng.random() < 0.05 else max(0, min(100, planned - behind))))
    factory.insert(
        "erp.projects",
        "id project_code project_name status health progress_pct planned_start_date planned_end_date budget_amount actual_cost "
        "pm_id is_active is_archived",
        [(n, f"PJ-{n:02}", f"产线{n}", rng.choice(STATUSES), rng.choice(("H1", "H1", "H2", "H3", "H4" if rng.random() < 0.2 else "H1")),
          progress, start, end, rng.choice((None, 0, 1000, 1000, 3000)), rng.choice((None, 0, 900, 1200)), rng.choice(people),
          rng.random() > 0.1, rng.random() < 0.08) for n, (start, end, progress) in zip(numbers, plans, strict=True)],
    )  # fmt: skip
    busy = rng.sample(numbers, 60)  # the others have nothing
    factory.insert(
        "erp.project_milestones",
        "id project_id milestone_code milestone_name planned_date actual_date status is_key reminder_days owner_id",
        [(n, rng.choice(busy), f"MS-{n}", f"节点{n}", near(-17, 16) if rng.random() < 0.5 else near(2, 16), near(-9, 5, none=0.85),
          rng.choice(("PENDING", "PENDING", "IN_PROGRESS", "DELAYED", "COMPLETED", "COMPLETED", "CANCELLED")), rng.random() < 0.4,
          rng.choice((None, None, None, 0, 1, 7, 14, -1)), rng.choice(people)) for n in range(1, 251)],
    )  # fmt: skip
    factory.insert(
        "erp.project_tasks", "id project_id task_name status",
        [(n, rng.choice(busy), f"任务{n}", "BLOCKED" if rng.random() < 0.08 else rng.choice(("TODO", "IN_PROGRESS", "DONE", "CANCELLED")))
         for n in range(1, 201)],
    )  # fmt: skip
    began = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) - timedelta(days=9)
    factory.insert(
        "erp.issues", "id issue_no title issue_type severity priority status project_id is_blocking created_at",
        [(n, f"IS-{n}", "问题", "BLOCKER" if rng.random() < 0.1 else "DEFECT", "MINOR", rng.choice(("LOW", "MEDIUM", "MEDIUM", "HIGH", "URGENT")),
          rng.choice(("OPEN", "PROCESSING", "RESOLVED", "CLOSED", "DEFERRED")), rng.choice([*busy, None]), rng.random() < 0.1, began)
         for n in range(1, 121)],
    )  # fmt: skip
    rules = {row.rule_code: row.id for row in erp.conn.exec_driver_sql("select id, rule_code from belfry.alert_rules")}
    codes = ["MATERIAL_SHORTAGE", "KIT_RATE_LOW", "DELIVERY_DELAY", "TASK_DELAY", "COST_OVERRUN"]
    alerts = []
    for n in range(1, 241):
        base = rng.randrange(4)
        status = rng.choice(("PENDING", "PENDING", "ACKNOWLEDGED", "PROCESSING", "RESOLVED", "IGNORED", "EXPIRED", "CLOSED"))
        project = rng.choice(busy[:40]) if n <= 140 else busy[0]  # one has more than twenty
        alerts.append((
            n, f"AL-{n}", rules[rng.choice(codes)], f"key-{n}", "X", n, f"NO-{n}", rng.choice((None, f"名称{n}")), project,
            LEVELS[base], LEVELS[rng.randint(base, 3)], status, began, began,
        ))  # fmt: skip
    factory.insert(
        "belfry.alert_records",
        "id alert_no rule_id dedupe_key target_type target_id target_no target_name project_id base_level alert_level status "
        "triggered_at level_changed_at", [(*row[:8], row[8], *row[9:]) for row in alerts],
    )  # fmt: skip
    _figures(factory, rng, [*busy], people, began)


def _figures(factory: Factory, rng: random.Random, projects: list[int], people: list[int | None], began: datetime) -> None:
    """Costs, bookings, kit checks and earlier records of the projects."""
    day = factory.day
    factory.insert(
        "erp.project_costs", "project_id cost_type amount cost_date",
        [(rng.choice(projects[::2]), "MATERIAL", rng.choice((899, 900, 1000, 1200, 1199, -100)), day) for _ in range(60)],
    )
    factory.insert(
        "erp.resource_allocations", "user_id project_id start_date end_date allocation_percent status",
        [(rng.choice([p for p in people if p]), rng.choice([*projects, None]), days_near(rng, day, -20, 3), days_near(rng, day, -2, 20),
          rng.choice((10, 30, 50, 55)), rng.choice(("PLANNED", "CONFIRMED", "COMPLETED", "CANCELLED"))) for _ in range(60)],
    )  # fmt: skip
    factory.insert(
        "erp.work_orders", "id work_order_no task_name project_id status plan_start_date",
        [(n, f"WO-{n}", "装配", rng.choice([*projects, None]), rng.choice(("PENDING", "STARTED", "PAUSED", "COMPLETED", "CANCELLED")), day)
         for n in range(1, 121)],
    )
    checks = []
    for n in range(300):
        total = rng.choice((0, 3, 4, 7))
        done = rng.randint(0, total)
        rate = None if total == 0 else round(100 * done / total, 2)
        status = "NO_BOM" if total == 0 else "COMPLETE" if done == total else "SHORTAGE"
        when = began + timedelta(days=rng.randint(0, 8), minutes=n)
        checks.append((rng.randint(1, 120), when.date(), when, "MANUAL", total, done, 0, total - done, rate, status))
    factory.insert(
        "belfry.kit_checks",
        "work_order_id check_date check_time method total_items fulfilled_items in_transit_items shortage_items kit_rate kit_status",
        checks,
    )
    factory.insert(
        "belfry.project_health_snapshots", "project_id snapshot_date overall_health health_score open_alerts blocking_issues milestone_delayed",
        [(n, day - timedelta(days=back), colour, None if colour == "H4" else rng.choice((100, 90, 75, 60)), 0, 0, 0)
         for n in range(1, 91) for back in (1, 7) for colour in [rng.choice(("H1", "H2", "H4"))] if rng.random() < 0.8],
    )  # fmt: skip
