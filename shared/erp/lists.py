"""How does a message list what it counts? The first few as a JSON array; the count says how many there are."""

from typing import Any

from sqlalchemy import ColumnElement, func
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

LISTED = 20  # items of a reminder or digest
SAMPLED = 3  # examples of one reason


def first(limit: int, item: Any, *order: Any, where: Any = None) -> ColumnElement[Any]:
    """The first `limit` items of the group in that order, null for none."""
    listed = func.array_agg(aggregate_order_by(item, *order))
    return func.to_jsonb((listed if where is None else listed.filter(where))[1:limit], type_=JSONB)
