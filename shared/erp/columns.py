"""How is a table written down? Its columns by kind: `table(erp, "workers", ids="id user_id", words="worker_no")`."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

KINDS: dict[str, TypeEngine[Any]] = {
    "ids": BigInteger(),
    "words": Text(),
    "flags": Boolean(),
    "counts": Integer(),
    "numbers": Numeric(),  # without precision: a bound threshold is cast to the column's type and must fit
    "days": Date(),
    "times": Time(),
    "instants": DateTime(timezone=True),
    "lists": ARRAY(Text()),
    "documents": JSONB(),
    "uuids": Uuid(as_uuid=False),
}


def table(metadata: MetaData, name: str, key: str = "id", **columns: str) -> Table:
    """A table whose columns are given by kind; `key` names its primary key (several words: a compound one)."""
    keys = key.split()
    return Table(
        name,
        metadata,
        *(
            Column(column, KINDS[kind], primary_key=column in keys)
            for kind, words in columns.items()
            for column in words.split()
        ),
    )
