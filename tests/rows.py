"""Which rows of the platform's tables were touched? A row that nobody wrote keeps its place and its transaction."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text


def rows(db: Connection, *, without: Collection[str] = ()) -> dict[str, tuple[int, str]]:
    """Table of schema belfry -> number of rows and a digest of who wrote each; equal digests = not one row touched."""
    names = db.execute(text("select tablename from pg_tables where schemaname = 'belfry' order by 1")).scalars().all()
    return {name: _digest(db, name) for name in names if name not in without}


def _digest(db: Connection, table: str) -> tuple[int, str]:
    count, digest = db.execute(
        text(
            f"""select count(*), md5(coalesce(string_agg(r.ctid::text || r.xmin::text, ',' order by r.ctid), ''))
                from belfry.{table} r"""
        )
    ).one()
    return count, digest
