"""What did a day of shortages look like, as of its end? (rulebook job 24)"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Integer,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import distinct_on, insert

from shared.erp.side_tables import kit_checks, material_shortages
from shared.erp.side_tables import shortage_daily_reports as reports
from shared.erp.tables import goods_receipt_items, goods_receipts, work_orders, workshops
from shared.erp.tables import shortage_reports as reported

LEVELS = ("INFO", "WARNING", "CRITICAL", "URGENT")  # level1 to level4
KIT_CHECK = "daily_kit_check"


@dataclass(frozen=True)
class Day:
    """A business day and its two midnights in the job's zone."""

    day: date
    zone: ZoneInfo

    @property
    def since(self) -> datetime:
        return datetime.combine(self.day, time.min, self.zone)

    @property
    def until(self) -> datetime:
        return datetime.combine(self.day + timedelta(days=1), time.min, self.zone)

    def holds(self, instant: Any) -> Any:
        return and_(instant >= self.since, instant < self.until)


# An alert as it stood when the day ended: what happened to it afterwards is taken back by its events. An alert without
# any is taken by its own columns; one that is over at a time that nobody wrote down was over before.
_ALERTS = """
select a.id, a.target_id, a.triggered_at, x.ended_at, coalesce(x.ended_at < :until, false) as over,
       coalesce(x.ended_by in ('RESOLVED', 'AUTO_RESOLVED'), false) as resolved,
       case when x.handled_at < :until then x.handled_at end as handled_at,
       coalesce((select e.from_level from belfry.alert_events e
                 where e.alert_id = a.id and e.event in ('UPGRADED', 'ESCALATED') and e.at >= :until
                 order by e.id limit 1),
                a.alert_level) as level
from belfry.alert_records a
left join lateral (
  select e.at, e.event from belfry.alert_events e
  where e.alert_id = a.id and e.event in ('RESOLVED', 'AUTO_RESOLVED', 'IGNORED', 'EXPIRED', 'CLOSED')
  order by e.id limit 1
) e on a.status not in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING')
cross join lateral (
  select case when a.status not in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING')
              then coalesce(e.at, a.resolved_at, a.triggered_at) end as ended_at,
         coalesce(e.event, a.status) as ended_by,
         least(a.acknowledged_at, a.handle_start_at, case when a.resolved_by is not null then a.resolved_at end)
           as handled_at) x
where a.rule_id = (select id from belfry.alert_rules where rule_code = 'MATERIAL_SHORTAGE') and a.triggered_at < :until
  and (a.status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING') or a.triggered_at >= :since
       or coalesce(a.resolved_at, 'infinity') >= :since)
"""

# Each order's due day: the line's own, else the order's; three ways, so that each finds its rows by an index.
_EXPECTED = """
select l.id from erp.purchase_orders o join (
  select id, order_id, quantity, received_qty from erp.purchase_order_items where promised_date = :day
  union all
  select id, order_id, quantity, received_qty from erp.purchase_order_items
  where promised_date is null and required_date = :day
  union all
  select i.id, i.order_id, i.quantity, i.received_qty
  from erp.purchase_orders h join erp.purchase_order_items i on i.order_id = h.id
  where coalesce(h.promised_date, h.required_date) = :day and i.promised_date is null and i.required_date is null
) l on l.order_id = o.id
where o.status in ('APPROVED', 'ORDERED', 'PARTIAL_RECEIVED', 'RECEIVED', 'COMPLETED')
  and l.quantity > l.received_qty - coalesce((
    select sum(g.received_qty) from erp.goods_receipt_items g join erp.goods_receipts r on r.id = g.receipt_id
    where g.order_item_id = l.id and r.receipt_date >= :day and r.status <> 'CANCELLED' and g.received_qty > 0), 0)
"""

_ARRIVED = """
select g.id, r.receipt_date
         > coalesce(g.expected_date, l.promised_date, l.required_date, o.promised_date, o.required_date) as delayed
from erp.goods_receipts r join erp.goods_receipt_items g on g.receipt_id = r.id
left join erp.purchase_order_items l on l.id = g.order_item_id left join erp.purchase_orders o on o.id = l.order_id
where r.receipt_date = :day and r.status <> 'CANCELLED' and g.received_qty > 0
"""

_KIT_CHECK_RAN = """
select exists (select from belfry.job_executions
               where job_id = :job and biz_date = :day and state in ('succeeded', 'partial')) as ran
"""


def alerts(day: Day) -> Select[Any]:
    """Every shortage alert that was open on the day, or ended since: its level, its end, its first handling."""
    statement = text(_ALERTS).bindparams(since=day.since, until=day.until)
    return select(statement.columns(
        column("id", BigInteger), column("target_id", BigInteger), column("triggered_at", DateTime(timezone=True)),
        column("ended_at", DateTime(timezone=True)), column("over", Boolean), column("resolved", Boolean),
        column("handled_at", DateTime(timezone=True)), column("level", Text),
    ).subquery("shortage_alerts"))


def written(day: Day, default_hours: float, now: datetime, execution: str) -> Any:
    """Make the day's report what is true of it now; answers its day, or nothing when it stood so already."""
    figures = _figures(day, default_hours)
    row = figures | {"calculated_at": literal(now), "execution_id": literal(execution, reports.c.execution_id.type)}
    statement = insert(reports).from_select(
        ["report_date", *row], select(literal(day.day).label("report_date"), *(v.label(n) for n, v in row.items()))
    )
    changed = tuple_(*(reports.c[n] for n in figures)).is_distinct_from(
        tuple_(*(statement.excluded[n] for n in figures))
    )
    return statement.on_conflict_do_update(
        index_elements=["report_date"], set_={n: statement.excluded[n] for n in row}, where=changed
    ).returning(reports.c.report_date)


