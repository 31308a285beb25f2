"""A kick starts what waits, and says honestly whether anybody was there."""

from datetime import UTC, datetime

import pytest

from shared import kicks
from shared.errors import Unavailable
from tests.console.conftest import Listener


@pytest.fixture
def listening(database_url: str) -> object:
    made = Listener()
    yield made
    made.stop()


def test_the_answer_comes_back_with_its_status(listening: Listener) -> None:
    listening.status = 202
    assert kicks.kick(listening.url, {"job": "x"}) == {"status": "succeeded", "http_status": 202}


def test_no_answer_in_time_means_that_it_runs(listening: Listener) -> None:
    listening.patience.clear()
    assert kicks.kick(listening.url, {"job": "x"}, timeout=0.2) is None
    assert listening.asked == [{"job": "x"}]


def test_nobody_there_is_unavailable(database_url: str) -> None:
    with pytest.raises(Unavailable):
        kicks.kick("http://127.0.0.1:9/", {"job": "x"})


@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b""])
def test_what_answers_no_json_object_is_no_function(listening: Listener, answer: bytes) -> None:
    listening.answer = answer
    with pytest.raises(Unavailable):
        kicks.kick(listening.url, {"job": "x"})


def test_a_redirect_is_not_followed(listening: Listener) -> None:
    listening.status = 307
    assert kicks.kick(listening.url, {"job": "x"}) == {"status": "succeeded", "http_status": 307}
    assert len(listening.asked) == 1


def test_a_virtual_clock_goes_with_the_kick(listening: Listener) -> None:
    kicks.kick(listening.url, {"job": "x"}, now=datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    kicks.kick(listening.url, {"job": "x"})
    assert listening.headers[0]["X-Belfry-Now"] == "2026-03-02T01:00:00+00:00"
    assert "X-Belfry-Now" not in listening.headers[1]
