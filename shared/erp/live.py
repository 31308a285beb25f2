"""Is anybody still working on the project behind a row? Jobs say nothing about the others (D-29)."""

from typing import Any

from sqlalchemy import and_, or_

from shared.erp.tables import projects

CLOSED = ("ST30", "ST99")


def in_live_project() -> Any:
    """For a query that outer-joins `projects`: active, not archived, not closed; rows without a project count."""
    p = projects.c
    return or_(p.id.is_(None), and_(p.is_active, ~p.is_archived, p.status.not_in(CLOSED)))
