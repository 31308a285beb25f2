"""What is there by the books and by the ledger, and what is remarkable about it? (rulebook job M1)"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ARRAY, Date, Integer, Select, Text, and_, case, cast, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import array

from shared.erp.facts import facts
from shared.erp.materials import on_hand_beside_each_row
from shared.erp.tables import inventories, inventory_transactions, materials, warehouses
from shared.erp.tokens import user
from shared.rules.stock import CYCLES

_stock, _move, _material, _house = inventories.c, inventory_transactions.c, materials.c, warehouses.c
_broken = or_(_stock.reserved_qty < 0, _stock.frozen_qty < 0)


@dataclass(frozen=True)
class Scope:
    """Which rows a run looks at: all, a class due for its count, those at or below zero; in one warehouse or all."""

    name: str
    warehouse_id: int | None
    day: date
    zone: str

    def rows(self) -> Any:
        """Rows of working warehouses that the scope means, whenever they were counted."""
        wanted = {
            "all": true(), "zero": _stock.quantity == 0, "negative": _stock.quantity < 0,
            **{name: _material.abc_class == name for name in CYCLES},
        }  # fmt: skip
        here = true() if self.warehouse_id is None else _house.id == self.warehouse_id
        return and_(_house.is_active, here, wanted[self.name])

    def due(self) -> Any:
        """Of those the ones to count: a class only where the last count is long enough ago."""
        if self.name not in CYCLES:
            return self.rows()
        last = cast(func.timezone(self.zone, _stock.last_counted_at), Date)
        again = cast(last + func.make_interval(0, CYCLES[self.name]), Date)
        return and_(self.rows(), or_(last.is_(None), again <= self.day))


def ledger() -> Select[Any]:
    """Per stock row the sum of its movements and the last one that moved goods; what goes out counts down."""
    signed = case((_move.type == "OUT", -func.abs(_move.quantity)), else_=_move.quantity)
    moved = func.max(_move.occurred_at).filter(_move.type != "ADJUST")
    return select(
        _move.inventory_id, func.sum(signed).label("recomputed"), moved.label("last_move")
    ).group_by(_move.inventory_id)


def balances(where: Any, now: datetime, slow_days: int) -> Select[Any]:
    """The rows that `where` means, with all that a sheet or an alert says of them.

    What is true of a whole material is a window over its rows, and the ledger is met by a FULL JOIN filtered by what
    may be null: neither is ever read row by row, however few rows are expected and however many one material has.
    """
    row = _each_row(where).subquery("stock_row").c
    booked = ledger().subquery("stock_ledger").c
    kept = select(_move.id).exists()  # a company without a ledger has no differences
    recomputed = case((kept, func.coalesce(booked.recomputed, 0)))
    idle = func.extract("epoch", now - func.coalesce(booked.last_move, row.updated_at)) / 86400
    unmoved = cast(func.floor(idle), Integer)
    said = [column for column in row if column.key not in ("updated_at", "meant")]
    return select(
        *said, recomputed.label("recomputed"),
        flags(
            row.quantity, recomputed, row.available, row.safety_stock, row.frozen_qty, unmoved, slow_days
        ).label("flags"),
    ).join_from(
        row.inventory_id.table, booked.inventory_id.table, booked.inventory_id == row.inventory_id, full=True
    ).where(func.coalesce(row.meant, False))


def _each_row(where: Any) -> Select[Any]:
    """Every stock row, meant or not: the material's rows speak together, and the oldest for all of them."""
    material = _stock.material_id
    return select(
        _stock.id.label("inventory_id"), _stock.warehouse_id, material, _stock.batch_no, _stock.quantity,
        _stock.reserved_qty, _stock.frozen_qty, _stock.updated_at, on_hand_beside_each_row().label("available"),
        _material.material_code, _material.material_name, _material.unit, _material.safety_stock,
        _material.is_key_material, user(_material.buyer_id).label("buyer"), _house.warehouse_name,
        user(_house.keeper_id).label("keeper"), _broken.label("broken"),
        func.bool_or(_broken).over(partition_by=material).label("material_is_broken"),
        func.min(_stock.id).filter(_house.is_active).over(partition_by=material).label("speaker"),
        where.label("meant"),
    ).join_from(inventories, warehouses, _house.id == _stock.warehouse_id).join(materials, _material.id == material)


def flags(
    quantity: Any, recomputed: Any, available: Any, safety: Any, frozen: Any, unmoved: Any, slow_days: int
) -> Any:
    """shared.rules.stock.flags as an expression."""
    found = {
        "NEGATIVE": quantity < 0, "LEDGER_DIFF": func.coalesce(quantity != recomputed, False),
        "BELOW_SAFETY": and_(safety > 0, available < safety), "NO_MOVE": and_(quantity != 0, unmoved > slow_days),
        "FROZEN": frozen > 0,
    }
    named: Any = array([case((true_, literal(name, Text))) for name, true_ in found.items()])
    return func.array_remove(named, None, type_=ARRAY(Text))


