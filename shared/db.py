"""How a function talks to Postgres: one lazy engine, plain statements, transactions that are said aloud.

Connections are in autocommit: a statement outside `transaction()` is one round trip and commits itself. pg8000 is
armoured
against what was measured to break it (facts 4): text that cannot be encoded never reaches the wire, and an error that
is not the
driver's own discards the connection.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared import wire
from shared.config import config
from shared.errors import InvalidText, Unavailable

# Worth another try later: connection, resources, shutdown, lock and statement timeouts, serialization, deadlock, disk,
# read-only, a password that was rotated before the revision that knows the new one.
_RETRYABLE = ("08", "28", "53", "57", "40001", "40P01", "55P03", "25006")


def sqlalchemy_url(url: str) -> URL:
    """The libpq form (postgresql://...) as SQLAlchemy's, with pg8000 as the driver."""
    return make_url(url).set(drivername="postgresql+pg8000")


def new_engine(url: str, *, pool_size: int = 1, pool_overflow: int = 1, socket_timeout: float = 5.0) -> Engine:
    """An armoured engine. A frozen holder's locks are freed by the server after 30 s
    (idle_in_transaction_session_timeout)."""
    engine = create_engine(
        sqlalchemy_url(url),
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=pool_overflow,
        pool_timeout=5,
        pool_recycle=300,
        skip_autocommit_rollback=True,
        connect_args={
            "timeout": socket_timeout,
            "application_name": "belfry",
            "startup_params": {
                "idle_in_transaction_session_timeout": "30s",
                "lock_timeout": "10s",
                "TimeZone": "UTC",
                "standard_conforming_strings": "on",
                "tcp_keepalives_idle": "30",
                "tcp_keepalives_interval": "10",
                "tcp_keepalives_count": "3",
            },
        },
    )
    event.listen(engine, "do_connect", lambda dialect, record, args, settings: wire.connect(**settings))
    event.listen(engine, "before_cursor_execute", _refuse_unencodable)
    event.listen(engine, "handle_error", _discard_after_foreign_error)
    return engine


_making = threading.Lock()


@cache
def _engine() -> Engine:
    c = config()
    return new_engine(
        c.database_url, pool_size=c.pool_size, pool_overflow=c.pool_overflow, socket_timeout=c.socket_timeout
    )


def engine() -> Engine:
    """The engine of this process, made on first use: functions are imported before gunicorn forks."""
    with _making:  # the first two requests may come at once, and must not make a pool each
        return _engine()


def forget_engine() -> None:
    """Close the pool; the next use reads the settings anew."""
    if _engine.cache_info().currsize:
        engine().dispose()
    _engine.cache_clear()


def _refuse_unencodable(
    conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    stack = [parameters]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise InvalidText from None
            if "\x00" in value:
                raise InvalidText
        elif isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, (list, tuple)):
            stack.extend(value)


def _discard_after_foreign_error(context: ExceptionContext) -> BaseException | None:
    error = context.original_exception
    if isinstance(error, context.dialect.loaded_dbapi.Error):
        return None
    context.is_disconnect = True
    # pg8000 lets a socket's error through where an answer begins; told like every other broken connection.
    told = OperationalError(context.statement, None, error, connection_invalidated=True)
    return told if isinstance(error, OSError) else None


def storable(words: str) -> str:
    """The text with lone surrogates and NUL replaced: the report of a failure must not fail for its words."""
    return words.encode("utf-8", "replace").decode().replace("\x00", "?")


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a database error, None for anything else. pg8000 puts it in the message's field C."""
    orig = getattr(error, "orig", None)
    fields = orig.args[0] if orig is not None and orig.args else None
    return fields.get("C") if isinstance(fields, dict) else None


def refusal(error: DBAPIError) -> str:
    """What the server said, without the statement and its parameters."""
    fields = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return f"{fields.get('C')}: {fields.get('M')}" if isinstance(fields, dict) else type(error).__name__


def is_retryable(error: BaseException) -> bool:
    """Whether the same statement may succeed later (fault rows 15-28)."""
    if isinstance(error, (PoolTimeout, ConnectionError, TimeoutError, Unavailable)):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = sqlstate(error)
    return error.connection_invalidated or state is None or state.startswith(_RETRYABLE)


def is_stale(error: SQLAlchemyError) -> bool:
    """Whether a pooled connection turned out dead at once: a new one may work. One that stayed silent is not asked
    again: the caller has waited long enough."""
    cause = getattr(error, "orig", None)
    silent = isinstance(cause, TimeoutError) or isinstance(getattr(cause, "__cause__", None), TimeoutError)
    return bool(getattr(error, "connection_invalidated", False)) and not silent


@contextmanager
def connect(*, now: datetime | None = None) -> Iterator[Connection]:
    """A connection in autocommit. `now` is the virtual clock that SQL's belfry.clock() shows, None the real one."""
    with engine().connect() as connection:
        set_clock(connection, now)
        yield connection


def set_clock(connection: Connection, now: datetime | None) -> None:
    """Show SQL a virtual time; a pooled connection remembers the last one, so only a change costs a statement."""
    shown = now.isoformat() if now else ""
    if connection.info.get("belfry.now", "") != shown:
        connection.exec_driver_sql("select set_config('belfry.now', %s, false)", (shown,))
        connection.info["belfry.now"] = shown


def set_patience(connection: Connection, seconds: float) -> None:
    """How long the socket waits for an answer: the statement's own timeout comes first, this catches a black hole."""
    socket = getattr(connection.connection.dbapi_connection, "_usock", None)
    if socket is not None:
        socket.settimeout(seconds)


@contextmanager
def transaction(connection: Connection, *, timeout: float | None = None) -> Iterator[Connection]:
    """BEGIN ... COMMIT, or ROLLBACK when the body raises. `timeout` limits each statement, in seconds."""
    limit = f"; set local statement_timeout = {math.ceil(timeout * 1000)}" if timeout else ""
    connection.exec_driver_sql("begin" + limit)
    try:
        yield connection
    except BaseException:
        rollback(connection)
        raise
    connection.exec_driver_sql("commit")


def rollback(connection: Connection) -> None:
    """End a transaction without effect; a connection that is already broken has none to end."""
    if not connection.invalidated:
        try:
            connection.exec_driver_sql("rollback")
        except DBAPIError:
            connection.invalidate()
