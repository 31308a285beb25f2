"""What the jobs of sales and receivables read and own."""

from pathlib import Path

from alembic import op

revision = "0012_sales_receivables"
down_revision = "0011_stock_quality"

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
