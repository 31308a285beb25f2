"""`python -m infra migrate`: DATABASE_URL's database, a home's, or a deployed function's, with the caller's identity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.__main__ import main
from infra.local.home import Home
from infra.local.oidc import Signer
from tests.conftest import ROOT
from tests.functions.platform.test_migrate import NEWEST, empty, run
from tests.processes import free_port, served

__all__ = ["empty"]  # a fixture


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    code = main(["migrate", *arguments])
    said = capsys.readouterr()
    lines = said.out.splitlines()
    return code, json.loads(lines[-1]) if lines else {}, said.err


def test_a_database_is_migrated_once_by_its_url_or_its_home(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, done, _ = ran(capsys, "--to", "0001_platform")
    assert (code, done["applied"]) == (0, ["0001_platform"])
    (tmp_path / "home").mkdir()
    Home(tmp_path / "home").write_environment({"DATABASE_URL": empty})
    monkeypatch.delenv("DATABASE_URL")
    code, done, _ = ran(capsys, "--home", str(tmp_path / "home"))
    assert (code, done["from"], done["to"]) == (0, "0001_platform", NEWEST)
    code, done, _ = ran(capsys, "--home", str(tmp_path / "home"))
    assert (code, done["applied"]) == (0, [])


def test_bad_input_is_exit_2_and_silence_is_exit_4(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(capsys)[0] == 0
    code, _, err = ran(capsys, "--to", "0003_erp")
    assert (code, "nothing is taken back" in err) == (2, True)
    assert ran(capsys, "--to", "nonsense")[0] == 2
    monkeypatch.setenv("DATABASE_URL", f"postgresql://belfry@127.0.0.1:{free_port()}/nowhere")
    assert ran(capsys)[0] == 4
    monkeypatch.delenv("DATABASE_URL")
    assert ran(capsys, "--home", str(tmp_path / "never"))[0] == 2
    monkeypatch.setenv("GOOGLE_ID_TOKEN", "a.b.c")
    assert ran(capsys, "--url", f"http://127.0.0.1:{free_port()}")[0] == 4


def test_a_deployed_function_is_asked_with_the_callers_token(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signer = Signer(tmp_path / "oidc")
    settings = {"DATABASE_URL": empty, "BELFRY_OIDC_CERT": str(signer.public_key), "PYTHONPATH": str(ROOT),
                "BELFRY_CALLERS": "operator@example.com"}  # fmt: skip
    audience = "http://127.0.0.1:8080/functions/migrate"
    with served("migrate", ROOT, settings, source=ROOT / "functions" / "platform" / "migrate.py") as function:
        monkeypatch.setenv("GOOGLE_ID_TOKEN", signer.token(audience, "stranger@example.com"))
        code, _, err = ran(capsys, "--url", function.url)
        assert (code, "403" in err, run(empty, "select 1 from pg_namespace where nspname = 'belfry'")) == (2, True, [])
        monkeypatch.setenv("GOOGLE_ID_TOKEN", signer.token(audience, "operator@example.com"))
        code, done, _ = ran(capsys, "--url", function.url)
        assert (code, done["from"], done["to"]) == (0, None, NEWEST)
        code, done, _ = ran(capsys, "--url", function.url, "--to", NEWEST)
        assert (code, done["applied"]) == (0, [])
