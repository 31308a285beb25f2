"""The ledger of jobs and executions."""

from pathlib import Path

from alembic import op

revision = "0001_platform"
down_revision = None

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
