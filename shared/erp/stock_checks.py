"""Which sheets are to be counted, what came of the count, and who has to know? (rulebook job M1)"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Date,
    DateTime,
    Integer,
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
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, array, insert

from shared.erp.facts import facts
from shared.erp.side_tables import inventory_check_lines as lines
from shared.erp.side_tables import inventory_checks as checks
from shared.erp.stock import Scope, balances, counted
from shared.erp.tables import inventories, materials, warehouses
from shared.erp.tokens import user

WORST = 10  # lines that a message lists
FLAGS = ("NEGATIVE", "LEDGER_DIFF", "BELOW_SAFETY", "NO_MOVE", "FROZEN")

_sheet, _line, _house = checks.c, lines.c, warehouses.c


def opened(
    scope: Scope, now: datetime, execution: str, slow_days: int, due_workdays: int, *, detailed: bool
) -> Select[Any]:
    """Freeze a sheet a warehouse, once a month and scope; answers how many (`sheets`), with how many lines.

    A sheet without lines has nothing to count and is closed at once; without details it only says how many there are.
    Of the scope it says what `counted` says. Sheets and rows meet in a FULL JOIN: hashed, however few are expected.
    """
    row = balances(scope.due(), now, slow_days).add_columns(literal(True).label("due")).cte("sheet_rows")
    filled = select(row.c.warehouse_id, func.count().label("lines")).group_by(row.c.warehouse_id).subquery("filled")
    here = and_(_house.is_active, literal(True) if scope.warehouse_id is None else _house.id == scope.warehouse_id)
    number = func.coalesce(filled.c.lines, 0)
    period = f"{scope.day:%Y-%m}"
    clock = func.belfry.clock(type_=DateTime(timezone=True))
    head = {
        "check_no": func.concat(f"IC-{period}-", _house.warehouse_code, f"-{scope.name.upper()}"),
        "period_key": literal(period), "warehouse_id": _house.id, "scope": literal(scope.name),
        "status": case((number == 0, "POSTED"), else_="COUNTING" if detailed else "DRAFT"),
        "snapshot_at": clock, "owner_id": _house.keeper_id, "due_date": _workday_after(scope.day, due_workdays),
        "lines": number, "diff_lines": case((number == 0, 0)), "diff_value": case((number == 0, 0)),
        "needs_approval": case((number == 0, False)), "posted_at": case((number == 0, clock)),
        "execution_id": literal(execution, _sheet.execution_id.type),
    }
    sheets = select(*(value.label(name) for name, value in head.items())).outerjoin_from(
        warehouses, filled, filled.c.warehouse_id == _house.id
    ).where(here)
    made = insert(checks).from_select(list(head), sheets).on_conflict_do_nothing().returning(
        _sheet.id, _sheet.warehouse_id, _sheet.lines, literal(True).label("is_new")
    ).cte("sheets_made")
    frozen = insert(lines).from_select(
        ["check_id", "inventory_id", "book_qty", "recomputed_qty", "flags"],
        select(made.c.id, row.c.inventory_id, row.c.quantity, row.c.recomputed, row.c.flags).join_from(
            made, row, row.c.warehouse_id == made.c.warehouse_id, full=True
        ).where(func.coalesce(made.c.is_new, False), func.coalesce(row.c.due, False), literal(detailed)),
    ).returning(_line.inventory_id).cte("lines_frozen")
    numbers: tuple[Any, ...] = (
        func.count().label("sheets"), func.coalesce(func.sum(made.c.lines), 0).label("lines"),
        func.count().filter(made.c.lines == 0).label("empty"), *counted(scope),
    )
    return select(*numbers).select_from(made).add_cte(frozen)


def _workday_after(day: date, workdays: int) -> Any:
    """The workday so many after a day, by the calendar of holidays and make-up days."""
    found = text("""
        select d::date from generate_series(cast(:first as date) + 1, cast(:first as date) + 370, interval '1 day') d
        where belfry.is_workday(d::date) order by d offset :skipped limit 1""")
    return found.bindparams(first=day, skipped=workdays - 1).columns(column("d", Date)).scalar_subquery()


# What was counted is compared with the book as it was then: movements between the snapshot and the count belong to it.
_SETTLE = """
with counted as materialized (  -- else each use of `expected` would sum the movements again
  select l.check_id, l.inventory_id, l.recounted, l.counted_qty, c.lines, coalesce(m.standard_price, 0) as price,
         l.book_qty + coalesce((
           select sum(case when t.type = 'OUT' then -abs(t.quantity) else t.quantity end)
           from erp.inventory_transactions t
           where t.inventory_id = l.inventory_id and t.occurred_at > c.snapshot_at and t.occurred_at <= l.counted_at),
           0) as expected
  from belfry.inventory_checks c join belfry.inventory_check_lines l on l.check_id = c.id
  left join erp.inventories i on i.id = l.inventory_id left join erp.materials m on m.id = i.material_id
  where c.status = 'COUNTING' and l.counted_qty is not null),
judged as (
  select check_id, lines, inventory_id, counted_qty - expected as diff_qty,
         round((counted_qty - expected) * price, 2) as diff_value, {step} as next_step
  from (select *, counted_qty - expected as difference from counted) d),
settled as (
  update belfry.inventory_check_lines l set diff_qty = j.diff_qty, diff_value = j.diff_value, next_step = j.next_step
  from judged j where l.check_id = j.check_id and l.inventory_id = j.inventory_id
    and (l.diff_qty, l.diff_value, l.next_step) is distinct from (j.diff_qty, j.diff_value, j.next_step)
  returning l.check_id),
