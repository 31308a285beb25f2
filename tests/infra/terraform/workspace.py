"""Runs terraform in a folder, with the stand-in as its only provider and nothing of this machine's own settings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.infra.terraform import mirror

OLDEST = (1, 11)


class TerraformFailed(Exception):
    """terraform ended with an exit code that was not expected: its command line and what it wrote."""


def missing() -> str | None:
    """Why terraform cannot run here, or None. Where BELFRY_CI is set, that is an error of the machine."""
    program = shutil.which("terraform")
    if program is None:
        return "terraform is not on PATH"
    said = subprocess.run([program, "version", "-json"], env=_environment(), capture_output=True, check=True).stdout
    version = json.loads(said)["terraform_version"]
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        return f"terraform {version} is older than {'.'.join(map(str, OLDEST))}"
    return None


class Complaint(NamedTuple):
    """An error, and the file (relative to the workspace) and line where it stands."""

    path: Path
    line: int
    summary: str


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("TF_")}


@dataclass(frozen=True)
class Workspace:
    """A folder of .tf files and the stand-in beside it."""

    folder: Path
    config: Path  # terraform.rc

    @classmethod
    def at(cls, folder: Path, beside: Path) -> Workspace:
        """A workspace in a folder; the mirror goes into another one."""
        return cls(folder, mirror.lay_out(beside))

    def terraform(self, *arguments: str, expect: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """Run one command; raises TerraformFailed when its exit code is not an expected one."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env={
                **_environment(),
                "TF_CLI_CONFIG_FILE": str(self.config),
                "TF_IN_AUTOMATION": "1",
                "TF_INPUT": "0",
                "GOGC": "400",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in expect:
            raise TerraformFailed(
                f"terraform {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    def complaints(self) -> list[Complaint]:
        """What `terraform validate` finds wrong; empty when all is well."""
        said = json.loads(self.terraform("validate", "-json", expect=(0, 1)).stdout)
        errors = [found for found in said["diagnostics"] if found["severity"] == "error"]
        places = [found.get("range", {"filename": "", "start": {"line": 0}}) for found in errors]
        return [
            Complaint(Path(place["filename"]), place["start"]["line"], found["summary"])
            for place, found in zip(places, errors, strict=True)
        ]

    def plan(self, *arguments: str, out: str = "a.tfplan") -> dict[str, Any]:
        """The plan as Terraform's JSON ("resource_changes", "planned_values", ...); the plan itself stays as `out`."""
        self.terraform("plan", "-no-color", f"-out={out}", *arguments)
        answer: dict[str, Any] = json.loads(self.terraform("show", "-json", out).stdout)
        return answer