def _figures(day: Day, default_hours: float) -> dict[str, Any]:
    """Every column of the report as a scalar sub-query; each group of them reads its tables once."""
    columns: dict[str, Any] = {}
    groups = _of_alerts(day), _of_reports(day), _of_kits(day), _of_arrivals(day), _of_stoppages(day, default_hours)
    for group in groups:
        row = group.cte(f"shortage_{len(columns)}")
        columns |= {name: select(row.c[name]).scalar_subquery() for name in row.c.keys()}  # noqa: SIM118
    return columns


def _of_alerts(day: Day) -> Select[Any]:
    a, short = alerts(day).cte("shortage_alerts_of_day").c, material_shortages.c
    new, pending = a.triggered_at >= day.since, ~a.over
    resolved = and_(a.resolved, day.holds(a.ended_at))
    count = func.count()
    minutes = func.extract("epoch", a.handled_at - a.triggered_at) / 60
    hours = func.extract("epoch", a.ended_at - a.triggered_at) / 3600
    columns: tuple[Any, ...] = (
        count.filter(new).label("new_alerts"), count.filter(resolved).label("resolved_alerts"),
        count.filter(pending).label("pending_alerts"),
        count.filter(pending, short.required_date < day.day).label("overdue_alerts"),
        *(count.filter(pending, a.level == level).label(f"level{n}_count") for n, level in enumerate(LEVELS, 1)),
        cast(func.round(func.avg(minutes).filter(new)), Integer).label("avg_response_minutes"),
        func.round(cast(func.avg(hours).filter(resolved), Numeric), 2).label("avg_resolve_hours"),
    )
    return select(*columns).outerjoin_from(a.id.table, material_shortages, short.id == a.target_id)


def _of_reports(day: Day) -> Select[Any]:
    r = reported.c
    counted: tuple[Any, ...] = (
        func.count().filter(day.holds(r.report_time)).label("new_reports"),
        func.count().filter(day.holds(r.resolved_at)).label("resolved_reports"),
    )
    return select(*counted).where(or_(day.holds(r.report_time), day.holds(r.resolved_at)))


def _of_kits(day: Day) -> Select[Any]:
    """One check an order, the last of the day; null when nobody checked, which is not the same as no order."""
    check = kit_checks.c
    last = select(check.kit_status, check.kit_rate).where(check.check_date == day.day).ext(
        distinct_on(check.work_order_id)
    ).order_by(check.work_order_id, check.check_time.desc(), check.id.desc()).subquery("last_kit_checks").c
    ran = text(_KIT_CHECK_RAN).bindparams(job=KIT_CHECK, day=day.day).columns(column("ran", Boolean)).scalar_subquery()
    known = or_(func.count() > 0, ran)
    complete = func.count().filter(last.kit_status == "COMPLETE")
    columns: tuple[Any, ...] = (
        case((known, func.count())).label("total_work_orders"), case((known, complete)).label("kit_complete_count"),
        func.round(func.avg(last.kit_rate), 2).label("kit_rate"),
    )
    return select(*columns).select_from(last.kit_status.table)


def _of_arrivals(day: Day) -> Select[Any]:
    expected = text(_EXPECTED).bindparams(day=day.day).columns(column("id", BigInteger)).subquery("expected_lines")
    arrived = text(_ARRIVED).bindparams(day=day.day).columns(
        column("id", BigInteger), column("delayed", Boolean)
    ).subquery("arrived_lines")
    delayed, actual = func.count().filter(arrived.c.delayed), func.count()
    in_time = (actual - delayed) * literal(100) / cast(func.nullif(actual, 0), Numeric)
    columns: tuple[Any, ...] = (
        select(func.count()).select_from(expected).scalar_subquery().label("expected_arrivals"),
        actual.label("actual_arrivals"), delayed.label("delayed_arrivals"),
        func.round(in_time, 2).label("on_time_rate"),
    )
    return select(*columns).select_from(arrived)


def _of_stoppages(day: Day, default_hours: float) -> Select[Any]:
    short = material_shortages.c
    daily_hours = func.coalesce(workshops.c.daily_hours, literal(default_hours, Numeric))
    hours = func.coalesce(short.est_delay_days, 0) * daily_hours
    columns: tuple[Any, ...] = (
        func.count().label("stoppage_count"), func.coalesce(func.sum(hours), 0).label("stoppage_hours")
    )
    return select(*columns).outerjoin_from(
        material_shortages, work_orders, work_orders.c.id == short.work_order_id
    ).outerjoin(workshops, workshops.c.id == work_orders.c.workshop_id).where(
        short.impact_type == "STOP", day.holds(short.created_at)
    )


def unjudgeable(day: Day) -> Select[Any]:
    """Receipts of the day that brought nothing or less: nobody can say whether something arrived."""
    item, receipt = goods_receipt_items.c, goods_receipts.c
    columns: tuple[Any, ...] = (
        literal("GOODS_RECEIPT_ITEM").label("item_type"),
        func.concat(receipt.receipt_no, "/", item.id).label("item_key"),
        func.concat("received quantity is ", func.trim_scale(item.received_qty)).label("error"),
    )
    return select(*columns).join_from(goods_receipt_items, goods_receipts, receipt.id == item.receipt_id).where(
        receipt.receipt_date == day.day, receipt.status != "CANCELLED", item.received_qty <= 0
    )
