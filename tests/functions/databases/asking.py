"""What the tests of jobs that ask instances share: a server to ask, and the secrets that open it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from shared.databases import instances
from tests.watched import postgres

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
