"""How is a recipient written down? As a token that the fan-out resolves: USER:7, MGR:7, ROLE:PROC."""

from typing import Any

from sqlalchemy import Text, cast, literal


def user(column: Any) -> Any:
    """The token of a user id; null stays null, and raise_alerts drops it."""
    return literal("USER:", Text) + cast(column, Text)


def manager(column: Any) -> Any:
    """The token of a user's manager; null stays null."""
    return literal("MGR:", Text) + cast(column, Text)
