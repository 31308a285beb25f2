"""Does the HTTP entrance of a job refuse what it must, say why, and change nothing? One corpus, one row a request."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Request
from sqlalchemy import Connection, text
from werkzeug.test import EnvironBuilder

from infra.local.oidc import Signer
from shared.config import config
from tests.shared.test_jobs import TICK, add_job, effective

CORPUS = [json.loads(line) for line in Path(__file__).with_name("trigger_corpus.jsonl").read_text("utf-8").splitlines()]
REFUSED = [row for row in CORPUS if row["code"]]
ACCEPTED = [row for row in CORPUS if not row["code"]]
SECRET = "hunter2-canary"
CLOUD = {
    "K_SERVICE": "effective",
    "BELFRY_CALLERS": "scheduler@belfry-local.iam.gserviceaccount.com",
    "BELFRY_AUDIENCE": "https://effective.example",
}


def _token(claims: dict[str, Any]) -> str:
    """A token as Cloud Run hands it on: its signature is removed."""
    good = {
        "iss": "https://accounts.google.com",
        "aud": CLOUD["BELFRY_AUDIENCE"],
        "email": CLOUD["BELFRY_CALLERS"],
        "email_verified": True,
        "exp": 4_000_000_000,
    }
    parts = ({"alg": "RS256", "typ": "JWT"}, {**good, **claims})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*coded, "SIGNATURE_REMOVED_BY_GOOGLE"])


def _request(row: dict[str, Any]) -> Request:
    body = row.get("raw", "{}")
    if "repeat" in row:
        body += row["repeat"][0] * row["repeat"][1] + row["tail"]
    data = row["latin1"].encode("latin-1") if "latin1" in row else body.encode("utf-8")
    at = row.get("at", TICK)
    if "in_seconds" in row:
        at = (datetime.now(UTC) + timedelta(seconds=row["in_seconds"])).isoformat()
    headers = [
        ("X-CloudScheduler-ScheduleTime", value)
        for value in (at if isinstance(at, list) else [at])
        if value is not None
    ]
    if "claims" in row:
        headers.append(("Authorization", f"Bearer {_token(row['claims'])}"))
    headers += [("X-Canary", SECRET), *row.get("headers", {}).items()]
    content_type = row.get("headers", {}).get("Content-Type", "application/json")
    builder = EnvironBuilder(
        path=row.get("path", "/"), method=row.get("method", "POST"), data=data, content_type=content_type
    )
    environ = builder.get_environ()
    for name, value in headers:
        key = "HTTP_" + name.upper().replace("-", "_")
        if name != "Content-Type":
            # What a server makes of a repeated header.
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    return Request(environ)


@pytest.fixture
def entrance(db: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Connection:
    monkeypatch.setenv("BELFRY_OIDC_CERT", str(Signer(tmp_path).public_key))
    add_job(db, "effective", schedule="* * * * *")
    add_job(db, "failing")
    return db


def _told(entrance: Connection, row: dict[str, Any]) -> tuple[int, str | None, str]:
    """Status, code and whole answer of one request, in the cloud if the row says so."""
    with pytest.MonkeyPatch.context() as environment:
        if row.get("cloud"):
            environment.delenv("BELFRY_LOCAL_CLOCK")
            for name, value in CLOUD.items():
                environment.setenv(name, value)
        config.cache_clear()
        answer = effective(_request(row))
    config.cache_clear()
    told = answer.get_data(as_text=True)
    assert SECRET not in told
    assert (answer.headers.get("Allow") == "POST") == (answer.status_code == 405)
    return answer.status_code, json.loads(told).get("error", {}).get("code"), told


def _wrong(row: dict[str, Any], status: int, code: str | None, told: str) -> list[str]:
    missing = [words for words in row["says"] if words not in told]
    wrong = missing or (status, code) != (row["status"], row["code"])
    return [f"{row['what']}: {status} {code}, says not {missing}: {told[:300]}"] if wrong else []


def test_every_bad_request_is_refused_with_its_reason_and_changes_nothing(entrance: Connection) -> None:
    wrong: list[str] = []
    changes = text("""select (select count(*) from belfry.job_executions) + (select count(*) from belfry.outbox)
                           + (select count(*) from belfry.audit_log) + (select sum(fence) from belfry.jobs)""")
    for row in REFUSED:
        status, code, told = _told(entrance, row)
        wrong += _wrong(row, status, code, told)
        if (
            set(json.loads(told).get("error", {})) != {"code", "message", "field", "allowed", "request_id"}
            or len(told) > 1000
        ):
            wrong.append(f"{row['what']}: not the one shape: {told[:300]}")
        if entrance.execute(changes).scalar_one():
            wrong.append(f"{row['what']}: something was written")
            break
    assert wrong == []


@pytest.mark.parametrize("row", ACCEPTED, ids=[row["what"] for row in ACCEPTED])
def test_an_unusual_but_good_request_is_served(entrance: Connection, row: dict[str, Any]) -> None:
    if row.get("disabled"):
        entrance.execute(text("update belfry.jobs set enabled = false"))
    assert _wrong(row, *_told(entrance, row)) == []
