"""What the jobs of issues and engineering changes read and own."""

from pathlib import Path

from alembic import op

revision = "0008_issues_changes"
down_revision = "0007_calendar"

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
