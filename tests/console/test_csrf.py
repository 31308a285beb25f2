"""A write counts only when our own page, made for this very reader, asked for it."""

import pytest
from sqlalchemy import Connection

from functions.console import csrf
from tests.conftest import register
from tests.console.conftest import Program, Readers

READ = "/inbox/read"


def test_a_form_of_our_own_page_is_taken(reader: Readers) -> None:
    assert reader("viewer").post(READ, {"until": "1"}).status_code == 303


@pytest.mark.parametrize("token", ["", "x", "1.2", "99999999999.0", "³.x"])
def test_a_write_without_a_valid_token_is_refused(reader: Readers, token: str) -> None:
    someone = reader("viewer")
    someone.csrf = token
    assert someone.post(READ, {"until": "1"}).status_code == 403


def test_the_token_of_another_reader_is_refused(reader: Readers) -> None:
    one, other = reader("viewer"), reader("viewer")
    one.csrf = other.csrf
    assert one.post(READ, {"until": "1"}).status_code == 403


def test_another_readers_cookie_and_token_do_not_help(reader: Readers) -> None:
    one, other = reader("viewer"), reader("viewer")
    stolen = other.client.get_cookie("csrf")
    assert stolen is not None
    one.client.set_cookie("csrf", stolen.value)
    one.csrf = other.csrf
    assert one.post(READ, {"until": "1"}).status_code == 403


def test_a_token_of_yesterday_is_refused(reader: Readers) -> None:
    someone = reader("viewer")
    hour, _, _ = someone.csrf.partition(".")
    cookie = someone.client.get_cookie("csrf")
    assert cookie is not None
    old = int(hour) - csrf.HOURS - 1
    someone.csrf = f"{old}.{csrf._mac(cookie.value, 'whoever', old)}"
    assert someone.post(READ, {"until": "1"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_origin_is_refused_even_with_the_token(reader: Readers, headers: dict[str, str]) -> None:
    someone = reader("viewer")
    answer = someone.client.post(READ, data={"csrf": someone.csrf, "until": "1"}, headers=headers)
    assert answer.status_code == 403


def test_our_own_origin_is_taken(reader: Readers) -> None:
    someone = reader("viewer")
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert someone.client.post(READ, data={"csrf": someone.csrf, "until": "1"}, headers=headers).status_code == 303


def test_a_session_writes_through_the_api_only_with_the_header(db: Connection, reader: Readers) -> None:
    someone = reader("viewer")
    key = {"Idempotency-Key": "k" * 16}
    without = someone.client.post("/api/v1/notifications/read", json={"all": True}, headers=key)
    assert (without.status_code, without.json["error"]["code"]) == (403, "bad_csrf_token")
    with_it = someone.client.post(
        "/api/v1/notifications/read", json={"all": True}, headers={**key, "X-CSRF-Token": someone.csrf}
    )
    assert with_it.status_code == 200


def test_a_program_with_its_token_needs_none(db: Connection, managing: Program) -> None:
    register(db, "check_overdue_issues")
    answer = managing.post("/api/v1/jobs/check_overdue_issues/execute", {"reason": "test"})
    assert answer.json["error"]["code"] == "handler_missing"


def test_signing_in_needs_the_token_too(reader: Readers) -> None:
    nobody = reader(None)
    nobody.get("/sign-in")
    nobody.csrf = "x"
    assert nobody.post("/sign-in", {"user": "1"}).status_code == 403


def test_the_cookies_are_out_of_reach_of_scripts(reader: Readers) -> None:
    for cookie in (reader("viewer").client.get_cookie(name) for name in ("csrf", "belfry")):
        assert cookie is not None
        assert cookie.http_only
        assert cookie.same_site in ("Strict", "Lax")


def test_another_method_named_in_a_header_changes_nothing(reader: Readers) -> None:
    someone = reader("admin")
    answer = someone.client.get("/inbox/read", headers={"X-HTTP-Method-Override": "POST"})
    assert answer.status_code == 405
