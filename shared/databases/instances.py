"""The world of the instances that are watched: connects to each, has it read (readings.py), and leaves.

Only this module and the readings execute anything in this area, and never on Belfry's own database. It happens outside
any transaction: `survey` asks a few instances at a time from threads of its own, the caller writes each answer down.
(rulebook W2, W4)
"""

from __future__ import annotations

import queue
import re
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import URL, Connection, NullPool, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from shared import db, logs
from shared.config import credential
from shared.errors import BelfryError, ConfigError

PAUSE = 1.0  # seconds before the second try, twice that before the third
# What an instance of each type is called in a URL, and with what we speak to it.
DRIVERS = {
    "POSTGRESQL": (("postgresql", "postgres"), "postgresql+pg8000"),
    "MYSQL": (("mysql", "mariadb"), "mysql+pymysql"),
}
REFUSALS = ("28", "42", "3D", 1044, 1045, 1049, 1142, 1227)  # who we are or what we may: trying again changes nothing
_REF = re.compile(r"[A-Za-z0-9_.-]{1,64}")
A = TypeVar("A")


class NotRead(BelfryError):
    """An instance did not answer what it was asked."""

    def __init__(self, why: str, *, again: bool = False) -> None:
        super().__init__(why)
        self.again = again


@dataclass(frozen=True)
class Instance:
    """One row of db_instances: what is watched, and the name of the secret that opens it."""

    id: int
    name: str
    db_type: str
    host: str
    port: int
    credential_ref: str


@dataclass(frozen=True)
class Patience:
    """Seconds for one connection and for one instance as a whole, how often it is tried, how many are asked at once."""

    connect: float
    instance: float
    tries: int
    workers: int


@dataclass(frozen=True)
class Answer(Generic[A]):
    """What came of asking one instance: `found`, or why nothing was (`failed`), or why nobody asked (`skipped`)."""

    instance: Instance
    found: A | None = None
    failed: str | None = None
    skipped: str | None = None


def survey(
    instances: Iterable[Instance],
    read: Callable[[Connection, Instance], A],
    patience: Patience,
    *,
    check: Callable[[], None],
    remaining: Callable[[], float],
    reserve: float,
) -> Iterator[Answer[A]]:
    """Ask every instance, a few at once, and answer as they do.

    `check` is called between waits and may raise. With less than `reserve` seconds `remaining` no further one is asked;
    those not reached, and those that have not answered by half of it, are answered as skipped.
    """
    waiting, asked = deque(instances), dict[int, tuple[Instance, float]]()
    answers: queue.SimpleQueue[tuple[int, A | BaseException]] = queue.SimpleQueue()
    while waiting or asked:
        check()
        while waiting and len(asked) < patience.workers and remaining() > reserve:
            instance = waiting.popleft()
            until = time.monotonic() + min(patience.instance, remaining() - reserve / 2)
            asked[instance.id] = instance, until
            thread = threading.Thread(
                target=_ask, args=(instance, read, patience, until, answers), name=f"ask {instance.name}", daemon=True
            )
            thread.start()
        if waiting and not asked:
            break
        try:
            number, found = answers.get(timeout=0.5)
        except queue.Empty:
            for number, (instance, until) in list(asked.items()):
                if time.monotonic() > until + 2:  # its socket gave up before; a thread that did not is left to itself
                    del asked[number]
                    yield _late(instance, patience, remaining() <= reserve)
            continue
        if number in asked:
            instance, _ = asked.pop(number)
            if isinstance(found, BaseException):
                late = isinstance(found, NotRead) and found.again and remaining() <= reserve
                yield Answer(instance, skipped=_UNREACHED) if late else Answer(instance, failed=_said(found))
            else:
                yield Answer(instance, found=found)
    for instance in waiting:
        yield Answer(instance, skipped=_UNREACHED)


_UNREACHED = "not reached before the run's deadline; the next run starts with it"


def _late(instance: Instance, patience: Patience, over: bool) -> Answer[Any]:
    if over:
        return Answer(instance, skipped=_UNREACHED)
    return Answer(instance, failed=f"did not answer within {patience.instance:g} seconds")


def _ask(
    instance: Instance,
    read: Callable[[Connection, Instance], A],
    patience: Patience,
    until: float,
    answers: queue.SimpleQueue[tuple[int, A | BaseException]],
) -> None:
    try:
        answers.put((instance.id, _tried(instance, read, patience, until)))
    except Exception as error:  # noqa: BLE001  handed to the thread that asked, which records it as this instance's
        answers.put((instance.id, error))


