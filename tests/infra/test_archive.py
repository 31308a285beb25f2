"""Every function's archive, built as it is deployed, boots alone under functions-framework and answers."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
import requests
import yaml

from infra import archive
from tests.processes import served

ROOT = Path(__file__).resolve().parents[2]
DECLARED = yaml.safe_load((ROOT / "cron.yaml").read_text("utf-8"))


@pytest.mark.parametrize("function", [*DECLARED["jobs"], *DECLARED["functions"]])
def test_an_archive_boots_alone_and_answers(function: str, tmp_path: Path, database_url: str) -> None:
    with zipfile.ZipFile(archive.build(function, tmp_path / "archives")) as packed:
        packed.extractall(tmp_path / "alone")
    # Nothing of this checkout: neither PYTHONPATH nor the working folder leads back to it.
    with served(function, tmp_path / "alone", {"DATABASE_URL": database_url, "PYTHONDONTWRITEBYTECODE": "1"}) as alone:
        url = alone.url
        if function == "console":
            assert requests.get(url + "healthz", timeout=20).json()["status"] == "ok"
        elif function in DECLARED["functions"]:
            poison = requests.post(url, json={"no": "envelope"}, timeout=20)
            assert poison.status_code == 204
        else:
            answer = requests.post(url, json={"kind": "manual"}, timeout=20)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_job")


def test_the_same_tree_gives_the_same_archive_and_another_job_s_edit_does_not_change_it(tmp_path: Path) -> None:
    first = archive.build("sweep_runs", tmp_path / "a")
    assert first.name == archive.build("sweep_runs", tmp_path / "b").name
    assert first.name != archive.build("check_overdue_issues", tmp_path / "a").name
    names = zipfile.ZipFile(first).namelist()
    assert {"main.py", "requirements.txt", "shared/jobs.py", "shared/__pycache__/jobs.cpython-311.pyc"} <= set(
        names
    ) or sys.version_info[:2] != (3, 11)
    assert not [n for n in names if n.startswith(("tests/", "infra/", "functions/"))]
