"""What must be true of the database after any fault: the product's own invariant views are empty."""

from __future__ import annotations

from sqlalchemy import Connection, text


def assert_invariants(db: Connection) -> None:
    views = db.execute(
        text("select viewname from pg_views where schemaname = 'belfry' and viewname like 'v\\_invariant\\_%'")
    )
    for view in views.scalars().all():
        assert db.execute(text(f"select * from belfry.{view}")).all() == [], view
