"""What is read of a day of shortages? The report, the days before it, and the worst. (rulebook job 24)"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, DateTime, Numeric, Select, Text, cast, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, array

from shared.erp.facts import facts
from shared.erp.lists import first
from shared.erp.shortage_reports import Day, alerts
from shared.erp.side_tables import material_shortages
from shared.erp.side_tables import shortage_daily_reports as reports
from shared.erp.tables import materials, projects, work_orders

WORST = 10  # shortages that it lists
TREND = 7  # days that it shows
READERS = ("ROLE:PROC", "ROLE:PMO")


def digest(day: Day, not_before: datetime) -> Select[Any]:
    """The report as a message, when there was anything new or anything is left."""
    r = reports.c
    shown = {str(name.key): name for name in r if name.key not in ("execution_id", "calculated_at")}
    before = reports.alias("before").c
    point = facts({"day": before.report_date, "pending": before.pending_alerts, "new": before.new_alerts})
    trend = select(func.jsonb_agg(aggregate_order_by(point, before.report_date))).where(
        before.report_date > day.day - timedelta(days=TREND), before.report_date <= day.day
    ).scalar_subquery()
    told = {name: func.trim_scale(c) if isinstance(c.type, Numeric) else c for name, c in shown.items()}
    return select(
        literal(f"DIGEST_SHORTAGE|{day.day}", Text).label("dedupe_key"),
        array([literal(reader, Text) for reader in READERS]).label("recipients"),
        literal("INFO", Text).label("severity"), literal("DIGEST", Text).label("reason"),
        cast(array([literal("system", Text), literal("email", Text)]), ARRAY(Text)).label("channels"),
        facts(told | {"trend": trend, "worst": _worst(day)}).label("facts"),
        literal(not_before, DateTime(timezone=True)).label("not_before"),
    ).where(r.report_date == day.day, r.new_alerts + r.pending_alerts > 0)


def _worst(day: Day) -> Any:
    """The pending shortages that matter most: level, then the day they are needed."""
    a = alerts(day).subquery("shortage_worst").c
    short, m, order, p = material_shortages.c, materials.c, work_orders.c, projects.c
    line = facts({
        "material_code": m.material_code, "material_name": m.material_name, "unit": m.unit,
        "short": func.trim_scale(short.shortage_qty), "work_order_no": order.work_order_no,
        "project_name": p.project_name, "required_date": short.required_date, "eta_date": short.eta_date,
        "level": a.level,
    })
    turn = (func.belfry.level_rank(a.level).desc(), short.required_date.asc().nulls_last(), m.material_code, a.id)
    return select(first(WORST, line, *turn)).select_from(a.id.table).join(
        material_shortages, short.id == a.target_id
    ).outerjoin(materials, m.id == short.material_id).outerjoin(
        work_orders, order.id == short.work_order_id
    ).outerjoin(projects, p.id == short.project_id).where(~a.over).scalar_subquery()
