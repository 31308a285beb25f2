"""terraform for the tests of this folder: skipped with a reason on a machine without it, an error in CI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.infra.terraform.workspace import Workspace, missing


@pytest.fixture(scope="session", autouse=True)
def _terraform_is_here() -> None:
    why = missing()
    if why and os.environ.get("BELFRY_CI"):
        pytest.fail(f"{why}; in CI these tests must run")
    if why:
        pytest.skip(why)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty one."""
    folder = tmp_path / "configuration"
    folder.mkdir()
    return Workspace.at(folder, tmp_path / "mirror")
