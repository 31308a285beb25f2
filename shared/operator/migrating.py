"""Brings the database to the newest schema: one at a time, only forward, the same again changes nothing.

A migration only widens (expand/contract): older code goes on working on a newer schema, so nothing is ever taken back.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from shared.db import new_engine
from shared.errors import InvalidRequest

MIGRATIONS = Path(__file__).parents[2] / "infra" / "migrations"
APP_ROLE = "belfry_app"  # whom functions are in the cloud; the tables belong to whoever migrates
_GRANTS = text(f"""
  do $$ declare one text; begin
    if exists (select from pg_roles where rolname = '{APP_ROLE}') and current_user <> '{APP_ROLE}' then
      -- Months come and go as their owner's doing, by these three alone, which look twice (0014_databases.sql).
      for one in select oid::regprocedure from pg_proc where pronamespace = to_regnamespace('belfry')
          and proname in ('make_partition', 'detach_partition', 'drop_partition') loop
        execute format('alter function %s security definer set search_path = pg_catalog, pg_temp', one);
        execute format('revoke execute on function %s from public', one);
      end loop;
      for one in select nspname from pg_namespace where nspname in ('belfry', 'erp') loop -- not all, half-way
        execute format('grant usage on schema %I to {APP_ROLE}', one);
      end loop;
      grant execute on all functions in schema belfry to {APP_ROLE};
      -- In erp stand the company's own views, too; whoever made those says who may read them.
      for one in select format(case c.relkind when 'S' then 'grant usage, select on sequence %s to {APP_ROLE}'
            else 'grant select, insert, update, delete on %s to {APP_ROLE}' end, c.oid::regclass)
          from pg_class c where c.relnamespace in (to_regnamespace('belfry'), to_regnamespace('erp'))
          and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and pg_has_role(c.relowner, 'USAGE') loop
        execute one;
      end loop;
    end if;
  end $$""")  # noqa: S608  a constant of this file
_MAKE_ROLE = f"""
  do $$ begin
    create role {APP_ROLE};
  exception when duplicate_object or unique_violation then null;
  end $$"""
_one_at_a_time = threading.Lock()  # of this process: Alembic keeps its context in a module; others wait in the database


@dataclass(frozen=True)
class Migrated:
    """From which revision to which, and what was applied. `newer`: the database is ahead of this code."""

    before: str | None
    after: str | None
    applied: list[str] = field(default_factory=list)
    newer: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {"from": self.before, "to": self.after, "applied": self.applied, "newer": self.newer}


def migrate(database_url: str, to: str | None = None, *, migrations: Path = MIGRATIONS) -> Migrated:
    """Brings the database to a revision, None: the newest that this code knows.

    Waits for locks 3 s at a time, so that ticks go through in between. Raises InvalidRequest for a revision that is
    not known (400) or behind the database (409), and the database's errors.
    """
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config(attributes={"database_url": database_url})
    config.set_main_option("script_location", str(migrations))
    script = ScriptDirectory.from_config(config)
    known = [one.revision for one in script.walk_revisions()][::-1]  # the oldest first
    if to is not None and to not in known:
        raise InvalidRequest(400, "unknown_revision", "there is no such revision", field="to", allowed=known[-1])
    found: list[str | None] = []

    def steps(heads: Any, _: Any) -> Any:
        """What is to be done, asked under the lock."""
        before = heads[0] if heads else None
        found.append(before)
        newer = before is not None and before not in known
        if to is not None and (newer or (before is not None and known.index(before) > known.index(to))):
            message = "the database is past that, and nothing is taken back: older code runs on it as it is"
            raise InvalidRequest(409, "no_way_back", message, field="to", allowed=before)
        return [] if newer else script._upgrade_revs(to or known[-1], heads)

    with _one_at_a_time, EnvironmentContext(config, script, fn=steps, destination_rev=to or known[-1]):
        script.run_env()
    before = found[-1]
    if before is not None and before not in known:
        return Migrated(before, before, newer=True)
    after = to or known[-1]
    start = known.index(before) + 1 if before else 0
    return Migrated(before, after, known[start : known.index(after) + 1])


def grant(database_url: str, app_password: str | None = None) -> None:
    """What functions may do with the tables that are there now.

    With `app_password` the role they log in as is made, or gets that password. It is made here and not by Cloud SQL,
    whose users are all members of cloudsqlsuperuser.
    """
    engine = new_engine(database_url, socket_timeout=60)
    try:
        with engine.connect() as connection:
            if app_password:
                connection.exec_driver_sql(_MAKE_ROLE)
                connection.exec_driver_sql(f"alter role {APP_ROLE} login password '{_verifier(app_password)}'")
            connection.execute(_GRANTS)
    finally:
        engine.dispose()


def _verifier(password: str) -> str:
    """What Postgres keeps of a password, so that the password itself is in no statement and in no log."""
    from scramp import ScramMechanism

    salt, stored, server, rounds = ScramMechanism("SCRAM-SHA-256").make_auth_info(password, iteration_count=4096)
    texts = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{texts[0]}${texts[1]}:{texts[2]}"
