"""The house keeps its rooms: who may import whom, what stands at the top, what a function loads to answer."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
TOP = {
    "functions",
    "infra",
    "shared",
    "tests",
    "cron.yaml",
    "requirements.txt",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "pyproject.toml",
}
# The rooms that may touch the world outside the database's transaction.
WORLD = {"requests", "google", "grpc", "smtplib", "http", "socket", "urllib"}
MAY_TOUCH = {
    "channels",
    "db.py",
    "pubsub.py",
    "operator/seek.py",
    "scheduler_api.py",
    "kicks.py",
    "config.py",
    "environment.py",
    "entrance/identity.py",
    "entrance/push.py",
    "remote.py",
}
# These two ask instead of telling what to ask: one connects to the instances that are watched, the other reads them.
ASKS = {ROOT / "shared/databases/instances.py", ROOT / "shared/databases/readings.py"}
# Jinja2 comes with Flask, which functions-framework loads for every function; rendering is what a job must not load.
HEAVY = (
    "grpc",
    "google.cloud.pubsub_v1",
    "google.cloud.scheduler_v1",
    "google.api_core",
    "google.auth",
    "sqlalchemy.orm",
    "requests",
    "jsonschema",
    "pymysql",
    "shared.i18n",
    "shared.pubsub",
)


def sources(*folders: str) -> list[Path]:
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_nothing_else_stands_at_the_top() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    assert {line.split("/")[0] for line in tracked if line and not line.startswith(".")} <= TOP


@pytest.mark.parametrize("path", sources("functions"), ids=str)
def test_functions_import_only_shared_and_themselves(path: Path) -> None:
    inside = {name for name in imports(path) if name.split(".")[0] in ("functions", "infra", "tests")}
    if "console" in path.parts:
        inside = {name for name in inside if not name.startswith("functions.console")}
    assert inside == set()


@pytest.mark.parametrize("path", sources("shared"), ids=str)
def test_shared_imports_neither_functions_nor_infra(path: Path) -> None:
    names = set(imports(path))
    assert {n for n in names if n.split(".")[0] in ("functions", "infra", "tests")} == set()
    place = path.relative_to(ROOT / "shared")
    if place.parts[0] == "rules":
        assert {
            n for n in names if n.split(".")[0] not in sys.stdlib_module_names and not n.startswith("shared.rules")
        } == set()
    if not {place.parts[0], place.as_posix()} & MAY_TOUCH:
        assert {n for n in names if n.split(".")[0] in WORLD} <= {"socket"}


@pytest.mark.parametrize(
    "path", [p for p in sources("shared/erp", "shared/taskboard", "shared/databases") if p not in ASKS], ids=str
)
def test_queries_are_returned_and_not_executed(path: Path) -> None:
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not calls & {"execute", "exec_driver_sql", "scalar", "scalars", "commit", "begin"}


def test_two_rooms_open_databases_our_own_and_those_that_are_watched() -> None:
    opens = {
        path.relative_to(ROOT / "shared")
        for path in sources("shared", "functions")
        if any(isinstance(n, ast.Name) and n.id == "create_engine" for n in ast.walk(ast.parse(path.read_text("utf-8"))))
    }
    assert opens == {Path("db.py"), Path("databases/instances.py")}


@pytest.mark.parametrize("path", sources("functions"), ids=str)
def test_no_job_commits(path: Path) -> None:
    if "console" not in path.parts:
        calls = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert not calls & {"commit", "rollback", "exec_driver_sql"}


def test_every_function_has_its_entry_and_every_entry_its_function() -> None:
    declared = yaml.safe_load((ROOT / "cron.yaml").read_text("utf-8"))
    files = {
        p.stem: p.parent.name
        for p in (ROOT / "functions").glob("*/*.py")
        if p.parent.name != "console" and p.stem != "__init__"
    }
    files["console"] = "console"
    entries = {name: entry["category"] for name, entry in {**declared["jobs"], **declared["functions"]}.items()}
    assert files == entries


def test_the_first_line_of_every_file_is_a_sentence() -> None:
    silent = [
        str(p)
        for p in sources("shared", "functions", "infra")
        if not ast.get_docstring(ast.parse(p.read_text("utf-8")))
    ]
    assert silent == []


@pytest.mark.parametrize(
    "job",
    sorted(
        p.stem
        for c in (
            "issues", "projects", "materials", "purchasing", "tasks", "alerting", "platform", "databases", "production",
            "finance", "sales",
        )
        for p in (ROOT / "functions" / c).glob("*.py")
    ),
)
def test_a_cold_job_loads_only_what_it_needs_to_answer(job: str) -> None:
    """The import gate: what a tick without notifications must not pay for."""
    (source,) = (ROOT / "functions").rglob(f"{job}.py")
    code = f"import runpy, sys; runpy.run_path({str(source)!r}); print([m for m in {HEAVY!r} if m in sys.modules])"
    seen = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert seen.stdout.strip() == "[]"
