"""The Core tables say the same as the migrated database."""

import pytest
from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql

from shared.databases import tables as database_tables
from shared.erp import side_tables, tables
from shared.taskboard import tables as taskboard

TABLES = [
    *tables.erp.sorted_tables,
    *side_tables.belfry.sorted_tables,
    *taskboard.belfry.sorted_tables,
    *database_tables.belfry.sorted_tables,
]
COLUMNS = text("""
    select a.attname, format_type(a.atttypid, null), coalesce(a.attnum = any (i.indkey), false)
    from pg_attribute a left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
    where a.attrelid = cast(:table as regclass) and a.attnum > 0 and not a.attisdropped""")
ERP = text("""
    select relname from pg_class
    where relnamespace = 'erp'::regnamespace and relkind in ('r', 'p') and not relispartition""")
CROSSING = text("""
    select c.conname from pg_constraint c join pg_class a on a.oid = c.conrelid join pg_class b on b.oid = c.confrelid
    where c.contype = 'f' and a.relnamespace = 'belfry'::regnamespace and b.relnamespace = 'erp'::regnamespace""")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.fullname)
def test_a_table_has_the_columns_types_and_key_of_the_database(table: Table, db: Connection) -> None:
    stored = {tuple(row) for row in db.execute(COLUMNS, {"table": table.fullname})}
    declared = {(c.name, c.type.compile(postgresql.dialect()).lower(), c.primary_key) for c in table.columns}
    assert declared == stored


def test_every_erp_table_of_the_database_is_declared(db: Connection) -> None:
    assert set(db.execute(ERP).scalars()) == {table.name for table in tables.erp.sorted_tables}


def test_nothing_in_belfry_has_a_foreign_key_into_erp(db: Connection) -> None:
    assert db.execute(CROSSING).scalars().all() == []
