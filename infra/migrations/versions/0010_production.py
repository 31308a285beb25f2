"""What the jobs of production read and own."""

from pathlib import Path

from alembic import op

revision = "0010_production"
down_revision = "0009_projects_costs"

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
