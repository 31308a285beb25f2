"""Does every business job of cron.yaml have an oracle? A job that no test here holds against one fails."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from shared.cronfile.loading import load
from tests.conftest import ROOT

HERE = Path(__file__).parent
JOBS = [job.id for job in load(ROOT / "cron.yaml").jobs.values() if job.category != "platform"]


@cache
def held_against_an_oracle() -> frozenset[str]:
    """The jobs named by a test that also asks something of this folder."""
    return frozenset(job for path in HERE.glob("test_*.py") if path != Path(__file__) for job in _jobs_of(path))


def _jobs_of(path: Path) -> Iterator[str]:
    module = ast.parse(path.read_text("utf-8"))
    oracles = {
        alias.asname or alias.name
        for node in module.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests.oracles") and ".test_" not in (node.module or "")
        for alias in node.names
        if not (node.module or "").endswith(".reading")
    }
    constants = {
        target.id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for test in module.body:
        if not isinstance(test, ast.FunctionDef) or not test.name.startswith("test_"):
            continue
        names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
        said = {node.value for node in ast.walk(test) if isinstance(node, ast.Constant)} | {constants[n] for n in names & constants.keys()}
        if names & oracles:
            yield from (job for job in JOBS if job in said)


@pytest.mark.parametrize("job_id", JOBS)
def test_the_job_is_held_against_an_oracle(job_id: str) -> None:
    assert job_id in held_against_an_oracle(), f"write what {job_id} should find, in tests/oracles, from its rules and not from its SQL"
