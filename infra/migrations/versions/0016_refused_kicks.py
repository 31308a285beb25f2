"""A refused kick is a failed attempt."""

from pathlib import Path

from alembic import op

revision = "0016_refused_kicks"
down_revision = "0015_integration"

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
