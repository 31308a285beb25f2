"""The published holidays and make-up workdays."""

from pathlib import Path

from alembic import op

revision = "0007_calendar"
down_revision = "0006_replay"

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
