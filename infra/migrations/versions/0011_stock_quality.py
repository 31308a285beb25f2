"""What the jobs of materials, stock and purchasing read and own."""

from pathlib import Path

from alembic import op

revision = "0011_stock_quality"
down_revision = "0010_production"

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
