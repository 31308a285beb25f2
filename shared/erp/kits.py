"""Which work orders need their material now, and who gets which piece of it? (rulebook 6.2, jobs 14 and 18)

One pass over all orders: running sums of what is needed, in the orders' turn, against running sums of stock and dated
receipts. The same rule in Python is shared/rules/kits.py; one table of cases tests both.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import BigInteger, Boolean, Date, Numeric, Select, Text, case, column, func, literal, or_, select, text

from shared.erp import materials
from shared.erp.live import in_live_project
from shared.erp.tables import bom_headers, bom_items, projects, work_orders
from shared.rules.kits import PRIORITY

UNSTARTED = ("PENDING", "ASSIGNED")
FINISHED = ("COMPLETED", "APPROVED")


@dataclass(frozen=True)
class Window:
    """The planned starts that a day looks at. An order that slipped keeps its turn: late is not forgotten (D-44)."""

    day: date
    ahead_days: int
    overdue_days: int

    @property
    def first(self) -> date:
        return self.day - timedelta(days=self.overdue_days)

    @property
    def last(self) -> date:
        return self.day + timedelta(days=self.ahead_days)


def orders(window: Window) -> Select[Any]:
    """Orders of live projects that start in the window or have started: bill, quantity, turn, the day of need."""
    o = work_orders.c
    return select(
        o.id.label("work_order_id"),
        o.work_order_no,
        func.coalesce(o.bom_id, _latest_bill()).label("bom_id"),
        func.coalesce(o.plan_qty, 1).label("plan_qty"),
        func.coalesce(o.plan_start_date, window.day).label("needed"),
        case(PRIORITY, value=o.priority, else_=PRIORITY["NORMAL"]).label("rank"),
    ).outerjoin_from(work_orders, projects, projects.c.id == o.project_id).where(
        in_live_project(),
        or_(o.status == "STARTED", o.status.in_(UNSTARTED) & o.plan_start_date.between(window.first, window.last)),
    )


def _latest_bill() -> Any:
    b = bom_headers.c
    released = (b.machine_id == work_orders.c.machine_id) & b.is_latest & (b.status == "RELEASED")
    return select(b.id).where(released).order_by(b.id.desc()).limit(1).scalar_subquery()


def allocation(window: Window) -> Select[Any]:
    """One row per judgeable order and material of its bill; an order without items has one row without a material."""
    return select(text(_ALLOCATION).columns(
        column("work_order_id", BigInteger), column("bom_id", BigInteger), column("material_id", BigInteger),
        column("is_key", Boolean), column("required_qty", Numeric), column("on_hand_alloc", Numeric),
        column("in_transit_alloc", Numeric), column("shortage_qty", Numeric), column("eta_date", Date),
        column("item_status", Text),
    ).add_cte(
        orders(window).cte("kit_orders"), materials.on_hand().cte("kit_stock"),
        materials.receipts().cte("kit_receipts"),
    ).cte("kit_allocation"))


# Stock and receipts stand in line by day (stock has none and stands first), needs in their orders' turn. Both are
# merged twice: by day, so that the last supply before a need is what is there at its start; by running sum, so that
# the first supply behind a need is the one that ends its wait (sorted backwards: a window that grows is read once, one
# that shrinks is read again for every row). A join of the two would cost their product. The last join is a full one,
# filtered by what may be null, because that is never done order by order however few are expected.
_ALLOCATION = """
with each_need as (
  select o.work_order_id, o.needed, o.rank, b.material_id,
         bool_or(b.is_key_item or coalesce(m.is_key_material, false)) as is_key,
         round(sum(b.quantity) * o.plan_qty, 4) as required
  from kit_orders o join erp.bom_items b on b.bom_id = o.bom_id left join erp.materials m on m.id = b.material_id
  where b.material_id is not null and b.quantity > 0 and o.plan_qty > 0
  group by o.work_order_id, o.needed, o.rank, o.plan_qty, b.material_id),
need as (
  select *, sum(required) over (partition by material_id order by needed, rank, work_order_id) as upto from each_need),
supply as (
  select material_id, eta, sum(quantity) over (partition by material_id order by eta nulls first) as upto
  from (select material_id, null::date as eta, coalesce(s.quantity, 0) as quantity
        from (select distinct material_id from need) n left join kit_stock s using (material_id)
        union all
        select material_id, eta, sum(quantity) from kit_receipts where eta is not null group by material_id, eta) q),
merged as (
  select material_id, work_order_id, is_key, required, needed as day, upto, null::numeric as supplied, null::date as eta
  from need
  union all
  select material_id, null, null, null, eta, upto, upto, eta from supply),
seen as (
  select *, upto - required as before,
         max(supplied) over (partition by material_id order by day nulls first, work_order_id nulls first
                             rows between unbounded preceding and current row) as at_start,
         min(eta) over (partition by material_id order by upto desc, work_order_id desc nulls first
                        rows between unbounded preceding and current row) as covered_on,
         max(supplied) over (partition by material_id) as total,
         max(supplied) filter (where day is null) over (partition by material_id) as stock
  from merged),
got as (
  select *, least(required, greatest(0, stock - before)) as on_hand,
         least(required, greatest(0, at_start - before)) as in_time
  from seen where work_order_id is not null),
judgeable as (
  select o.work_order_id, o.bom_id, true as judged
  from kit_orders o
  where o.plan_qty > 0 and not exists (
    select from erp.bom_items b where b.bom_id = o.bom_id and (b.material_id is null or b.quantity <= 0)))
select o.work_order_id, o.bom_id, g.material_id, g.is_key, g.required as required_qty, g.on_hand as on_hand_alloc,
       g.in_time - g.on_hand as in_transit_alloc, g.required - g.in_time as shortage_qty,
       case when g.total >= g.upto and g.upto > g.stock then g.covered_on end as eta_date,
       case when g.in_time = g.required then 'FULFILLED'
            when g.total >= g.upto then 'IN_TRANSIT'
            when g.material_id is not null then 'SHORTAGE' end as item_status
from judgeable o full join got g on g.work_order_id = o.work_order_id
where coalesce(o.judged, false)
"""


def unjudgeable(window: Window) -> Select[Any]:
    """Orders whose quantity or bill contradicts itself, with the reason: no kit rate can be said for them."""
    o, b = orders(window).cte("kit_orders").c, bom_items.c
    broken = or_(b.material_id.is_(None), b.quantity <= 0)
    reason = case(
        (o.plan_qty <= 0, func.concat("plan quantity is ", func.trim_scale(o.plan_qty))),
        (b.material_id.is_(None), func.concat("BOM line ", b.id, " names no material")),
        else_=func.concat("BOM line ", b.id, " has quantity ", func.trim_scale(b.quantity)),
    )
    return select(
        literal("WORK_ORDER").label("item_type"), o.work_order_no.label("item_key"), func.min(reason).label("error"),
    ).outerjoin_from(o.work_order_id.table, bom_items, (b.bom_id == o.bom_id) & broken).where(
        or_(o.plan_qty <= 0, b.id.is_not(None))
    ).group_by(o.work_order_no)


def doubtful_supply(window: Window) -> Select[Any]:
    """What was judged although the books contradict themselves: negative stock, and purchases that come on no day."""
    wanted = select(bom_items.c.material_id).where(bom_items.c.bom_id.in_(select(orders(window).subquery().c.bom_id)))
    return select(materials.defects(wanted).subquery())
