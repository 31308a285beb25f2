"""How does a row become what the pages read? By the names of its columns."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import Row

T = TypeVar("T")


def read(kind: type[T], row: Row[Any]) -> T:
    """The dataclass of a row; columns that it does not name are left out."""
    columns = row._mapping
    return kind(**{field.name: columns[field.name] for field in fields(kind)})  # type: ignore[arg-type]
