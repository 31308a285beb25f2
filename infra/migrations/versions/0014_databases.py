"""What the jobs that watch databases own."""

from pathlib import Path

from alembic import op

revision = "0014_databases"
down_revision = "0013_tasks"

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
