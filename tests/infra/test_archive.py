"""Every function's archive, built as it is deployed, boots alone under functions-framework and answers."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import requests
import yaml

from infra import archive
from infra.__main__ import main as operator
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
        elif function == "migrate":
            done = requests.post(url, json={}, timeout=20).json()
            assert (done["from"], done["applied"]) == (done["to"], [])
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


def test_all_archives_built_together_are_those_built_alone(tmp_path: Path) -> None:
    together = archive.build_all(["console", "sweep_runs", "notify_email"], tmp_path / "all")
    for function, name in together.items():
        alone = archive.build(function, tmp_path / "alone")
        assert alone.name == name
        assert alone.read_bytes() == (tmp_path / "all" / name).read_bytes()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what archives are made of, free to be edited."""
    root = tmp_path / "tree"
    for part in ("shared", "functions"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("requirements.txt", "cron.yaml"):
        shutil.copyfile(ROOT / part, root / part)
    monkeypatch.setattr(archive, "ROOT", root)
    return root


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        ("functions/issues/check_overdue_issues.py", {"check_overdue_issues"}),
        ("functions/console/pages/jobs.py", {"console"}),
        ("cron.yaml", {"console"}),
        ("shared/jobs.py", {"check_overdue_issues", "sweep_runs", "console"}),
        ("requirements.txt", {"check_overdue_issues", "sweep_runs", "console"}),
    ],
)
def test_an_edit_renames_the_archives_that_hold_the_file_and_no_other(
    tree: Path, tmp_path: Path, edited: str, changed: set[str]
) -> None:
    functions = ["check_overdue_issues", "sweep_runs", "console"]
    before = archive.build_all(functions, tmp_path / "archives")
    with (tree / edited).open("a", encoding="utf-8") as file:
        file.write("\n# another line\n")
    after = archive.build_all(functions, tmp_path / "archives")
    assert {one for one in functions if before[one] != after[one]} == changed


def test_a_file_that_does_not_compile_is_told_and_leaves_no_archive(tree: Path, tmp_path: Path) -> None:
    (tree / "functions/platform/sweep_runs.py").write_text("def sweep_runs(:\n", "utf-8")
    with pytest.raises(SyntaxError):
        archive.build("sweep_runs", tmp_path / "archives")
    assert not list((tmp_path / "archives").iterdir())


def test_package_writes_the_list_that_terraform_reads_and_clears_away_what_is_old(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sweep_runs-0123456789abcdef.zip").touch()
    assert operator(["package", "--into", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["archives"] == len(DECLARED["jobs"]) + len(DECLARED["functions"])
    listed = json.loads((tmp_path / "archives.json").read_text("utf-8"))
    assert listed.keys() == {*DECLARED["jobs"], *DECLARED["functions"]}
    assert {path.name for path in tmp_path.glob("*.zip")} == set(listed.values())
