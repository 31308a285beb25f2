"""Our own configuration in a copy of the tree: terraform leaves traces, tests edit, and the tree itself stays as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.infra.terraform.remote_state import remote_state
from tests.infra.terraform.workspace import TerraformFailed, Workspace

ROOT = Path(__file__).resolve().parents[3]
PARTS = ("cron.yaml", "functions", "infra", "requirements.txt", "shared")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".build", ".terraform*", "*.tfstate*", "*.tfplan")
# What no .tfvars holds: the password of a database that nobody will ever log in to.
SECRETS = ("-var=database_migrator_password=migrator",)


def variables(environment: str) -> tuple[str, ...]:
    """The arguments of plan, apply and destroy for one of envs/*.tfvars."""
    return (f"-var-file=envs/{environment}.tfvars", "-var=deletion_protection=false", *SECRETS)


@contextmanager
def copied(source: Path = ROOT) -> Iterator[Workspace]:
    """A workspace in the infra/ of a copy of the tree (its parent), with an empty state; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="belfry-terraform-") as name, remote_state() as state:
        root = Path(name) / "tree"
        root.mkdir()
        for part in PARTS:
            if (source / part).is_dir():
                shutil.copytree(source / part, root / part, ignore=_LEFT_OUT)
            else:
                shutil.copyfile(source / part, root / part)
        (root / "infra" / "backend_override.tf").write_text(
            f'terraform {{\n  backend "http" {{\n    address = "{state}"\n  }}\n}}\n', encoding="utf-8"
        )
        yield Workspace.at(root / "infra", Path(name) / "mirror")


def package(work: Workspace) -> None:
    """Build the copy's archives by the command that a deployment uses."""
    done = subprocess.run(
        [sys.executable, "-m", "infra", "package"], cwd=work.folder.parent, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise TerraformFailed(f"python -m infra package: exit {done.returncode}\n{done.stdout}{done.stderr}")
