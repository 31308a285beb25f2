"""Every answer carries the same walls, and nothing of the data becomes markup."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from functions.console.headers import CSP
from tests.conftest import ROOT, Perform, register
from tests.console.conftest import Program, Reader, Readers
from tests.factories import Erp

CONSOLE = ROOT / "functions" / "console"
EVIL = "<script>alert(1)</script>{{7*7}}\"'><img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/nothing", "/alerts?level=X", "/api/v1/jobs", "/healthz", "/assets/x/console.js"]
)
def test_every_answer_has_the_security_headers(reader: Readers, path: str) -> None:
    headers = reader("viewer").get(path).headers
    assert headers["Content-Security-Policy"] == CSP
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Request-Id"]
    assert headers["Cache-Control"] in ("no-store", "public, max-age=31536000, immutable")
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("template", sorted((CONSOLE / "templates").iterdir()), ids=lambda path: path.name)
def test_no_template_needs_an_exception_from_the_policy(template: Path) -> None:
    source = template.read_text("utf-8")
    assert template.suffix == ".html"  # Flask escapes only what is named so
    assert "|safe" not in source.replace(" ", "")
    assert "autoescape" not in source
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", source)
    assert re.findall(r"<script(?! src=)", source) == []


def test_names_from_the_database_are_shown_and_never_run(db: Connection, reader: Readers, perform: Perform) -> None:
    erp = Erp(db)
    user = erp.user(real_name=EVIL, username="evil")
    register(db, "check_overdue_issues")
    db.execute(
        text("""update belfry.jobs set name = jsonb_build_object('zh', cast(:evil as text)), owner = :evil, runbook = :evil,
                description = jsonb_build_object('zh', cast(:evil as text)), params = params || jsonb_build_object('x', cast(:evil as text))"""),
        {"evil": EVIL},
    )
    erp.issue(title=EVIL, due_date="2026-02-01", assignee_id=user)
    done = perform("check_overdue_issues")
    db.execute(text("update belfry.notification_deliveries set state = 'sent' where state in ('queued', 'deferred')"))
    db.execute(text("update belfry.job_summaries set trouble = 'failed', last_error = :evil"), {"evil": EVIL})
    alert = db.execute(text("select id from belfry.alert_records")).scalar_one()
    assert "<b>&lt;script&gt;" in reader(None).get("/sign-in").text
    someone = reader("admin", real_name=EVIL)
    paths = [
        "/",
        "/alerts",
        f"/alerts/{alert}",
        "/jobs/check_overdue_issues",
        "/jobs/check_overdue_issues/run",
        f"/executions/{done['execution_id']}",
        "/?q=" + EVIL.replace("{", "%7B"),
        "/alerts?rule=%3Cscript%3E",
    ]
    for path in paths:
        page = someone.get(path).text
        assert "&lt;script&gt;" in page, path
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert "49" not in re.sub(r"\d{3,}|[\w-]+-[\w-]+", "", page) or "{{7*7}}" in page, path


def test_an_alert_shows_evil_text_in_the_inbox_as_text(db: Connection, app: object, perform: Perform) -> None:
    from flask import Flask

    assert isinstance(app, Flask)
    erp = Erp(db)
    user = erp.user()
    erp.issue(title=EVIL, due_date="2026-02-01", assignee_id=user)
    perform("check_overdue_issues")
    db.execute(text("update belfry.notification_deliveries set state = 'sent' where channel = 'system'"))
    page = Reader(app, user_id=user).get("/inbox").text
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page


def test_an_error_page_shows_nothing_of_the_address(managing: Program, reader: Readers) -> None:
    for path in (
        "/<script>alert(1)</script>",
        "/jobs/%3Cscript%3E",
        "/api/v1/%3Cscript%3E",
        "/%00",
        "/jobs/a%00b",
        "/assets/..%2f..%2fapp.py/x",
    ):
        answer = managing.get(path) if path.startswith("/api") else reader(None).get(path)
        assert answer.status_code in (302, 404), path
        assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("path", "expected"),
    [("console.css", "text/css"), ("console.js", "text/javascript"), ("icon.svg", "image/svg+xml")],
)
def test_assets_are_remembered_for_ever_under_a_name_of_their_content(
    reader: Readers, path: str, expected: str
) -> None:
    nobody = reader(None)
    found = re.search(rf'"(/assets/[0-9a-f]{{12}}/{re.escape(path)})"', nobody.get("/sign-in").text)
    assert found
    answer = nobody.get(found[1])
    assert answer.mimetype == expected
    assert "immutable" in answer.headers["Cache-Control"]
    assert nobody.get(f"/assets/{'0' * 12}/{path}").headers["Cache-Control"] == "no-store"
    assert nobody.get("/assets/x/app.py").status_code == 404
