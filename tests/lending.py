"""How does a test get an untouched database without waiting for a copy? Its process keeps one and empties it.

A copy of the template is a thousand files, written and removed again; emptying the few tables that a test filled takes
some milliseconds. A database is kept while nothing but rows, sequences and statistics changed in it.
After DDL, many rows, or with a session that does not end, it is dropped and the next test gets a copy.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from uuid import uuid4

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from infra.local.postgres import Postgres, connection, migrate

TEMPLATE = "belfry_template"
LENT_AT_MOST = 40  # times: the dead rows of emptied tables must not come to matter to a plan
PATIENCE = 0.3  # seconds for the last test's sessions to end

_SESSIONS = """select count(*) from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"""
_SETUP = r"""
create schema lending;
create sequence lending.alterations;
create function lending.note() returns event_trigger language plpgsql security definer
  as $$ begin perform nextval('lending.alterations'); end $$;

create function lending.checksum(name regclass) returns text language plpgsql set search_path = pg_catalog as $$
declare told text;
begin
  execute format('select md5(string_agg(r::text, chr(10) order by r::text)) from %s r', name) into told;
  return told;
end $$;
create table lending.filled as
  select oid::regclass as name, lending.checksum(oid) as checksum, format('lending.%I', relname) as copy,
    (select string_agg(quote_ident(attname), ', ') from pg_attribute
       where attrelid = oid and attnum > 0 and not attisdropped and attgenerated = '') as columns
  from pg_class where oid >= 16384 and relkind = 'r' and pg_relation_size(oid) > 0;
do $$
declare here record;
begin
  for here in select * from lending.filled loop
    execute format('create table %s as table %s', here.copy, here.name);
  end loop;
end $$;
create table lending.statistics as
  select oid, relpages, reltuples, relallvisible from pg_class where oid >= 16384;
create table lending.sequences as
  select format('%I.%I', schemaname, sequencename)::regclass as name, last_value from pg_sequences
  where last_value is not null;

-- Makes the database as the template is, or says false: something else than rows, sequences and statistics is not.
create function lending.emptied() returns boolean language plpgsql
  set search_path = pg_catalog set session_replication_role = replica as $$
declare here record;
begin
  if (select is_called from lending.alterations)
    or exists (select from pg_class where oid >= 16384 and relkind = 'r' and pg_relation_size(oid) > 2000000)
  then return false; end if;
  for here in
    select c.oid::regclass as name from pg_class c
    where c.oid >= 16384 and relkind = 'r' and pg_relation_size(c.oid) > 0
      and relnamespace <> 'lending'::regnamespace and not exists (select from lending.filled f where f.name = c.oid)
  loop
    execute format('delete from %s', here.name);
  end loop;
  for here in select * from lending.filled where lending.checksum(name) is distinct from checksum loop
    execute format('delete from %s', here.name);
    execute format('insert into %s (%s) overriding system value select %2$s from %3$s', here.name, here.columns, here.copy);
  end loop;
  perform setval(s.name, coalesce(was.last_value, s.start_value), was.last_value is not null)
  from (select format('%I.%I', schemaname, sequencename)::regclass as name, last_value, start_value from pg_sequences) s
    left join lending.sequences was using (name)
  where s.last_value is distinct from was.last_value;
  delete from pg_statistic where starelid >= 16384;
  update pg_class c set relpages = s.relpages, reltuples = s.reltuples, relallvisible = s.relallvisible
  from lending.statistics s where c.oid = s.oid
    and (c.relpages, c.reltuples, c.relallvisible) is distinct from (s.relpages, s.reltuples, s.relallvisible);
  return true;
end $$;

create event trigger note_alterations on ddl_command_end execute function lending.note();
create event trigger note_drops on sql_drop execute function lending.note();
"""


def make_template(server: Postgres) -> None:
    """The migrated database that the tests' are copies of."""
    with connection(server.url("postgres")) as admin:
        admin.run("alter system set autovacuum = off")  # it comes when it likes, and plans change
        admin.run("select pg_reload_conf()")
    url = server.create_database(TEMPLATE)
    migrate(url)
    with connection(url) as template:
        template.run(_SETUP)


class Lender:
    """The databases of one process, on the server of the whole run: one is lent at a time."""

    def __init__(self, server: str) -> None:
        self._folder = server.rsplit("/", 1)[0]
        self._owner, self._guest = ExitStack(), ExitStack()
        self._server = self._owner.enter_context(connection(server))
        self._database: pg8000.native.Connection | None = None
        self._name, self._times = "", 0

    def lend(self) -> str:
        """The URL of a database that is as the template is."""
        if not self._name:
            self._name, self._times = f"t_{uuid4().hex[:16]}", 0
            self._server.run(f"create database {self._name} template {TEMPLATE} strategy file_copy")
        self._times += 1
        return f"{self._folder}/{self._name}"

    def take_back(self) -> None:
        """Empty it, or drop it."""
        if self._times < LENT_AT_MOST and self._emptied():
            return
        with suppress(InterfaceError):  # the test may have ended this session too
            self._guest.close()
        self._server.run(f"drop database if exists {self._name} with (force)")
        self._name, self._database = "", None

    def _emptied(self) -> bool:
        try:
            if self._database is None:
                self._database = self._guest.enter_context(connection(f"{self._folder}/{self._name}"))
            until = time.monotonic() + PATIENCE
            while self._database.run(_SESSIONS) != [[0]]:
                if time.monotonic() > until:
                    return False
            return self._database.run("select lending.emptied()") == [[True]]
        except (DatabaseError, InterfaceError):
            return False
