"""Who is reminded today of the engineering changes that wait for them? (rulebook job 27)"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, Text, case, column, func, literal, select, true, union
from sqlalchemy.dialects.postgresql import array

from shared.erp import tokens
from shared.erp.alert_tables import alert_records, alert_rules, is_open
from shared.erp.lists import LISTED, first
from shared.erp.tables import roles, user_roles, users


def reminders(day: date, day_began: datetime) -> Select[Any]:
    """One message a person, members of a role included: what waits for them, the longest first.

    An alert raised, upgraded or escalated today has told them already.
    """
    a = alert_records.c
    asked = (
        select(a.id.label("alert_id"), column("token", Text).label("token"))
        .select_from(alert_records)
        .join(alert_rules, alert_rules.c.id == a.rule_id)
        .join(func.unnest(a.recipients).table_valued(column("token", Text)).render_derived(name="told"), true())
        .where(
            alert_rules.c.rule_code == "ECN_OVERDUE", alert_rules.c.is_enabled, is_open, a.level_changed_at < day_began
        )
        .cte("asked")
    )
    named = select(asked.c.alert_id, users.c.id).join_from(asked, users, tokens.user(users.c.id) == asked.c.token)
    of_roles = (
        select(asked.c.alert_id, users.c.id)
        .join_from(asked, roles, literal("ROLE:", Text) + roles.c.role_code == asked.c.token)
        .join(user_roles, user_roles.c.role_id == roles.c.id)
        .join(users, users.c.id == user_roles.c.user_id)
        .where(roles.c.is_active)
    )
    told = union(named.where(users.c.is_active), of_roles.where(users.c.is_active)).subquery("people").c
    days = a.facts["days_overdue"]
    item = a.facts + func.jsonb_build_object("target_no", a.target_no, "level", a.alert_level)
    said = func.jsonb_build_object(
        "count", func.count(), "urgent", func.count().filter(a.base_level == "URGENT"), "day", str(day),
        "items", first(LISTED, item, days.desc(), a.id),
    )  # fmt: skip
    person = tokens.user(told.id)
    worst = func.bool_or(a.base_level == "URGENT")
    return (
        select(
            (literal(f"ECN_OVERDUE_ALERT|{day}|", Text) + person).label("dedupe_key"),
            array([person]).label("recipients"),
            case((worst, literal("CRITICAL", Text)), else_=literal("WARNING", Text)).label("severity"),
            said.label("facts"),
        )
        .join_from(alert_records, told.id.table, told.alert_id == a.id)
        .group_by(told.id)
    )
