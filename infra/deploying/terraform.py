"""How is Terraform run? In infra/, one state and one working folder an environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.commands.outcome import OutOfReachError
from infra.deploying.environment import BUILD, INFRA, Environment

OLDEST = (1, 11)
# Where somebody says with an override file that the state is elsewhere, the bucket is none of our business.
ELSEWHERE = INFRA / "backend_override.tf"


@dataclass(frozen=True)
class Terraform:
    """Terraform in infra/ for one environment. Every method raises OutOfReachError when Terraform fails."""

    environment: Environment
    secret_variables: dict[str, str] = field(default_factory=dict, repr=False)  # of its process only: no file, no state
    quiet: bool = False

    def init(self) -> None:
        """Raises OutOfReachError, too, when there is no Terraform, or one too old."""
        program = shutil.which("terraform")
        if program is None:
            raise OutOfReachError("terraform is not on PATH; 1.11 or later is needed")
        said = subprocess.run([program, "version", "-json"], capture_output=True, text=True, check=True).stdout
        version = json.loads(said)["terraform_version"]
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
            raise OutOfReachError(f"terraform {version} is too old; 1.11 or later is needed")
        backend = [f"-backend-config=bucket={self.environment.state_bucket}", "-backend-config=prefix=belfry"]
        self._run("init", "-input=false", "-upgrade=false", *([] if ELSEWHERE.exists() else backend))

    def plan(self) -> dict[str, Any]:
        """Plans everything and keeps the plan for `apply_planned`; what it says, as JSON."""
        self._run("plan", "-input=false", f"-var-file={self.environment.variables}", f"-out={self._plan}")
        return self._json("show", "-json", str(self._plan))

    def apply_planned(self) -> None:
        """Does what was planned last."""
        self._run("apply", "-input=false", str(self._plan))

    def apply_only(self, targets: Iterable[str]) -> None:
        """Makes these and what they need, before the rest is possible."""
        chosen = [f"-target={target}" for target in targets]
        self._run("apply", "-input=false", "-auto-approve", f"-var-file={self.environment.variables}", *chosen)

    @property
    def _plan(self) -> Path:
        return BUILD / f"{self.environment.environment}.tfplan"

    @property
    def _surroundings(self) -> Mapping[str, str]:
        own = {
            "TF_DATA_DIR": str(INFRA / ".terraform" / self.environment.environment),
            "TF_IN_AUTOMATION": "1",
            **{f"TF_VAR_{name}": value for name, value in self.secret_variables.items()},
        }
        return {**os.environ, **own}

    def _run(self, *arguments: str) -> None:
        output = subprocess.DEVNULL if self.quiet else None
        done = subprocess.run(
            ["terraform", *arguments], cwd=INFRA, env=self._surroundings, stdout=output, stdin=subprocess.DEVNULL,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise OutOfReachError(f"terraform {arguments[0]} failed; its own words are above")

    def _json(self, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            ["terraform", *arguments], cwd=INFRA, env=self._surroundings, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise OutOfReachError(f"terraform {arguments[0]} failed: {done.stderr.strip()}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
