"""Every function's archive, built as it is deployed, boots alone under functions-framework and answers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import yaml

from infra import archive

ROOT = Path(__file__).resolve().parents[2]
DECLARED = yaml.safe_load((ROOT / "cron.yaml").read_text("utf-8"))
FRAMEWORK = Path(sys.executable).with_name("functions-framework")


@contextmanager
def served(folder: Path, function: str, database_url: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Nothing of this checkout: neither PYTHONPATH nor the working folder leads back to it.
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": database_url, "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen([FRAMEWORK, "--target", function, "--host", "127.0.0.1", "--port", str(port)], cwd=folder, env=environment,
                               start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + 40
        while True:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                pytest.fail(f"{function} did not come up: {process.communicate()[0][-3000:]}")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("function", [*DECLARED["jobs"], *DECLARED["functions"]])
def test_an_archive_boots_alone_and_answers(function: str, tmp_path: Path, database_url: str) -> None:
    with zipfile.ZipFile(archive.build(function, tmp_path / "archives")) as packed:
        packed.extractall(tmp_path / "alone")
    with served(tmp_path / "alone", function, database_url) as url:
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
    assert {"main.py", "requirements.txt", "shared/jobs.py", "shared/__pycache__/jobs.cpython-311.pyc"} <= set(names) or sys.version_info[:2] != (3, 11)
    assert not [n for n in names if n.startswith(("tests/", "infra/", "functions/"))]
