"""How are the facts of an alert written down? As one JSON object, from which its text is rendered later."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import JSONB


def facts(columns: Mapping[str, Any]) -> Any:
    """jsonb_build_object of names and columns. Days become ISO text, null stays null."""
    return func.jsonb_build_object(*(part for fact in columns.items() for part in fact), type_=JSONB)
