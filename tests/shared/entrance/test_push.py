"""A push is answered so that the right one acts next: 204, the database owns it; 503, Pub/Sub must come again."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from infra.local.oidc import Signer
from tests.conftest import _forget_process_state, load_function, request_to
from tests.factories import Erp
from tests.telling import delivery, envelope, logged, look, push

CORPUS = [json.loads(line) for line in Path(__file__).with_name("push_corpus.jsonl").read_text("utf-8").splitlines()]


def body_of(case: dict[str, Any]) -> bytes:
    """The bytes that a line of the corpus describes: a good push with one thing wrong, or something else altogether."""
    if "raw" in case:
        return str(case["raw"]).encode()
    if "raw_repeat" in case:
        piece, times = case["raw_repeat"]
        return bytes(piece * times, "ascii")
    good = envelope("email", [1])
    payload = json.loads(base64.b64decode(good["message"]["data"])) | case.get("payload", {})
    if "payload_repeat" in case:
        payload["delivery_ids"] = list(range(1, case["payload_repeat"] + 1))
    said = case.get("payload_raw") or json.dumps(case.get("payload_is", payload))
    good["message"] = good["message"] | {"data": base64.b64encode(said.encode()).decode()} | case.get("message", {})
    return json.dumps(good | case.get("envelope", {})).encode()


def post(body: bytes | dict[str, Any], function: str = "notify_email", **more: Any) -> Any:
    return load_function(function)(request_to(body, **more))


@pytest.mark.parametrize("case", CORPUS, ids=[c["case"] for c in CORPUS])
def test_poison_is_put_away_with_its_reason_and_never_comes_back(db: Connection, case: dict[str, Any]) -> None:
    body = body_of(case)
    assert [post(body).status_code, post(body).status_code] == [204, 204]
    row = db.execute(text("select * from belfry.dead_letters")).one()
    assert (row.source, row.reason, row.seen) == ("notify_email", case["reason"], 2)
    assert row.body_sha256 == hashlib.sha256(body).digest()
    assert row.body == body[: 64 * 1024]
    assert row.truncated == (len(body) > 64 * 1024)


def test_after_poison_the_same_instance_serves_the_next_message(db: Connection) -> None:
    surrogate = next(c for c in CORPUS if c["case"] == "a lone surrogate")
    post(body_of(surrogate))
    told = delivery(db, Erp(db).user(), channel="system")
    assert push("system", [told]) == 204
    assert look(db, told).state == "sent"


def test_a_message_of_another_subscription_is_refused(db: Connection) -> None:
    told = delivery(db, Erp(db).user(), channel="system")
    answer = post(envelope("system", [told]), function="notify_email")
    assert answer.status_code == 403
    assert json.loads(answer.get_data())["error"]["code"] == "wrong_subscription"
    assert look(db, told).state == "queued"


def test_only_a_post_is_a_push(db: Connection) -> None:
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        answer = post(envelope("system", [1]), function="notify_system", method=method)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_who_may_not_push_is_refused(db: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signer, other = Signer(tmp_path / "ours"), Signer(tmp_path / "theirs")
    monkeypatch.setenv("BELFRY_OIDC_CERT", str(signer.public_key))
    _forget_process_state()
    told = delivery(db, Erp(db).user(), channel="system")
    audience = "http://127.0.0.1:8080/functions/notify_system"
    pusher = "pubsub@belfry-local.iam.gserviceaccount.com"
    tokens = {
        signer.token(audience, "somebody@example.com"): 403,
        signer.token("http://127.0.0.1:8080/functions/notify_email", pusher): 403,
        other.token(audience, pusher): 401,
        "not.a.token": 401,
    }
    for token, status in tokens.items():
        headers = {"Authorization": f"Bearer {token}"}
        assert post(envelope("system", [told]), function="notify_system", headers=headers).status_code == status
    assert look(db, told).state == "queued"
    right = {"Authorization": f"Bearer {signer.token(audience, pusher)}"}
    assert post(envelope("system", [told]), function="notify_system", headers=right).status_code == 204
    assert look(db, told).state == "sent"


def test_a_database_that_is_gone_makes_pubsub_come_again(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://belfry:CANARY@127.0.0.1:1/nowhere")
    _forget_process_state()
    for body in (envelope("system", [1]), b"{{{"):
        answer = post(body, function="notify_system")
        assert (answer.status_code, answer.get_data()) == (503, b"")


def test_a_connection_that_died_while_the_instance_slept_is_replaced(db: Connection) -> None:
    first, second = (delivery(db, Erp(db).user(), channel="system") for _ in range(2))
    push("system", [first])
    db.execute(text("""select pg_terminate_backend(pid) from pg_stat_activity
                       where pid <> pg_backend_pid() and datname = current_database()"""))  # fmt: skip
    assert push("system", [second]) == 204
    assert look(db, second).state == "sent"


def test_the_log_of_a_refused_message_repeats_nothing_of_it(db: Connection) -> None:
    with logged() as lines:
        post(b'{"message": "CANARY-content", ')
    assert "push_quarantined" in lines.getvalue()
    assert "CANARY" not in lines.getvalue()