def alerts(flag: str, scope: Scope, now: datetime, slow_days: int) -> Select[Any]:
    """Violations of one flag: NEGATIVE and LEDGER_DIFF by row, BELOW_SAFETY once a material, at its oldest row."""
    # Materialized: a condition from outside would make an inner join of its full one.
    row = balances(scope.rows(), now, slow_days).cte(f"stock_{flag.lower()}").prefix_with("MATERIALIZED").c
    level, trigger, threshold, people = {
        "NEGATIVE": (literal("CRITICAL", Text), row.quantity, literal(0), [row.keeper]),
        "LEDGER_DIFF": (literal("WARNING", Text), row.quantity - row.recomputed, literal(0), [row.keeper]),
        "BELOW_SAFETY": (
            case((row.is_key_material, literal("WARNING", Text)), else_="INFO"), row.available, row.safety_stock,
            [row.keeper, row.buyer],
        ),
    }[flag]
    number = func.concat_ws("/", row.material_code, row.warehouse_name, func.nullif(row.batch_no, ""))
    told = {
        "material_code": row.material_code, "material_name": row.material_name, "unit": row.unit,
        "warehouse_name": row.warehouse_name, "batch_no": row.batch_no, "quantity": func.trim_scale(row.quantity),
        "reserved": func.trim_scale(row.reserved_qty), "frozen": func.trim_scale(row.frozen_qty),
        "recomputed": func.trim_scale(row.recomputed), "available": func.trim_scale(row.available),
        "safety": func.trim_scale(row.safety_stock), "is_key": row.is_key_material,
    }
    shown = row.material_code if flag == "BELOW_SAFETY" else number
    by_row = select(
        row.inventory_id.label("target_id"), shown.label("target_no"),
        row.material_name.label("target_name"), cast(None, Integer).label("project_id"), level.label("level"),
        array(people).label("recipients"), facts(told).label("facts"), trigger.label("trigger_value"),
        threshold.label("threshold_value"),
    ).where(literal(flag, Text) == func.any(row.flags), ~row.broken)
    if flag != "BELOW_SAFETY":
        return by_row
    return by_row.where(row.inventory_id == row.speaker, ~row.material_is_broken)


def judged(flag: str, scope: Scope) -> Select[Any]:
    """Rows of the scope, but none that contradicts itself: of these nothing is said."""
    rows = select(_stock.id.label("target_id")).join_from(
        inventories, warehouses, _house.id == _stock.warehouse_id
    ).join(materials, _material.id == _stock.material_id).where(scope.rows(), ~_broken)
    return rows.where(~_material_is_broken(_stock.material_id)) if flag == "BELOW_SAFETY" else rows


def present() -> Select[Any]:
    """Rows that the stock still has."""
    return select(_stock.id.label("target_id"))


def unjudgeable(scope: Scope) -> Select[Any]:
    """Rows of the scope with less than nothing reserved or frozen: what is available of them, nobody knows."""
    said = "reserved is ", func.trim_scale(_stock.reserved_qty), ", frozen ", func.trim_scale(_stock.frozen_qty)
    return _listed(scope, _broken, *said)


def contradictions(scope: Scope) -> Select[Any]:
    """Rows with more reserved than there is, as data defects."""
    return _listed(
        scope, and_(~_broken, _stock.reserved_qty > func.greatest(_stock.quantity, 0)),
        "reserved is ", func.trim_scale(_stock.reserved_qty), ", there is ", func.trim_scale(_stock.quantity),
    )  # fmt: skip


def counted(scope: Scope) -> tuple[Any, Any]:
    """How many rows the scope has (`rows`), and whether anybody keeps a ledger (`ledger`, 0 or 1), as two columns."""
    rows = select(func.count()).join_from(inventories, warehouses, _house.id == _stock.warehouse_id).join(
        materials, _material.id == _stock.material_id
    ).where(scope.rows())
    return rows.scalar_subquery().label("rows"), cast(select(_move.id).exists(), Integer).label("ledger")


def _listed(scope: Scope, where: Any, *said: Any) -> Select[Any]:
    key = func.concat_ws("/", _material.material_code, _house.warehouse_code, func.nullif(_stock.batch_no, ""))
    columns: tuple[Any, ...] = (
        literal("INVENTORY").label("item_type"), key.label("item_key"), func.concat(*said).label("error"),
    )
    return select(*columns).join_from(inventories, warehouses, _house.id == _stock.warehouse_id).join(
        materials, _material.id == _stock.material_id
    ).where(scope.rows(), where)


def _material_is_broken(material_id: Any) -> Any:
    each = inventories.alias("broken_row").c
    return select(each.id).where(
        each.material_id == material_id, or_(each.reserved_qty < 0, each.frozen_qty < 0)
    ).exists()
