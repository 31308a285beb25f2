"""Which random people, wishes, alerts, messages and deliveries does the oracle of telling look at?"""

from __future__ import annotations

import random
from datetime import datetime, time, timedelta
from typing import Any

from infra.local.demo.rows import Factory
from tests.factories import Erp
from tests.oracles.reading import LEVELS

QUIET = [
    (None, None), (None, None), (time(22), time(8)), (time(8), time(9, 15)), (time(9, 15), time(10)), (time(9, 16), time(9, 15)),
    (time(9), time(9)), (time(1), time(12)),
]  # fmt: skip
STATES = ("queued", "retry_wait", "uncertain", "sent", "delivered", "suppressed", "dead", "dead", "expired", "cancelled")


def generate(erp: Erp, rng: random.Random, now: datetime) -> None:
    """Twenty people with their wishes, two hundred alerts, half of them told, and the deliveries of four hundred messages."""
    factory = Factory(erp.conn, now.date())
    people = [
        erp.user(is_active=n not in (4, 9, 13), wechat_userid=rng.choice((None, f"w{n}")), phone=rng.choice((None, f"138{n}")),
                 **({"email": None} if rng.random() < 0.2 else {}))
        for n in range(20)
    ]  # fmt: skip
    for code in ("SYS_ADMIN", "PMO", "PROC"):
        erp.role(code, users=rng.sample(people, 3))
    projects = [erp.project(), erp.project(), None]
    factory.insert(
        "belfry.notification_settings",
        "user_id system_enabled email_enabled wechat_enabled sms_enabled quiet_start quiet_end time_zone min_level critical_bypass version",
        [(person, rng.random() > 0.3, rng.random() > 0.3, True, rng.random() > 0.5, *QUIET[n % 8], rng.choice(("Asia/Shanghai", "Europe/Berlin")),
          rng.choice(("INFO", "INFO", "WARNING", "CRITICAL", "URGENT")), rng.random() < 0.5, 1) for n, person in enumerate(people[:15])],
    )  # fmt: skip
    wanted = {
        (rng.choice(people), rng.choice((None, "QUALITY_ISSUE", "MATERIAL_SHORTAGE")), rng.choice(projects)) for _ in range(12)
    }
    factory.insert(
        "belfry.alert_subscriptions", "user_id rule_type project_id min_level channels is_active",
        [(*one, rng.choice(LEVELS), rng.choice((["system"], ["email"], ["system", "email", "sms"])), rng.random() > 0.2)
         for one in sorted(wanted, key=str)],
    )  # fmt: skip
    erp.conn.exec_driver_sql("update belfry.alert_rules set is_enabled = false where rule_code = 'KIT_NO_BOM'")
    erp.conn.exec_driver_sql("update belfry.alert_rules set notify_channels = '{email}' where rule_code = 'TASK_DELAY'")
    erp.conn.exec_driver_sql(f"update belfry.alert_rules set notify_user_ids = '{{{people[3]}}}' where rule_code = 'COST_OVERRUN'")
    rules = erp.conn.exec_driver_sql("select id from belfry.alert_rules where rule_code <> 'NOTIFY_FAILED' order by id").scalars().all()

    def near(*minutes: int) -> datetime:
        return now + timedelta(minutes=rng.choice(minutes))

    tokens = [*(f"USER:{p}" for p in people), *(f"MGR:{p}" for p in people[:3]), "ROLE:PMO", "ROLE:PROC", "ROLE:NOBODY"]
    alerts = []
    for n in range(1, 201):
        status = rng.choice(("PENDING", "PENDING", "PENDING", "ACKNOWLEDGED", "PROCESSING", "RESOLVED", "IGNORED", "EXPIRED", "CLOSED"))
        level, since = rng.choice(LEVELS), near(-1, -60, -1440, -9000)
        alerts.append((
            n, f"AL-{n}", rng.choice(rules), f"key-{n}", "X", n, f"NO-{n}", rng.choice(projects), "INFO", level, status, since, since,
            rng.sample(tokens, rng.randint(0, 3)), rng.choice((None, None, None, near(-1, 0, 1))), {},
        ))  # fmt: skip
    factory.insert(
        "belfry.alert_records",
        "id alert_no rule_id dedupe_key target_type target_id target_no project_id base_level alert_level status triggered_at level_changed_at recipients "
        "mute_until facts", alerts,
    )  # fmt: skip
    messages: list[tuple[Any, ...]] = [
        (n, f"test|{n}", rng.choice((None, rng.randint(1, 120))), "NOTIFY_FAILED" if n % 40 == 0 else "TEST", rng.choice(("NEW", "NEW", "RESOLVED", "REMINDER", "DIGEST")),
         rng.choice(["INFO", "WARNING", *LEVELS]), {}, now + timedelta(days=1), True, near(-30, -90)) for n in range(1, 401)
    ]  # fmt: skip
    messages += [(n, f"test|{n}", None, "TEST", "REMINDER", "WARNING", {}, now + timedelta(days=1), True, near(-30)) for n in range(401, 412)]
    factory.insert(
        "belfry.notifications", "id dedupe_key alert_id type reason severity facts not_after fanned_out created_at", messages
    )
    morning = {(n, people[16 if n < 405 else 18], "system") for n in range(401, 412)}  # four for one, seven for another: a digest
    sent = morning | {(rng.randint(1, 400), rng.choice(people), rng.choice(("system", "email", "email", "wechat"))) for _ in range(800)}
    rows = []
    for message, person, channel in sorted(sent):
        due = (message, person, channel) in morning
        waits = due or rng.random() < 0.5
        rows.append((
            message, person, channel, "deferred" if waits else rng.choice(STATES), rng.choice(("quiet_hours", "breaker")) if waits else None,
            rng.randint(0, 3), now if due else near(-2000, -1441, -1440, -1439, -10, -1, 0, 1, 60), near(600) if due else near(-1, 0, 600, 600), near(-30, -59, -60, -61, -300), 0, 0, 0, "none", 0,
        ))  # fmt: skip
    factory.insert(
        "belfry.notification_deliveries",
        "notification_id user_id channel state reason priority next_attempt_at not_after created_at generation attempt failures phase uncertain_count", rows,
    )  # fmt: skip
    opened = rng.choice((None, now - timedelta(minutes=20)))
    erp.conn.exec_driver_sql("update belfry.channel_states set last_opened_at = %s, opened_at = %s, opened_before = %s, open_until = %s where channel = 'email'", (
        now - timedelta(minutes=20), opened, now - timedelta(minutes=rng.choice((79, 80, 81))), opened and near(-1, 0, 1),
    ))  # fmt: skip
