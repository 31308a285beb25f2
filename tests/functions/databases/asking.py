"""What the tests of jobs that ask instances share: a server to ask, and the secrets that open it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from shared.databases import instances
from tests.watched import postgres, run_sql

REF = "watched-postgres"  # what factories' instances name
CLOSED = "closed-postgres"  # nobody listens there


def variable(ref: str) -> str:
    """Where a function finds the secret of that name."""
    return "CREDENTIAL_" + ref.upper().replace("-", "_")


@contextmanager
def secrets(**values: str) -> Iterator[None]:
    """Secrets as a function finds them, by the names that instances give them, and no pause between tries."""
    pause, instances.PAUSE = instances.PAUSE, 0.01
    named = {CLOSED: "postgresql://watch:hidden@127.0.0.1:1/postgres", **values}
    given = {variable(name): value for name, value in named.items()}
    os.environ.update(given)
    try:
        yield
    finally:
        instances.PAUSE = pause
        for name in given:
            os.environ.pop(name, None)


@contextmanager
def a_server(db: Connection) -> Iterator[str]:
    """A Postgres of its own, which the instances of the factory name."""
    with postgres() as url, secrets(**{REF: url}):
        yield url


SHADOW = """create function public.pg_database_size(oid) returns bigint language sql as
  $$ select coalesce((select bytes from public.told t join pg_database d on d.datname = t.name where d.oid = $1), 1) $$"""


def tell(url: str, **sizes: int) -> None:
    """The server says from now on that these databases are so large; bytes."""
    run_sql(url, *(f"""insert into told values ('{name}', {size})
        on conflict (name) do update set bytes = excluded.bytes""" for name, size in sizes.items()))  # fmt: skip


@contextmanager
def a_server_that_exaggerates(db: Connection) -> Iterator[str]:
    """A real server whose own size function was put into the shade: nobody waits until 20 GB are written."""
    with a_server(db) as url:
        run_sql(url, "create table told (name text primary key, bytes bigint)", SHADOW,
                "alter role belfry set search_path = public, pg_catalog")  # fmt: skip
        yield url