def _tried(
    instance: Instance, read: Callable[[Connection, Instance], A], patience: Patience, until: float
) -> A:
    url = address(instance)
    for attempt in range(1, patience.tries + 1):
        try:
            with _connected(url, instance, patience, until) as connection:
                return read(connection, instance)
        except (SQLAlchemyError, OSError) as error:
            again = not _refused(error)
            if not again or attempt == patience.tries or time.monotonic() + PAUSE * attempt > until:
                raise NotRead(_said(error, url), again=again) from None
        time.sleep(PAUSE * attempt)
    raise AssertionError("a try either answers or raises")


def address(instance: Instance) -> URL:
    """Where and as whom an instance is asked: the URL that its credential holds.

    Raises NotRead for a type we cannot speak to, a secret that is not set or is no URL, and one of another server: the
    accounts and sizes of that would be written down as this one's.
    """
    if instance.db_type not in DRIVERS:
        raise NotRead(f"type {instance.db_type} cannot be read yet, only {' and '.join(DRIVERS)}")
    if not _REF.fullmatch(instance.credential_ref):  # perhaps the secret itself, in the wrong place: it is not repeated
        raise NotRead("credential_ref is not the name of a secret")
    try:
        url = make_url(credential(instance.credential_ref))
    except ConfigError as error:
        raise NotRead(str(error)) from None
    except (ArgumentError, ValueError):
        raise NotRead(f"credential {instance.credential_ref} is not a database URL") from None
    names, driver = DRIVERS[instance.db_type]
    if url.get_backend_name() not in names:
        raise NotRead(f"credential {instance.credential_ref} opens no {instance.db_type}")
    port = url.port or (5432 if instance.db_type == "POSTGRESQL" else 3306)
    if (url.host or "").lower() != instance.host.lower() or instance.port not in (0, port):
        server = f"{instance.host}:{instance.port}"
        raise NotRead(f"credential {instance.credential_ref} is for another server than {server}")
    return url.set(drivername=driver)


@contextmanager
def _connected(url: URL, instance: Instance, patience: Patience, until: float) -> Iterator[Connection]:
    settings: dict[str, Any]
    rest = max(1.0, until - time.monotonic())
    if instance.db_type == "POSTGRESQL":
        settings = {"timeout": min(patience.connect, rest), "application_name": "belfry"}
        if context := _tls(url.query):
            settings["ssl_context"] = context
        url = url.difference_update_query(["sslmode", "sslrootcert"])
    else:
        connecting = max(1, int(min(patience.connect, rest)))
        settings = {"connect_timeout": connecting, "read_timeout": rest, "write_timeout": rest}
    engine = create_engine(
        url, poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True, connect_args=settings
    )
    try:
        with engine.connect() as connection:
            if instance.db_type == "POSTGRESQL":
                db.set_patience(connection, rest)
                connection.exec_driver_sql(f"set statement_timeout = {int(rest * 1000)}")
                connection.exec_driver_sql("set default_transaction_read_only = on")
            else:
                connection.exec_driver_sql("set session transaction read only")
            yield connection
    finally:
        engine.dispose()


def _tls(query: Mapping[str, Any]) -> ssl.SSLContext | None:
    """libpq's sslmode and sslrootcert as pg8000 wants them."""
    mode = query.get("sslmode", "disable")
    if mode in ("disable", "allow", "prefer"):
        return None
    context = ssl.create_default_context(cafile=query.get("sslrootcert"))
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context


def _code(error: BaseException) -> str | int | None:
    """The SQLSTATE of Postgres, the number of MySQL."""
    orig = getattr(error, "orig", None)
    number = orig.args[0] if orig is not None and orig.args and isinstance(orig.args[0], int) else None
    return number or db.sqlstate(error)


def _refused(error: BaseException) -> bool:
    code = _code(error)
    return code in REFUSALS or (isinstance(code, str) and code[:2] in REFUSALS)


def _said(error: BaseException, url: URL | None = None) -> str:
    """What went wrong, in the server's words, without anything that the URL keeps secret."""
    if isinstance(error, BelfryError):
        return str(error)
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    first = cause.args[0] if cause.args else ""
    if isinstance(first, dict):
        words = first.get("M", "")
    else:
        words = ": ".join(str(part) for part in cause.args if part != "") or type(cause).__name__
    if url is not None and url.password:
        words = words.replace(str(url.password), "***")
    return db.storable(logs.redact(words))[:500] or type(cause).__name__
