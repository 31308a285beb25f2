"""Which instances are watched, and what is known of them?"""

from datetime import date
from typing import Any

from sqlalchemy import insert, text

from shared.databases import tables
from tests.factories.rows import LONG_AGO, Rows, number


class Databases(Rows):
    """Instances, their accounts and sizes, and partitions."""

    def db_instance(self, **columns: Any) -> int:
        """An active Postgres whose credential nobody has set."""
        return self._row(
            tables.db_instances, columns, name=number("db"), db_type="POSTGRESQL", host="127.0.0.1", port=0,
            credential_ref="watched-postgres", is_active=True,
        )  # fmt: skip

    def db_instance_check(self, instance_id: int, **columns: Any) -> None:
        """A look at an instance that failed on one day."""
        row = {"kind": "ACCOUNTS", "attempted_at": LONG_AGO, "failed_days": 1, "error": "refused"} | columns
        self.conn.execute(insert(tables.db_instance_checks).values(instance_id=instance_id, **row))

    def db_instance_account(self, instance_id: int, **columns: Any) -> int:
        """An ordinary account that was there at the last look."""
        return self._row(
            tables.db_instance_accounts, columns, instance_id=instance_id, username="app", is_superuser=False,
            is_active=True, privileges={}, privileges_hash="", first_seen_at=LONG_AGO, last_seen_at=LONG_AGO,
        )  # fmt: skip

    def database_size(self, instance_id: int, day: date, size_mb: int, **columns: Any) -> None:
        """One database's size on a day."""
        row = {"database_name": "erp", "data_size_mb": size_mb, "collected_at": f"{day}T03:00+08:00"} | columns
        self.conn.execute(
            insert(tables.database_size_stats).values(instance_id=instance_id, collected_date=day, size_mb=size_mb, **row)
        )

    def instance_size(self, instance_id: int, day: date, total_size_mb: int, database_count: int = 1, **columns: Any) -> None:
        """An instance's total of a day."""
        row = {"collected_at": f"{day}T03:00+08:00"} | columns
        self.conn.execute(insert(tables.instance_size_stats).values(
            instance_id=instance_id, collected_date=day, total_size_mb=total_size_mb, database_count=database_count, **row
        ))  # fmt: skip

    def partition(self, month: date, parent: str = "belfry.database_size_stats") -> str:
        """A month's partition; its name with the schema."""
        made = self.conn.execute(text("select * from belfry.make_partition(:p, :m)"), {"p": parent, "m": month}).one()
        assert made.outcome in ("created", "healed"), made
        return f"{parent}_{month:%Y_%m}"
