"""What the first ten jobs own: health, snapshots, kit checks, shortages."""

from pathlib import Path

from alembic import op

revision = "0004_job_tables"
down_revision = "0003_erp"

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