complete as (
  select check_id, count(*) filter (where diff_qty <> 0)::int as diff_lines, coalesce(sum(diff_value), 0) as diff_value,
         coalesce(bool_or(next_step = 'APPROVAL'), false) as needs_approval
  from judged group by check_id, lines
  having count(*) = lines and not bool_or(coalesce(next_step, '') = 'SECOND_COUNT')),
reviewed as (
  update belfry.inventory_checks c set status = 'REVIEW', diff_lines = k.diff_lines, diff_value = k.diff_value,
    needs_approval = k.needs_approval
  from complete k where c.id = k.check_id returning c.id)
select (select count(*) from settled)::int as settled, (select count(*) from reviewed)::int as reviewed,
       (select count(*) from judged where next_step = 'SECOND_COUNT')::int as second_counts
"""
_STEP = """case when (abs(difference) * 100 > abs(expected) * :line_percent or abs(difference) * price > :line_value)
                   and not recounted then 'SECOND_COUNT'
              when abs(difference) * price > :approve_value then 'APPROVAL' end"""


def next_steps(limits: dict[str, int], cases: str) -> Any:
    """shared.rules.stock.next_step over rows (expected, difference, price, recounted), for its table of cases."""
    return text(f"select {_STEP} as step from ({cases}) c").columns(column("step", Text)).bindparams(**limits)  # noqa: S608


def settled(line_percent: int, line_value: int, approve_value: int) -> Any:
    """Judge what has been counted; a sheet that is counted whole, without doubt, goes to review."""
    names = ("settled", "reviewed", "second_counts")
    statement = text(_SETTLE.format(step=_STEP)).columns(*(column(name, Integer) for name in names))
    return statement.bindparams(line_percent=line_percent, line_value=line_value, approve_value=approve_value)


def posted(check_id: int) -> Any:
    """Close a reviewed sheet; the database refuses one that is posted, waits for approval or is not counted whole."""
    return checks.update().where(_sheet.id == check_id).values(
        status="POSTED", posted_at=func.belfry.clock()
    ).returning(_sheet.check_no)


def messages(day: date) -> Select[Any]:
    """A new sheet for its keeper, an overdue one for the keeper's manager, one with differences for finance."""
    i, m = inventories.c, materials.c
    late = and_(_sheet.status.in_(("DRAFT", "COUNTING")), _sheet.due_date < day)
    differs = and_(_sheet.status == "REVIEW", _sheet.diff_lines > 0)
    fresh = and_(_sheet.status == "COUNTING", ~late)
    stage = case((differs, literal("DIFFERENCES", Text)), (late, "OVERDUE"), else_="NEW")
    person = func.coalesce(user(_sheet.owner_id), "ROLE:WH")
    boss = func.coalesce(literal("MGR:", Text) + cast(_sheet.owner_id, Text), "ROLE:WH")
    reader = case((differs, literal("ROLE:FIN", Text)), (late, boss), else_=person)
    point = facts({
        "material_code": m.material_code, "material_name": m.material_name, "unit": m.unit, "batch_no": i.batch_no,
        "book": func.trim_scale(_line.book_qty), "recomputed": func.trim_scale(_line.recomputed_qty),
        "counted": func.trim_scale(_line.counted_qty), "difference": func.trim_scale(_line.diff_qty),
        "value": func.trim_scale(_line.diff_value), "flags": func.to_jsonb(_line.flags), "next_step": _line.next_step,
    })
    order = (
        func.abs(func.coalesce(_line.diff_value, 0)).desc(), func.cardinality(_line.flags).desc(), m.material_code,
        _line.inventory_id,
    )
    remarkable = or_(func.cardinality(_line.flags) > 0, func.coalesce(_line.diff_qty, 0) != 0)
    flagged = {name: func.count().filter(literal(name, Text) == func.any(_line.flags)) for name in FLAGS}
    listed = select(
        func.to_jsonb(func.array_agg(aggregate_order_by(point, *order))[1:WORST]).label("worst"),
        facts(flagged).label("flags"),
    ).outerjoin_from(lines, inventories, i.id == _line.inventory_id).outerjoin(materials, m.id == i.material_id).where(
        _line.check_id == _sheet.id, remarkable
    ).lateral("sheet_lines")
    told = {
        "stage": stage, "check_no": _sheet.check_no, "warehouse_name": _house.warehouse_name, "scope": _sheet.scope,
        "period": _sheet.period_key, "lines": _sheet.lines, "due_date": _sheet.due_date,
        "diff_lines": _sheet.diff_lines, "diff_value": func.trim_scale(_sheet.diff_value),
        "needs_approval": func.coalesce(_sheet.needs_approval, cast(False, Boolean)),
        "flags": listed.c.flags, "worst": func.coalesce(listed.c.worst, func.jsonb_build_array()),
    }
    return select(
        func.concat("COUNT_SHEET|", _sheet.id, "|", stage, "|", reader).label("dedupe_key"),
        array([reader]).label("recipients"), case((late, "WARNING"), else_="INFO").label("severity"),
        cast(array([literal("system", Text), literal("email", Text)]), ARRAY(Text)).label("channels"),
        facts(told).label("facts"),
    ).join_from(checks, listed, literal(True)).outerjoin(warehouses, _house.id == _sheet.warehouse_id).where(
        or_(late, differs, fresh)
    )
