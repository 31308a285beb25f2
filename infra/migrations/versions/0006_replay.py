"""What an operator may ask of deliveries once more."""

from pathlib import Path

from alembic import op

revision = "0006_replay"
down_revision = "0005_deliveries"

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
