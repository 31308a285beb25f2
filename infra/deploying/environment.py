"""Which deployment is meant? The few settings that a command must know before Terraform does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from infra.archive import ROOT
from infra.commands.outcome import BadInputError

INFRA = ROOT / "infra"
BUILD = INFRA / ".build"
_TEXT = re.compile(r'^(\w+)\s*=\s*"([^"]*)"', re.MULTILINE)
_NEEDED = ("environment", "project", "project_number", "region")


@dataclass(frozen=True)
class Environment:
    """One of infra/envs/*.tfvars."""

    variables: Path
    environment: str
    project: str
    project_number: str
    region: str

    @classmethod
    def read(cls, name: str, folder: Path = INFRA / "envs") -> Environment:
        """Raises BadInputError when there is no such file, it lacks a setting, or it is still the example."""
        path = folder / f"{name}.tfvars"
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or not path.is_file():
            known = ", ".join(sorted(one.stem for one in folder.glob("*.tfvars")))
            raise BadInputError(f"environment {name!r}: there is no infra/envs/{name}.tfvars; allowed are {known}")
        found = dict(_TEXT.findall(path.read_text("utf-8")))
        missing = [one for one in _NEEDED if not found.get(one)]
        if missing:
            raise BadInputError(
                f"infra/envs/{name}.tfvars: {', '.join(missing)} must be set, each on a line of its own"
            )
        if found["project"].startswith("example-"):
            raise BadInputError(
                f"infra/envs/{name}.tfvars: project {found['project']} is the example; write your own project's id, "
                "number and addresses"
            )
        return cls(path.resolve(), *(found[one] for one in _NEEDED))

    @property
    def state_bucket(self) -> str:
        return f"{self.project}-belfry-state"

    @property
    def operator(self) -> str:
        """The account that an engineer's commands act as (identities.tf)."""
        return f"belfry-operator@{self.project}.iam.gserviceaccount.com"

    @property
    def builder(self) -> str:
        return f"belfry-builder@{self.project}.iam.gserviceaccount.com"
