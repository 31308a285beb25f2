"""What does a company's erp schema give the jobs? Columns, types, rights and keys, against what each job uses.

The contract is shared/erp/tables.py and what cron.yaml says a job reads and writes. A column counts as used by a job
when its name occurs in the code that the job loads: a little too much now and then, never too little.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql

from shared.cronfile.specs import JobSpec
from shared.erp.tables import erp

ROOT = Path(__file__).resolve().parents[1]
# What stands for a declared type without changing an answer.
STANDS_FOR = {
    "bigint": {"bigint", "integer", "smallint"},
    "integer": {"integer", "smallint"},
    "numeric": {"numeric", "bigint", "integer", "smallint"},
    "text": {"text", "character varying", "character", "name", "citext"},
    "text[]": {"text[]", "character varying[]"},
    "date": {"date"},
    "boolean": {"boolean"},
    "timestamp with time zone": {"timestamp with time zone"},
    "jsonb": {"jsonb"},
    "uuid": {"uuid"},
}
# Who is told: every job that tells anybody needs these, whatever it reads.
PEOPLE = ("erp.users", "erp.departments", "erp.roles", "erp.user_roles")
# These files name every column there is.
_DECLARATIONS = {"shared/erp/tables.py", "shared/erp/side_tables.py", "shared/erp/columns.py"}


@dataclass(frozen=True)
class Key:
    """Columns that are unique together, among the rows of `where`."""

    columns: tuple[str, ...]
    where: str = "true"


ID = Key(("id",))
# What must be unique where a job writes: its own NOT EXISTS, and an UPDATE by id, rely on it (design 4).
KEYS: Mapping[str, tuple[Key, ...]] = {
    "erp.projects": (ID,),
    "erp.issues": (ID,),
    "erp.suppliers": (ID, Key(("supplier_code",))),
    "erp.materials": (ID, Key(("material_code",))),
    "erp.inventories": (ID, Key(("material_id", "warehouse_id", "batch_no"))),
    "erp.project_costs": (
        ID,
        Key(("project_id", "source_id", "period"), "source_module = 'TIMESHEET' and source_type = 'LABOR_COST'"),
    ),
    "erp.work_tasks": (ID, Key(("source_id", "assignee_id", "plan_date"), "source_type = 'JOB_DUTY_TEMPLATE'")),
    "erp.production_plans": (ID,),
}
# What a job does to a table that it writes as a whole; a named column is only updated.
RIGHTS: Mapping[str, tuple[str, ...]] = {
    "erp.issue_follow_ups": ("INSERT",),
    "erp.work_tasks": ("INSERT", "UPDATE", "DELETE"),
    "erp.system_logs": ("DELETE",),
}
_BIT = {"UPDATE": 4, "INSERT": 8, "DELETE": 16}

_COLUMNS = text("""
  select c.relname as name, a.attname as column, format_type(a.atttypid, null) as type
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = to_regnamespace(:schema) and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and has_column_privilege(c.oid, a.attnum, 'SELECT')""")
_TABLES = text("""
  select c.relname as name, c.relkind::text as kind, pg_relation_is_updatable(c.oid, true) as may,
    array(select p from unnest(array['INSERT', 'UPDATE', 'DELETE']) p where has_table_privilege(c.oid, p)) as granted,
    array(select array_to_string(array(select a.attname from unnest(i.indkey) k join pg_attribute a
        on a.attrelid = c.oid and a.attnum = k order by a.attname), ' ') from pg_index i
      where i.indrelid = c.oid and i.indisunique and i.indisvalid) as keys
  from pg_class c where c.relnamespace = to_regnamespace(:schema) and c.relkind in ('r', 'p', 'v', 'm', 'f')""")


@dataclass(frozen=True)
class Verdict:
    """One job: `missing` ends it, `read_only` is what it could not write."""

    job_id: str
    missing: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    columns: int = 0

    @property
    def word(self) -> str:
        return "missing" if self.missing else "read only" if self.read_only else "runs"

    def as_dict(self) -> dict[str, Any]:
        return {
            "verdict": self.word,
            "columns": self.columns,
            "missing": list(self.missing),
            "read_only": list(self.read_only),
        }


class Contract:
    """One schema of a database, as it stands."""

    def __init__(self, connection: Connection, schema: str = "erp") -> None:
        self._connection, self._schema = connection, schema
        self._columns: dict[str, dict[str, str]] = {}
        for row in connection.execute(_COLUMNS, {"schema": schema}):
            self._columns.setdefault(f"erp.{row.name}", {})[row.column] = row.type
        self._tables = {f"erp.{row.name}": row for row in connection.execute(_TABLES, {"schema": schema})}

    @property
    def empty(self) -> bool:
        return not self._tables

    def judge(self, job: JobSpec) -> Verdict:
        """What the job would find missing, and what it could not write."""
        reads = {".".join(name.split(".")[:2]) for name in (*job.reads, *job.writes) if name.startswith("erp.")}
        if {"notifications", "alert_records"} & set(job.writes):
            reads |= set(PEOPLE)
        words, missing, checked = used_words(job.category, job.id), list[str](), 0
        for name in sorted(reads):
            table = erp.tables.get(name)
            if table is None or name not in self._tables:
                missing.append(name)
                continue
            for column in table.columns:
                if name in PEOPLE or column.name in words:
                    checked += 1
                    missing += self._column(name, column.name, column.type.compile(_DIALECT).lower())
        lacking = [lack for name in job.writes if name.startswith("erp.") for lack in self._written(name)]
        return Verdict(job.id, tuple(missing), () if missing else tuple(dict.fromkeys(lacking)), checked)

    def _column(self, table: str, name: str, declared: str) -> list[str]:
        there = self._columns.get(table, {}).get(name)
        if there is None:
            return [f"{table}.{name}"]
        if there not in STANDS_FOR.get(declared, {declared}):
            return [f"{table}.{name} is {there}, {declared} is expected"]
        return []

    def _written(self, name: str) -> list[str]:
        table = ".".join(name.split(".")[:2])
        if table not in self._tables:
            return []
        row = self._tables[table]
        wanted = ("UPDATE",) if name != table else RIGHTS.get(table, ("INSERT", "UPDATE"))
        lacking = [f"{name}: no {right}" for right in wanted if not (row.may & _BIT[right] and right in row.granted)]
        return lacking or [f"{table}: {lack}" for key in KEYS.get(table, ()) if (lack := self._key(table, row, key))]

    def _key(self, table: str, row: Any, key: Key) -> str | None:
        """Why the key cannot be relied on. A view has none of its own: there the rows are asked."""
        listed = ", ".join(key.columns)
        if row.kind in ("r", "p"):
            enough = any(set(unique.split()) <= set(key.columns) for unique in row.keys if unique)
            return None if enough else f"no unique key on ({listed})"
        there = f"{_quoted(self._schema)}.{_quoted(table.removeprefix('erp.'))}"
        twice = text(f"select 1 from {there} where {key.where} group by {listed} having count(*) > 1 limit 1")  # noqa: S608
        return f"({listed}) is not unique" if self._connection.execute(twice).one_or_none() else None


_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def judged(contract: Contract, jobs: Iterable[JobSpec]) -> Sequence[Verdict]:
    return [contract.judge(job) for job in jobs]


def used_words(category: str, job_id: str) -> frozenset[str]:
    """Every word in the code that a job loads, but for the declarations of the tables."""
    seen: set[str] = set()
    waiting = [f"functions/{category}/{job_id}.py"]
    words: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        own, imported = _read(path)
        if path not in _DECLARATIONS:
            words |= own
        waiting += imported
    return frozenset(words)


@cache
def _read(path: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The words of a file, and the files of ours that it imports."""
    source = (ROOT / path).read_text("utf-8")
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    files = []
    for name in names:
        place = name.replace(".", "/")
        files += [
            file
            for file in (f"{place}.py", f"{place}/__init__.py")
            if name.startswith("shared") and (ROOT / file).is_file()
        ]
    return frozenset(re.findall(r"\w+", source)), tuple(dict.fromkeys(files))
