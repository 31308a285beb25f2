"""Does the chaos proxy do what it says? The fault tests prove nothing otherwise."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pg8000.native
import pytest
from pg8000.exceptions import InterfaceError

from infra.local.postgres import connection
from tests.faults.proxy import Proxy


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    with Proxy(int(database_url.rsplit(":", 1)[1].partition("/")[0])) as between:
        yield between


@pytest.fixture
def client(proxy: Proxy, database_url: str) -> Iterator[pg8000.native.Connection]:
    name = database_url.rpartition("/")[2]
    opened = pg8000.native.Connection("belfry", host="127.0.0.1", port=proxy.port, database=name, timeout=1)
    opened.run("create table seen (n int)")
    yield opened
    try:
        opened.close()
    except (InterfaceError, OSError):
        return  # the test broke it


def rows(database_url: str) -> int:
    with connection(database_url) as direct:
        return int(direct.run("select count(*) from seen")[0][0])


def test_it_carries_everything_in_pieces_and_late(proxy: Proxy, client: pg8000.native.Connection) -> None:
    proxy.slicer(7)
    proxy.latency(0.05)
    began = time.monotonic()
    assert client.run("select repeat('x', 1000)")[0][0] == "x" * 1000
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize("toxic", ["down", "timeout", "reset_peer", "limit_data"])
def test_a_broken_link_is_an_error_and_after_healing_a_new_one_works(
    proxy: Proxy, client: pg8000.native.Connection, database_url: str, toxic: str
) -> None:
    getattr(proxy, toxic)(*([200] if toxic == "limit_data" else []))
    with pytest.raises((InterfaceError, OSError)):
        client.run("select repeat('x', 1000)")
    proxy.heal()
    with connection(proxy.url(database_url)) as again:
        assert again.run("select 1") == [[1]]


@pytest.mark.parametrize(("toxic", "committed"), [("cut_before", 0), ("drop_reply", 1)])
def test_a_commit_is_lost_on_its_way_or_on_its_way_back(
    proxy: Proxy, client: pg8000.native.Connection, database_url: str, toxic: str, committed: int
) -> None:
    client.run("begin")
    client.run("insert into seen values (1)")
    getattr(proxy, toxic)(b"COMMIT\0")
    with pytest.raises(InterfaceError):
        client.run("commit")
    assert proxy.fired == 1
    assert rows(database_url) == committed
