"""A secret that is missing, empty or rotated: a function ends at its start and names it, or answers 503; never its value."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack

import pytest
import requests

from infra.local.postgres import Postgres, connection
from tests.conftest import ROOT
from tests.faults.conftest import new_database
from tests.processes import FRAMEWORK, eventually, free_port, listens, served

# One of each class of service account: what each is given differs, what each refuses does not.
FUNCTIONS = {
    "check_overdue_issues": "issues", "sweep_runs": "platform", "sweep_deliveries": "platform",
    "dispatch_dependents": "platform", "migrate": "platform", "notify_email": "notify", "notify_system": "notify",
    "console": "console", "data_sync": "integration", "sync_accounts": "databases",
}  # fmt: skip
CANARY = "CANARY-7f3d"
GOOD = {"DATABASE_URL": f"postgresql://belfry:{CANARY}@127.0.0.1:1/belfry"}
WRONG = {
    "DATABASE_URL": f"postgresql://belfry:{CANARY}@127.0.0.1/belfry\n", "EMAIL_ENABLED": "ture", "LOG_LEVEL": CANARY,
    "EMAIL_SMTP_PORT": f"{CANARY}", "EMAIL_USERNAME": CANARY, "EMAIL_PASSWORD": "", "CREDENTIAL_ERP": f"{CANARY}\n",
    "WECHAT_WEBHOOK_URL": f"http://evil.example/?key={CANARY}", "K_SERVICE": "somewhere",
    "BELFRY_MANAGE_TOKEN": CANARY * 4, "BELFRY_LOCAL_CLOCK": "1",
}  # fmt: skip
NAMED = {*WRONG, "BELFRY_CALLERS", "BELFRY_AUDIENCE", "GOOGLE_CLOUD_PROJECT"} - {"K_SERVICE"}


def start(function: str, environment: Mapping[str, str]) -> tuple[int, str, bool]:
    """Exit code, all that it said, and whether anybody listens: of a server that is not to come up."""
    port = free_port()
    source = ROOT / "functions" / FUNCTIONS[function] / f"{function}.py"
    done = subprocess.run(
        [FRAMEWORK, "--target", function, "--source", source, "--host", "127.0.0.1", "--port", str(port)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr, listens(port)


@pytest.mark.fault(row=59, injected="every variable missing or wrong", expected="exit 1, all names, no value")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_row_59_a_wrong_environment_ends_every_function_at_its_start_and_names_all_of_it(function: str) -> None:
    code, said, listening = start(function, WRONG)
    assert (code, listening) == (1, False)
    (line,) = said.splitlines()  # one message, and no traceback
    told = json.loads(line)
    assert (told["severity"], told["event"]) == ("CRITICAL", "environment_refused")
    assert {name for name in NAMED if name not in told["message"]} == set()
    assert CANARY not in said


@pytest.mark.fault(row=59, injected="one secret missing, empty or with its newline", expected="exit 1, its name")
@pytest.mark.parametrize(
    ("function", "changed", "name"),
    [
        ("check_overdue_issues", {"DATABASE_URL": None}, "DATABASE_URL"),
        ("check_overdue_issues", {"DATABASE_URL": ""}, "DATABASE_URL"),
        ("sweep_runs", {"DATABASE_URL": "  "}, "DATABASE_URL"),
        ("console", {"DATABASE_URL": GOOD["DATABASE_URL"] + "\n"}, "DATABASE_URL"),
        ("migrate", {"DATABASE_URL": "postgresql://belfry@h/d", "DATABASE_PASSWORD": ""}, "DATABASE_PASSWORD"),
        (
            "migrate",
            {"DATABASE_URL": "postgresql://belfry@h/d", "DATABASE_PASSWORD": f"{CANARY}\n"},
            "DATABASE_PASSWORD",
        ),
        ("notify_email", {"EMAIL_ENABLED": "true", "EMAIL_FROM": "a@b.example"}, "EMAIL_SMTP_SERVER"),
        ("notify_email", {"EMAIL_USERNAME": CANARY}, "EMAIL_PASSWORD"),
        ("data_sync", {"CREDENTIAL_ERP": ""}, "CREDENTIAL_ERP"),
        ("console", {"BELFRY_VIEW_TOKEN": CANARY}, "BELFRY_VIEW_TOKEN"),
    ],
)
def test_row_59_one_bad_secret_is_named_alone(function: str, changed: dict[str, str | None], name: str) -> None:
    environment = {key: value for key, value in {**GOOD, **changed}.items() if value is not None}
    code, said, listening = start(function, environment)
    assert (code, listening) == (1, False)
    message = json.loads(said)["message"]
    assert message.startswith(f"environment: {name} ")
    assert CANARY not in said


@pytest.fixture
def guarded(cluster: Postgres, stack: ExitStack) -> str:
    """A database that asks its user for a password, which is `first`."""
    url = new_database(cluster)
    hba = cluster.folder / "data" / "pg_hba.conf"
    with connection(url) as db:
        db.run("drop role if exists guarded")
        db.run("create role guarded login superuser password 'first'")
        hba.write_text("host all guarded 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
        db.run("select pg_reload_conf()")
    return url.replace("belfry@", "guarded:first@")


@pytest.mark.fault(row=59, injected="the database's password rotated under a running function",
                   expected="503, no value; the new revision works")  # fmt: skip
def test_row_59_a_rotated_password_is_503_until_the_revision_that_knows_it(
    guarded: str, cluster: Postgres, tmp_path: object
) -> None:
    source = ROOT / "functions" / "issues" / "check_overdue_issues.py"

    def ask(url: str, environment: Mapping[str, str]) -> tuple[int, str]:
        answer = requests.post(url, json={"kind": "manual"}, timeout=30)
        return answer.status_code, answer.text

    old = {"PYTHONPATH": str(ROOT), "DATABASE_URL": guarded, "DB_SOCKET_TIMEOUT": "5"}
    new = {**old, "DATABASE_URL": guarded.replace("first", f"{CANARY}")}
    with served("check_overdue_issues", ROOT, old, source=source) as function:
        assert ask(function.url, old)[0] == 404  # asked the database: no such job there
        with connection(cluster.url("postgres")) as db:
            db.run(f"alter role guarded password '{CANARY}'")
            db.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'guarded'")
        eventually(lambda: ask(function.url, old)[0] == 503, "the old password is refused")
        status, said = ask(function.url, old)
        assert (status, json.loads(said)["error"]["code"]) == (503, "unavailable")
        assert CANARY not in said
        assert "first" not in said
    with served("check_overdue_issues", ROOT, new, source=source) as function:
        assert ask(function.url, new)[0] == 404
