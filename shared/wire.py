"""How does a statement travel to Postgres? With its parameters in one message, answered by one.

pg8000 asks three times for a statement with parameters (parse, describe, execute) and waits for each answer; it also
reads the statement letter by letter every time, to number its parameters. Over a network the round trips are what a
tick costs (infra/decisions/0004). Everything else is pg8000's, errors too: the server skips what follows a failed
message up to the Sync, and one ReadyForQuery ends every exchange.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from datetime import datetime
from functools import cache, lru_cache
from struct import pack
from typing import Any

from pg8000 import legacy
from pg8000.converters import TIMESTAMPTZ, make_params, timestamptz_in
from pg8000.core import BIND, DESCRIBE, EXECUTE_MSG, PARSE, SYNC_MSG, Context, _flush, _write
from pg8000.dbapi import convert_paramstyle
from pg8000.exceptions import DatabaseError, InterfaceError

_SSL_REQUEST = pack("!ii", 8, 80877103)
_DESCRIBE_PORTAL = DESCRIBE + pack("!i", 6) + b"P\x00"
_NULL = pack("!i", -1)


def connect(*, host: str, port: int = 5432, timeout: float | None = None, **settings: Any) -> Connection:
    """A connection, with TLS where the server offers it."""
    raw = reach(host, port, timeout)
    try:
        return Connection(sock=raw, ssl_context=False, **settings)
    except BaseException:
        raw.close()
        raise


def reach(host: str, port: int, timeout: float | None) -> socket.socket:
    """A socket to the server that sends small messages at once, with TLS where the server offers it.

    Not verified, as pg8000's own default is not: it would read the machine's whole list of authorities all the same,
    20 ms of every cold start. Without TCP_NODELAY a connection's first answer waits 40 ms for an acknowledgement.
    """
    try:
        raw = socket.create_connection((host, port), timeout)
    except OSError as error:
        raise InterfaceError(f"no connection to {host} port {port}") from error
    try:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.sendall(_SSL_REQUEST)
        if raw.recv(1) == b"S":
            raw = _unverified().wrap_socket(raw, server_hostname=host)
        return raw
    except BaseException:
        raw.close()
        raise


@cache
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Connection(legacy.Connection):  # type: ignore[misc]
    """A pg8000 connection that sends a statement and its parameters together, and reads instants without strptime."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.register_in_adapter(TIMESTAMPTZ, _instant)

    def cursor(self) -> Cursor:
        return Cursor(self)

    def execute_unnamed(
        self, statement: str, vals: Sequence[Any] = (), oids: Sequence[int] = (), stream: Any = None
    ) -> Context:
        if stream is not None:  # COPY talks back in the middle
            return super().execute_unnamed(statement, vals, oids, stream)
        # Whatever cannot be encoded fails here, before the first byte is written: half a message would put every later
        # answer one place off.
        message = self._message(statement, make_params(self.py_types, vals), oids)
        if self._sock is None:
            raise InterfaceError("connection is closed")
        context = Context(statement)
        _write(self._sock, message)
        _flush(self._sock)
        self.handle_messages(context)
        return context

    def _message(self, statement: str, params: Sequence[str | None], oids: Sequence[int]) -> bytes:
        encoding = self._client_encoding
        types = b"".join(pack("!i", max(oid, 0)) for oid in oids)
        parse = b"\x00" + statement.encode(encoding) + b"\x00" + pack("!H", len(oids)) + types
        values = []
        for param in params:
            value = None if param is None else param.encode(encoding)
            values.append(_NULL if value is None else pack("!i", len(value)) + value)
        bind = b"\x00\x00\x00\x00" + pack("!H", len(values)) + b"".join(values) + b"\x00\x00"
        head, middle = PARSE + pack("!i", len(parse) + 4), BIND + pack("!i", len(bind) + 4)
        return b"".join((head, parse, middle, bind, _DESCRIBE_PORTAL, EXECUTE_MSG, SYNC_MSG))


def _instant(told: str) -> datetime | str:
    """A timestamptz; what Python's datetime cannot hold stays as pg8000 tells it."""
    try:
        return datetime.fromisoformat(told)
    except ValueError:
        kept: datetime | str = timestamptz_in(told)
        return kept


class Cursor(legacy.Cursor):  # type: ignore[misc]
    """A pg8000 cursor that numbers a statement's parameters once, not at every execution."""

    _input_oids: Sequence[int]

    def execute(self, operation: str, args: Sequence[Any] = (), stream: Any = None) -> Cursor:
        if not args or stream is not None or self._c is None or not self._c.autocommit:
            super().execute(operation, args, stream)
            return self
        try:
            self._context = self._c.execute_unnamed(_numbered(operation), args, self._input_oids)
        except DatabaseError as error:
            raise _of_the_dbapi(error) from error
        self._row_iter, self._input_oids = iter(self._context.rows or []), ()
        return self


@lru_cache(maxsize=512)
def _numbered(operation: str) -> str:
    """%s becomes $1, $2, ..."""
    statement: str = convert_paramstyle("format", operation, ())[0]
    return statement


def _of_the_dbapi(error: DatabaseError) -> Exception:
    """The class that pg8000's own cursor gives to the server's answer."""
    told = error.args[0]
    code = told.get("C") if isinstance(told, dict) else None
    kind: type[Exception] = legacy.IntegrityError if code == "23505" else legacy.ProgrammingError
    return InterfaceError(told) if code == "28000" else kind(told)
