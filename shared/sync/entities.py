"""What may be brought in, and which rows are good? The domain's own checks, before anything is written.

An entity is data: the table, what identifies a row in it, and each field's kind and limits. A new one is an entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Table

from shared.erp import tables

LONGEST = 500  # characters of a text


@dataclass(frozen=True)
class Field:
    """One value of a row. `points_to`: table and column in which its words are looked up; kept is the id."""

    name: str
    column: str
    kind: str = "text"  # text, number, count, flag
    required: bool = False
    low: Decimal | None = None
    high: Decimal | None = None
    words: tuple[str, ...] = ()
    points_to: tuple[Table, str] | None = None


@dataclass(frozen=True)
class Entity:
    """`key`: columns that identify the local row. `retired`: what a deleted row becomes; nothing: it stays as it is.
    `changed_at`: the local column that says when somebody changed the row last (policy NEWEST needs one)."""

    name: str
    table: Table
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    retired: Mapping[str, str]
    changed_at: str | None = None


ZERO = Decimal(0)
ENTITIES = {
    entity.name: entity
    for entity in (
        Entity(
            "suppliers", tables.suppliers, ("supplier_code",),
            (Field("code", "supplier_code", required=True), Field("name", "supplier_name", required=True)),
            retired={},
        ),
        Entity(
            "materials", tables.materials, ("material_code",),
            (
                Field("code", "material_code", required=True), Field("name", "material_name", required=True),
                Field("specification", "specification"), Field("brand", "brand"), Field("model", "model"),
                Field("unit", "unit"),
                Field("type", "material_type", required=True, words=("PURCHASE", "MAKE", "OUTSOURCE")),
                Field("safety_stock", "safety_stock", "number", required=True, low=ZERO),
                Field("lead_time_days", "lead_time_days", "count", required=True, low=ZERO, high=Decimal(3650)),
                Field("min_order_qty", "min_order_qty", "number", required=True, low=Decimal("0.0001")),
                Field("price", "standard_price", "number", low=ZERO),
                Field("supplier", "default_supplier_id", points_to=(tables.suppliers, "supplier_code")),
                Field("active", "is_active", "flag", required=True),
            ),
            retired={"is_active": "false"},
        ),
        Entity(
            "stock", tables.inventories, ("material_id", "warehouse_id"),
            (
                Field("material", "material_id", required=True, points_to=(tables.materials, "material_code")),
                Field("warehouse", "warehouse_id", required=True, points_to=(tables.warehouses, "warehouse_code")),
                Field("quantity", "quantity", "number", required=True, low=ZERO),
                Field("reserved", "reserved_qty", "number", required=True, low=ZERO),
            ),
            retired={}, changed_at="updated_at",
        ),
    )
}  # fmt: skip


def checked(entity: Entity, data: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The row's values by column, as JSON can say them, and the first thing that is wrong with it."""
    values: dict[str, Any] = {}
    for field in entity.fields:
        value = data.get(field.name)
        if value is None or value == "":
            if field.required:
                return {}, f"{field.name} is missing"
            values[field.column] = None
            continue
        try:
            values[field.column] = _READ[field.kind](value)
        except (TypeError, ValueError, InvalidOperation):
            return {}, f"{field.name} is no {field.kind}: {str(value)[:80]}"
        if problem := _out_of_bounds(field, values[field.column]):
            return {}, problem
    return values, None


def _out_of_bounds(field: Field, value: Any) -> str | None:
    if field.words and value not in field.words:
        return f"{field.name} is {value}: {', '.join(field.words)} are allowed"
    if field.kind in ("number", "count"):
        number = Decimal(str(value))
        if field.low is not None and number < field.low:
            return f"{field.name} is {number}: at least {field.low} is expected"
        if number > (field.high or Decimal("9999999999")):
            return f"{field.name} is {number}: at most {field.high or '9999999999'} is expected"
    return None


def _text(value: Any) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise TypeError
    words = str(value).strip()
    words.encode()  # a lone surrogate is a ValueError
    if not words or len(words) > LONGEST or "\0" in words:
        raise ValueError
    return words


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError
    return format(number.quantize(Decimal("0.0001")), "f")


def _count(value: Any) -> int:
    number = Decimal(_number(value))
    if number != int(number):
        raise ValueError
    return int(number)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_READ = {"text": _text, "number": _number, "count": _count, "flag": _flag}
