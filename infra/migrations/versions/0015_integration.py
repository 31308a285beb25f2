"""What the synchronisation with other systems owns."""

from pathlib import Path

from alembic import op

revision = "0015_integration"
down_revision = "0014_databases"

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
