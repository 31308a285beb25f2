"""Nobody sees or does what their role does not say."""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, text
from werkzeug.routing import Rule

from functions.console import access
from functions.console.app import make_app
from shared.config import config
from tests.conftest import register
from tests.console.conftest import PERMISSIONS, VIEW_TOKEN, Program, Reader, Readers
from tests.factories import Erp

JOB = "check_overdue_issues"
FILLED = {
    "job_id": JOB,
    "execution_id": "7f2f6c1c-0000-4000-8000-000000000000",
    "alert_id": 1,
    "action": "acknowledge",
    "version": "x",
    "name": "console.css",
}


def addresses(app: Flask) -> list[tuple[str, str, str | None]]:
    """Every method and path with what it needs."""
    found = []
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            for method in sorted((rule.methods or set()) - {"HEAD"}):
                found.append((method, path_of(rule), access.needed(rule.endpoint)))
    return found


def path_of(rule: Rule) -> str:
    path = rule.build({name: FILLED[name] for name in rule.arguments}, append_unknown=False)
    assert path is not None
    return path[1]


def ask(reader: Reader, method: str, path: str) -> Any:
    if method == "GET":
        return reader.get(path)
    if path.startswith("/api/"):
        headers = {"X-CSRF-Token": reader.csrf, "Idempotency-Key": "k" * 16}
        return reader.client.post(path, json={}, headers=headers)
    return reader.post(path, {})


def code_of(answer: Any) -> str | None:
    return answer.json["error"]["code"] if answer.is_json and "error" in answer.json else None


def test_every_route_says_what_it_needs(app: Flask) -> None:
    assert {need for _, _, need in addresses(app)} <= {access.PUBLIC, *access.PERMISSIONS}
    assert [path for _, path, need in addresses(app) if need == access.PUBLIC] == [
        f"/assets/x/{FILLED['name']}",
        "/sign-in",
        "/sign-in",
        "/healthz",
    ]


def test_a_route_that_forgot_to_say_serves_nobody(app: Flask, reader: Readers) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    assert reader("admin").get("/forgotten").status_code == 403


@pytest.mark.parametrize("role", [None, *PERMISSIONS])
def test_each_role_reaches_what_it_may_and_nothing_else(
    app: Flask, db: Connection, reader: Readers, role: str | None
) -> None:
    register(db, JOB)
    may = {
        None: set(),
        "viewer": {access.VIEW},
        "owner": {access.VIEW, access.TRIGGER},
        "handler": {access.VIEW, access.HANDLE},
        "manager": {access.VIEW, access.TRIGGER, access.HANDLE, access.MANAGE},
        "admin": set(access.PERMISSIONS),
    }[role] | {access.PUBLIC}
    someone = reader(role)
    for method, path, need in addresses(app):
        if path == "/sign-out" or need == access.PUBLIC:
            continue
        status = ask(someone, method, path).status_code
        if need in may:
            assert status not in (401, 403), (method, path)
        elif role is not None:
            assert status == 403, (method, path)
        else:
            assert status == (302 if method == "GET" and not path.startswith("/api/") else 401), (method, path)


def test_a_view_token_reads_and_does_not_write(db: Connection, viewing: Program) -> None:
    register(db, JOB)
    assert viewing.get("/api/v1/jobs").status_code == 200
    refused = viewing.post(f"/api/v1/jobs/{JOB}/execute", {"dry_run": True})
    assert (refused.status_code, code_of(refused)) == (403, "forbidden")


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer", f"Basic {VIEW_TOKEN}", f"Bearer {VIEW_TOKEN}x", "Bearer ü"]
)
def test_a_wrong_token_is_nobody_also_with_a_session(reader: Readers, header: str) -> None:
    answer = reader("admin").client.get("/api/v1/jobs", headers={"Authorization": header})
    assert (answer.status_code, code_of(answer)) == (401, "unauthenticated")


def test_somebody_who_left_the_company_is_nobody_at_once(db: Connection, reader: Readers) -> None:
    someone = reader("admin")
    db.execute(text("update erp.users set is_active = false where id = :id"), {"id": someone.user_id})
    assert someone.get("/").status_code == 302


def test_a_role_that_is_taken_away_is_gone_at_once(db: Connection, reader: Readers) -> None:
    register(db, JOB)
    someone = reader("owner")
    assert someone.get(f"/jobs/{JOB}/run").status_code == 200
    db.execute(text("delete from erp.user_roles where user_id = :id"), {"id": someone.user_id})
    assert someone.get(f"/jobs/{JOB}/run").status_code == 403


def test_administrators_by_role_and_superusers_may_everything(db: Connection, app: Flask) -> None:
    register(db, JOB)
    erp = Erp(db)
    for user in (erp.user(roles=["SYS_ADMIN"]), erp.user(is_superuser=True)):
        assert Reader(app, user_id=user).get(f"/jobs/{JOB}/run").status_code == 200


def test_signing_out_ends_the_session(reader: Readers) -> None:
    someone = reader("viewer")
    assert someone.post("/sign-out", {}).status_code == 303
    assert someone.get("/").status_code == 302


def test_a_cookie_that_somebody_made_up_is_nobody(app: Flask) -> None:
    client = app.test_client()
    client.set_cookie("belfry", "eyJ1c2VyIjoxfQ.Zz.forged")
    assert client.get("/").status_code == 302


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/alerts", "/alerts"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/a?b=//c", "/"),
        ("/jobs/x\n", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_to_our_own_pages_only(db: Connection, app: Flask, asked: str, led_to: str) -> None:
    user = Erp(db).user()
    someone = Reader(app)
    someone.get("/sign-in")
    assert someone.post("/sign-in", {"user": user, "next": asked}).location == led_to


def test_a_page_of_another_host_name_is_refused(app: Flask) -> None:
    assert app.test_client().get("/sign-in", headers={"Host": "rebound.example:8080"}).status_code == 400
    assert app.test_client().get("/sign-in", headers={"Host": "127.0.0.1:9999"}).status_code == 200


def test_in_the_cloud_there_is_no_signing_in_by_hand(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BELFRY_VIEW_TOKEN")
    monkeypatch.delenv("BELFRY_MANAGE_TOKEN")
    monkeypatch.delenv("BELFRY_LOCAL_CLOCK")
    for name, value in {
        "K_SERVICE": "console",
        "BELFRY_CALLERS": "a@b.example",
        "BELFRY_AUDIENCE": "/projects/1/x",
    }.items():
        monkeypatch.setenv(name, value)
    config.cache_clear()
    client = make_app().test_client()
    assert client.get("/sign-in").status_code == 404
    assert client.get("/").status_code == 401
    assert code_of(client.get("/api/v1/jobs")) == "unauthenticated"
    assert client.get("/api/v1/jobs", headers={"Authorization": f"Bearer {VIEW_TOKEN}"}).status_code == 401
    assert (
        client.get("/", headers={"X-Goog-Authenticated-User-Email": "accounts.google.com:boss@example.com"}).status_code
        == 401
    )


def test_pages_without_a_person_lead_to_the_sign_in_page_and_back(reader: Readers) -> None:
    assert reader(None).get("/jobs/check_overdue_issues").location == "/sign-in?next=/jobs/check_overdue_issues"


def test_the_sign_in_page_shows_one_person_when_asked(db: Connection, app: Flask) -> None:
    erp = Erp(db)
    erp.user("李雷", username="lilei")
    erp.user("韩梅", username="hanmei")
    page = app.test_client().get("/sign-in?as=lilei").text
    assert re.findall(r"<b>(.*?)</b>", page) == ["李雷"]
