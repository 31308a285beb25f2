"""What do several oracles need? Every row of a table, whether its project lives, and how levels and people are written."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from shared.erp.tables import erp

LEVELS = ["INFO", "WARNING", "CRITICAL", "URGENT"]
Row = Any
Found = dict[int, tuple[str, set[str]]]  # target: level, recipients


class Rows:
    """Every row of a table by its name, read once; the company's own tables and Belfry's."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._read: dict[str, list[Any]] = {}

    def __getattr__(self, table: str) -> list[Any]:
        if table not in self._read:
            schema = "erp" if f"erp.{table}" in erp.tables else "belfry"
            self._read[table] = list(self._db.execute(text(f"select * from {schema}.{table} order by 1")))
        return self._read[table]

    def project(self, project_id: int | None) -> Any:
        return next((p for p in self.projects if p.id == project_id), None)

    def kept(self, project_id: int | None) -> bool:
        """Active and not archived; what has no project is kept."""
        project = self.project(project_id)
        return project is None or (project.is_active and not project.is_archived)

    def live(self, project_id: int | None) -> bool:
        """Kept, and neither closed nor cancelled."""
        project = self.project(project_id)
        return self.kept(project_id) and (project is None or project.status not in ("ST30", "ST99"))


def users(*ids: int | None) -> set[str]:
    return {f"USER:{one}" for one in ids if one is not None}


def shifted(level: str, steps: int) -> str:
    return LEVELS[max(0, min(3, LEVELS.index(level) + steps))]


def told(db: Connection, rule: str) -> Found:
    """The open alerts of a rule: what the data says of their level, and whom they concern."""
    query = text("""select a.target_id, a.base_level, a.recipients from belfry.alert_records a
        join belfry.alert_rules r on r.id = a.rule_id
        where r.rule_code = :rule and a.status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING')""")
    return {row.target_id: (row.base_level, set(row.recipients)) for row in db.execute(query, {"rule": rule})}


def failed_items(db: Connection, execution_id: str) -> set[str]:
    """The keys of what a run could not judge."""
    query = text("""select item_key from belfry.execution_items
        where execution_id = cast(:id as uuid) and status = 'failed'""")
    return set(db.execute(query, {"id": execution_id}).scalars())


def days_near(rng: Any, day: date, low: int, high: int, none: float = 0.0) -> date | None:
    """A day so near to `day`, or none that often."""
    return None if rng.random() < none else date.fromordinal(day.toordinal() + rng.randint(low, high))
