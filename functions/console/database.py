"""How does one request reach Postgres? One connection, opened by whoever asks first, given back at the end."""

from __future__ import annotations

from flask import g
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from shared.db import engine


def db() -> Connection:
    """This request's connection, in autocommit."""
    if "db" not in g:
        g.db = _connect()
    connection: Connection = g.db
    return connection


def close(_: BaseException | None = None) -> None:
    """Give the connection back to the pool."""
    connection: Connection | None = g.pop("db", None)
    if connection is not None:
        connection.close()


def _connect() -> Connection:
    """A connection that answers: one that died in the pool while nobody looked at the page is replaced."""
    for last in (False, True):
        connection = engine().connect()
        try:
            connection.exec_driver_sql("select 1")
        except DBAPIError as error:
            connection.close()
            if last or not error.connection_invalidated:
                raise
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise AssertionError("unreachable")
