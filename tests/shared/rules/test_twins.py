"""Is every table of cases asked of the rule in Python and of the database? A table that only one of them reads fails."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

TABLES = sorted([*(ROOT / "tests/shared/rules").glob("*_cases.py"), ROOT / "tests/shared/escalation_cases.py"])
DATABASE = {"db", "perform"}  # fixtures; `erp` rests on one


def _is_cases(value: ast.expr | None) -> bool:
    return isinstance(value, ast.List | ast.ListComp)


def _tables() -> Iterator[tuple[str, str]]:
    for path in TABLES:
        for node in ast.parse(path.read_text("utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            for target in targets:
                if isinstance(target, ast.Name) and target.id.isupper() and target.id[0] != "_" and _is_cases(getattr(node, "value", None)):
                    yield path.stem, target.id


ALL = list(_tables())


@cache
def asked() -> dict[tuple[str, str], set[bool]]:
    """By table whether tests with (True) and without (False) a database ask its cases."""
    found: dict[tuple[str, str], set[bool]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        source = path.read_text("utf-8")
        if "_cases" in source:
            for table, database in _asked_by(path, ast.parse(source)):
                found[table].add(database)
    return found


def _asked_by(path: Path, module: ast.Module) -> Iterator[tuple[tuple[str, str], bool]]:
    names: dict[str, tuple[str, str]] = {}
    modules: dict[str, str] = {}
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests.shared"):
            for alias in node.names:
                stem = node.module.rpartition(".")[2]
                if stem.endswith("_cases"):
                    names[alias.asname or alias.name] = (stem, alias.name)
                elif alias.name.endswith("_cases"):
                    modules[alias.asname or alias.name] = alias.name
    kept = {  # a table may stand in a constant of its own
        target.id: list(_named(node.value, names, modules))
        for node in module.body if isinstance(node, ast.Assign) for target in node.targets if isinstance(target, ast.Name)
    }  # fmt: skip
    for test in module.body:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            database = bool(DATABASE & {argument.arg for argument in test.args.args})
            said = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
            for table in [*_named(test, names, modules), *(table for name in said & kept.keys() for table in kept[name])]:
                yield table, database


def _named(where: ast.AST, names: dict[str, tuple[str, str]], modules: dict[str, str]) -> Iterator[tuple[str, str]]:
    for node in ast.walk(where):
        if isinstance(node, ast.Name) and node.id in names:
            yield names[node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


@pytest.mark.parametrize(("module", "table"), ALL)
def test_rule_and_database_are_asked_the_same_cases(module: str, table: str) -> None:
    assert asked()[module, table] == {True, False}, f"{module}.{table}: with a database {True in asked()[module, table]}"
