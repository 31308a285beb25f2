"""The erp contract as real tables: people, projects, issues, materials, purchasing, production."""

from pathlib import Path

from alembic import op

revision = "0003_erp"
down_revision = "0002_alerting"

SQL = Path(__file__).parents[1] / "sql" / f"{revision}.sql"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.get_bind().exec_driver_sql(SQL.read_text("utf-8"))
