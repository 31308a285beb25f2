"""The moves of a delivery, the breaker of a channel, and working time."""

from pathlib import Path

from alembic import op

revision = "0005_deliveries"
down_revision = "0004_job_tables"

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
