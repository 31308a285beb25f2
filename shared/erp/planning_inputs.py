"""What does a production plan read? Everything in one statement, so in one snapshot. (rulebook job M3)

Each row says its `kind`; what the columns mean for it stands in `planning.py`, which makes the rules' inputs of them.
"""

from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    Integer,
    Numeric,
    Select,
    Text,
    bindparam,
    column,
    func,
    literal,
    or_,
    select,
    text,
)

from shared.erp import materials
from shared.erp.live import in_live_project
from shared.erp.tables import bom_headers, bom_items, projects, sales_order_lines, work_orders
from shared.erp.tables import materials as material_table

_order, _bill, _item, _line = work_orders.c, bom_headers.c, bom_items.c, sales_order_lines.c
OPEN = ("PENDING", "ASSIGNED", "STARTED", "PAUSED")
COLUMNS = {
    "kind": Text, "id": BigInteger, "other": BigInteger, "qty": Numeric, "more": Numeric, "day": Date, "until": Date,
    "number": Integer, "no": Text, "word": Text, "flag": Boolean,
}


def rows(today: date, last: date, first_workday: date, version: str) -> Select[Any]:
    """All rows for a plan from `today` to `last`; workdays from `first_workday` on, for releases in the past."""
    orders = select(
        _order.id, _order.work_order_no, _order.workshop_id, _order.standard_hours, _order.completed_qty,
        func.coalesce(_order.plan_qty, 1).label("plan_qty"), _order.plan_start_date, _order.plan_end_date,
        func.coalesce(_order.bom_id, _latest_bill()).label("bom_id"),
    ).outerjoin_from(work_orders, projects, projects.c.id == _order.project_id).where(
        _order.status.in_(OPEN), in_live_project(), func.coalesce(_order.plan_qty, 1) > 0
    )
    found = text(_ROWS).bindparams(
        bindparam("today", today, Date), bindparam("last", last, Date), bindparam("first_workday", first_workday, Date),
        bindparam("version", version, Text),
    ).columns(*(column(name, kind) for name, kind in COLUMNS.items()))
    return select(found.add_cte(
        orders.cte("plan_orders"), materials.on_hand().cte("plan_stock"), materials.receipts().cte("plan_receipts"),
    ).cte("plan_rows"))


def unjudgeable() -> Select[Any]:
    """Lines, bills and orders whose quantity contradicts itself; the rest is planned."""
    lines = select(
        literal("SALES_ORDER_LINE").label("item_type"),
        func.concat(_line.order_no, "/", _line.line_no).label("item_key"),
        func.concat("open quantity is ", func.trim_scale(_line.open_qty)).label("error"),
    ).where(_line.open_qty < 0)
    items = select(
        literal("BOM_ITEM"), func.concat(_bill.bom_no, "/", _item.id),
        func.concat("quantity is ", func.trim_scale(_item.quantity), ", material is ", _item.material_id),
    ).join_from(bom_items, bom_headers, _bill.id == _item.bom_id).where(
        _bill.material_id.is_not(None), _bill.is_latest, _bill.status == "RELEASED",
        or_(_item.material_id.is_(None), _item.quantity <= 0),
    )
    orders = select(
        literal("WORK_ORDER"), _order.work_order_no,
        func.concat("plan quantity is ", func.trim_scale(_order.plan_qty)),
    ).outerjoin_from(work_orders, projects, projects.c.id == _order.project_id).where(
        _order.status.in_(OPEN), in_live_project(), _order.plan_qty <= 0
    )
    return select(lines.union_all(items, orders).subquery())


def doubtful_supply() -> Select[Any]:
    """Negative stock, counted as none, and purchases that come on no day, counted as not coming."""
    return select(materials.defects(select(material_table.c.id)).subquery())


def _latest_bill() -> Any:
    released = (_bill.machine_id == _order.machine_id) & _bill.is_latest & (_bill.status == "RELEASED")
    return select(_bill.id).where(released).order_by(_bill.id.desc()).limit(1).scalar_subquery()


