"""The fault matrix as a table, and a Postgres server that a test may stop, freeze and starve."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest

from infra.local.postgres import Postgres, connection, migrate
from tests.faults.matrix import ELSEWHERE, ROWS
from tests.faults.proxy import Proxy
from tests.faults.world import World
from tests.lending import TEMPLATE
from tests.processes import eventually

MakeWorld = Callable[..., World]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(row, injected, expected): a row of the fault matrix that a test proves")


def pytest_itemcollected(item: pytest.Item) -> None:
    for mark in item.iter_markers("fault"):
        item.user_properties.append(("fault", [mark.kwargs[k] for k in ("row", "injected", "expected")]))


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tell the table what was seen, in a few words and figures."""
    return lambda words: request.node.user_properties.append(("seen", words))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not os.environ.get("BELFRY_FULL_SWEEP"):
        return
    table: list[tuple[int, str, str, str]] = [
        (e.row, e.injected, e.expected, f"see tests/{e.test.replace('::', ' ')}") for e in ELSEWHERE
    ]
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            properties = getattr(report, "user_properties", [])
            told = "; ".join(value for name, value in properties if name == "seen")
            seen_ = f"as expected{': ' + told if told else ''}" if outcome == "passed" else f"{outcome.upper()} {told}"
            case = re.search(r"\[.*\]$", report.nodeid)
            table += [
                (row, f"{injected} {case.group() if case else ''}".strip(), expected, seen_)
                for name, value in properties
                if name == "fault"
                for row, injected, expected in [value]
            ]
    terminalreporter.section("fault matrix, execution side")
    terminalreporter.line(f"{'row':>3}  {'injected':<62} {'expected':<44} seen")
    for row, injected, expected, outcome in sorted(table):
        terminalreporter.line(f"{row:>3}  {injected:<62} {expected:<44} {outcome}")
    uncovered = sorted(set(ROWS) - {row for row, *_ in table})
    terminalreporter.line(f"rows without a test: {', '.join(map(str, uncovered)) or 'none'}")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server of this process's own; what stops it starts it again."""
    own = Postgres(tmp_path_factory.mktemp("cluster"), max_connections=40, fast=True)
    own.start()
    migrate(own.create_database(TEMPLATE))
    yield own
    own.stop("immediate")


def new_database(server: Postgres) -> str:
    """A fresh clone whose commits outlive a crash of the server (fast servers may lose the last ones)."""
    url = server.create_database(f"t_{uuid4().hex[:16]}", TEMPLATE)
    with connection(url) as db:
        db.run(f"alter database {url.rpartition('/')[2]} set synchronous_commit = on")
    return url


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What a test starts, ended in reverse."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def world(database_url: str, stack: ExitStack) -> MakeWorld:
    """A world on the server of the whole run."""
    return lambda **columns: World(database_url, stack, **columns)


@pytest.fixture
def fragile(cluster: Postgres, stack: ExitStack) -> Iterator[MakeWorld]:
    """A world on the server that may be stopped."""
    url = new_database(cluster)
    yield lambda **columns: World(url, stack, **columns)
    stack.close()
    eventually(lambda: _answers(cluster), "the server is up again")
    cluster.drop_database(url.rpartition("/")[2])


@pytest.fixture
def proxied(cluster: Postgres, fragile: MakeWorld, stack: ExitStack) -> Callable[..., tuple[World, Proxy]]:
    """A world whose function reaches its database through a chaos proxy."""

    def make(*, serve: dict[str, str] | None = None, **columns: Any) -> tuple[World, Proxy]:
        made = fragile(**columns)
        proxy = stack.enter_context(Proxy(cluster.port))
        made.serve(url=proxy.url(made.url), **(serve or {}))
        return made, proxy

    return make


def _answers(server: Postgres) -> bool:
    with connection(server.url("postgres")) as db:
        return bool(db.run("select 1"))