_ROWS = """
with bills as (
  select distinct on (material_id) material_id, id from erp.bom_headers
  where is_latest and status = 'RELEASED' and material_id is not null order by material_id, id desc),
days as (
  select d::date as day, belfry.is_workday(d::date) as worked
  from generate_series(cast(:first_workday as timestamp), cast(:last as timestamp), interval '1 day') d),
loads as (
  select workshop_id, greatest(plan_start_date, :today) as first,
         greatest(coalesce(plan_end_date, plan_start_date), :today) as last,
         standard_hours * greatest(0, 1 - completed_qty / plan_qty) as hours
  from plan_orders where workshop_id is not null and plan_start_date <= :last and standard_hours > 0
    and coalesce(plan_end_date, plan_start_date) >= plan_start_date),
spread as (
  select l.workshop_id, l.first, l.last,
         l.hours * (least(l.last, :last) - l.first + 1) / (l.last - l.first + 1) as hours,
         (select count(*) from days d where d.worked and d.day between l.first and l.last) as workdays,
         least(l.last, :last) - l.first + 1 as all_days
  from loads l where l.hours > 0),
load as (
  select s.workshop_id, d.day, sum(s.hours / coalesce(nullif(s.workdays, 0), s.all_days)) as hours
  from spread s join days d on d.day between s.first and s.last and (d.worked or s.workdays = 0)
  group by s.workshop_id, d.day),
capacity as (
  select l.*, w.workshop_code, w.daily_hours * greatest(1, (
    select count(*) from erp.workers p where p.workshop_id = w.id and p.status <> 'RESIGNED'
      and coalesce(p.entry_date, l.day) <= l.day and coalesce(p.leave_date, l.day) >= l.day
      and not exists (select from erp.worker_leaves a
                      where a.worker_id = p.id and a.day = l.day and a.hours >= w.daily_hours))) as hours_there
  from load l join erp.workshops w on w.id = l.workshop_id)
select 'MATERIAL' as kind, id, null::bigint as other, min_order_qty as qty, safety_stock as more, null::date as day,
       null::date as until, lead_time_days as number, material_code as no, material_type as word,
       is_key_material as flag
from erp.materials
union all
select 'STOCK', material_id, null, quantity, null, null, null, null, null, null, null from plan_stock
union all
select 'PART', b.material_id, i.material_id, sum(i.quantity), null, null, null, null, null, null, null
from bills b join erp.bom_items i on i.bom_id = b.id where i.material_id is not null and i.quantity > 0
group by b.material_id, i.material_id
union all
select 'NEED', material_id, null, open_qty, null, due_date, null, priority, order_no || '/' || line_no, 'SALES_ORDER',
       null
from erp.sales_order_lines where open_qty > 0 and due_date <= :last
union all
select 'NEED', i.material_id, null, sum(i.quantity) * (o.plan_qty - o.completed_qty), null,
       coalesce(o.plan_start_date, :today), null, 2, o.work_order_no, 'WORK_ORDER', null
from plan_orders o join erp.bom_items i on i.bom_id = o.bom_id
where i.material_id is not null and i.quantity > 0 and o.completed_qty < o.plan_qty
  and coalesce(o.plan_start_date, :today) <= :last
group by o.id, o.work_order_no, o.plan_qty, o.completed_qty, o.plan_start_date, i.material_id
union all
select 'RECEIPT', material_id, null, quantity, null, eta, null, null, order_no || '/' || line_id, 'PURCHASE_ORDER', null
from plan_receipts where eta is not null
union all
select 'RECEIPT', i.material_id, null, i.quantity - i.received_qty, null, coalesce(o.estimated_date, o.required_date),
       null, null, o.order_no || '/' || i.id, 'OUTSOURCING_ORDER', null
from erp.outsourcing_orders o join erp.outsourcing_order_items i on i.order_id = o.id
where o.status in ('CONFIRMED', 'IN_PROGRESS') and i.received_qty < i.quantity
  and coalesce(o.estimated_date, o.required_date) is not null
union all
select 'RECEIPT', b.material_id, null, o.plan_qty - o.completed_qty, null,
       coalesce(o.plan_end_date, o.plan_start_date, :today), null, null, o.work_order_no, 'WORK_ORDER', null
from plan_orders o join erp.bom_headers b on b.id = o.bom_id
where b.material_id is not null and o.completed_qty < o.plan_qty
union all
select status, material_id, null, qty, null, due_date, release_date, null, plan_version || '/' || id, order_type,
       plan_version = :version
from belfry.planned_orders
where status = 'FIRMED' or (status = 'RELEASED' and due_date >= :today)
union all
select 'WORKDAY', null, null, null, null, day, null, null, null, null, null from days where worked
union all
select 'LOAD', null, workshop_id, round(hours, 2), hours_there, day, null, null, workshop_code, null, null
from capacity where round(hours, 2) > hours_there and day >= :today
"""
